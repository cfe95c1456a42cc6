// Signed objects: JWS (RFC 7515) with ES256 and the signer's certificate in x5c.

import { X509Certificate, createHash } from "node:crypto";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const ATTRIBUTES = Buffer.from([0x06, 0x08, 0x2a, 3, 4, 5, 6, 7, 8, 1]); // 1.2.3.4.5.6.7.8.1, of Fabric CA

const encode = (bytes) => Buffer.from(bytes).toString("base64url");
const json = (value) => encode(JSON.stringify(value));

/** Signs bytes: ECDSA P-256 over SHA-256, r‖s. */
export async function sign(key, bytes) {
  return new Uint8Array(await crypto.subtle.sign(ALGORITHM, key, bytes));
}

/** Makes a compact JWS of the type. */
export async function signObject(identity, typ, payload) {
  const x5c = [new X509Certificate(identity.certificate).raw.toString("base64")];
  const content = `${json({ alg: "ES256", typ, x5c })}.${json(payload)}`;
  return `${content}.${encode(await sign(identity.key, new TextEncoder().encode(content)))}`;
}

/** Who a certificate says its holder is, when a member's root vouches for it; else undefined. */
export function identify(bundle, certificate) {
  const issued = (root) => certificate.checkIssued(root) && certificate.verify(root.publicKey);
  const member = bundle.organizations.find(({ roots }) => roots?.some((root) => issued(new X509Certificate(root))));
  if (!member) return undefined;
  const attributes = attributesOf(certificate.raw);
  const named = Object.fromEntries(["role", "clearance", "department"].map((name) => [name, attributes[`pie.${name}`]]).filter(([, value]) => value));
  const pseudonym = certificate.subject.split("\n").find((line) => line.startsWith("CN="))?.slice(3);
  return { user: `${member.msp}/${pseudonym}`, ...named };
}

// attributesOf finds the extension's JSON in the certificate's. Names may be of any script,
// so its length, in DER, may take one byte or two.
function attributesOf(raw) {
  const at = raw.indexOf(ATTRIBUTES);
  if (at < 0) return {};
  const begin = raw.indexOf("{", at);
  const long = raw[begin - 4] === 0x04 && raw[begin - 3] === 0x82;
  const length = long ? raw.readUInt16BE(begin - 2) : raw[begin - 1];
  return JSON.parse(raw.subarray(begin, begin + length)).attrs ?? {};
}

/**
 * Verifies a signed object against the trust bundle: its signature, under a certificate
 * that was valid when the object was issued and that a member's root vouches for.
 */
export async function verifyObject(bundle, jws, type) {
  const [header, payload, signature] = jws.split(".");
  const { alg, typ, x5c } = JSON.parse(Buffer.from(header, "base64url"));
  const content = JSON.parse(Buffer.from(payload, "base64url"));
  const certificate = new X509Certificate(Buffer.from(x5c[0], "base64"));
  const key = await crypto.subtle.importKey("spki", certificate.publicKey.export({ type: "spki", format: "der" }), ALGORITHM, false, ["verify"]);
  const genuine = await crypto.subtle.verify(ALGORITHM, key, Buffer.from(signature, "base64url"), new TextEncoder().encode(`${header}.${payload}`));
  const issued = new Date(content.issued);
  const inTime = issued >= new Date(certificate.validFrom) && issued <= new Date(certificate.validTo);
  const signer = identify(bundle, certificate);
  if (alg !== "ES256" || typ !== type || x5c.length !== 1 || !genuine || !inTime || !signer) throw new Error(`altered: a ${type} does not verify`);
  return { content, signer: { ...signer, identityKey: identityKeyDigest(certificate.raw) } };
}

/** Verifies somebody's statement of a key of their own. */
export async function verifyKeyStatement(bundle, jws, kind, owner) {
  const { content, signer } = await verifyObject(bundle, jws, "pie-key+jws");
  if (signer.user !== owner || content.user !== owner || content.kind !== kind) throw new Error(`altered: the ${kind} key of ${owner} is not theirs`);
  return content;
}

/** Verifies a statement of a key to seal something to: the registered identity key signed it. */
export async function verifyPinnedKeyStatement(bundle, jws, kind, owner, registered) {
  const content = await verifyKeyStatement(bundle, jws, kind, owner);
  const { signer } = await verifyObject(bundle, jws, "pie-key+jws");
  if (signer.identityKey !== registered) throw new Error(`altered: the ${kind} key of ${owner} was stated with another identity key than is registered`);
  return content;
}

/** Verifies a professional card: an administrator of the professional's own hospital signed it. */
export async function verifyCard(bundle, jws, user) {
  const { content, signer } = await verifyObject(bundle, jws, "pie-card+jws");
  const home = (id) => id.split("/")[0];
  if (content.user !== user || signer.role !== "org-admin" || home(signer.user) !== home(user)) throw new Error(`altered: the card of ${user} is not theirs`);
  return content;
}

/** SHA-256 of a certificate's public key as DER, by which the ledger knows it. */
export function identityKeyDigest(certificate) {
  return createHash("sha256").update(new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" })).digest("hex");
}
