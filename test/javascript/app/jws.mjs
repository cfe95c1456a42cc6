// Signed objects: JWS (RFC 7515) with ES256 and the signer's certificate in x5c.

import { X509Certificate } from "node:crypto";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

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

/**
 * Verifies somebody's key statement against the trust bundle: their own signature, under
 * a certificate of their name that their hospital's root vouches for.
 */
export async function verifyKeyStatement(bundle, jws, kind, owner) {
  const [header, payload, signature] = jws.split(".");
  const { alg, typ, x5c } = JSON.parse(Buffer.from(header, "base64url"));
  const statement = JSON.parse(Buffer.from(payload, "base64url"));
  const certificate = new X509Certificate(Buffer.from(x5c[0], "base64"));
  const key = await crypto.subtle.importKey("spki", certificate.publicKey.export({ type: "spki", format: "der" }), ALGORITHM, false, ["verify"]);
  const genuine = await crypto.subtle.verify(ALGORITHM, key, Buffer.from(signature, "base64url"), new TextEncoder().encode(`${header}.${payload}`));
  const [msp, pseudonym] = owner.split("/");
  const roots = bundle.organizations.find((organization) => organization.msp === msp)?.roots ?? [];
  const vouched = roots.map((root) => new X509Certificate(root)).some((root) => certificate.checkIssued(root) && certificate.verify(root.publicKey));
  const issued = new Date(statement.issued);
  const inTime = issued >= new Date(certificate.validFrom) && issued <= new Date(certificate.validTo);
  const named = certificate.subject.split("\n").includes(`CN=${pseudonym}`);
  if (alg !== "ES256" || typ !== "pie-key+jws" || x5c.length !== 1 || !genuine || !vouched || !inTime || !named ||
    statement.user !== owner || statement.kind !== kind) {
    throw new Error(`the ${kind} key of ${owner} is not theirs`);
  }
  return statement;
}
