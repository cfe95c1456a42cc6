// Umbral and age: whom records and key fragments are sealed to.

import { createHash, randomBytes } from "node:crypto";

import * as umbral from "@nucypher/umbral-pre";
import { Decrypter, Encrypter, Stanza } from "age-encryption";

const BLIND = 32; // random bytes before each EMR, so that its commitment hides it

const utf8 = (text) => new TextEncoder().encode(text);

/** SHA-256, in hexadecimal. */
export const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Every Umbral key of a patient, out of one seed of 32 bytes. */
export function keyring(seed) {
  const factory = umbral.SecretKeyFactory.fromSecureRandomness(seed);
  return {
    receiving: () => factory.makeKey(utf8("receiving")),
    signer: () => new umbral.Signer(factory.makeKey(utf8("verifying"))),
    record: (record, version) => factory.makeKey(utf8(`record/${record}/${version}`)),
  };
}

/** Decrypts an age file with the secret key that it was encrypted to. */
export const openFile = (ciphertext, secretKey) =>
  decrypt(ciphertext, (capsule, wrapped) => umbral.decryptOriginal(secretKey, capsule, wrapped));

/** Decrypts an age file with what proxies gave its reader for the file's capsule. */
export const openReencrypted = (ciphertext, { receiving, delegating, cfrags }) =>
  decrypt(ciphertext, (capsule, wrapped) => umbral.decryptReencrypted(receiving, delegating, capsule, cfrags, wrapped));

function decrypt(ciphertext, unwrap) {
  const decrypter = new Decrypter();
  decrypter.addIdentity({
    unwrapFileKey(stanzas) {
      const [stanza] = stanzas.filter(({ args }) => args[0] === "umbral");
      return stanza ? unwrap(parseCapsule(Buffer.from(stanza.args[1], "base64")), stanza.body) : null;
    },
  });
  return decrypter.decrypt(ciphertext);
}

/**
 * Opens what is registered of a record or a segment: the payload, which is 32 random
 * bytes and the EMR.
 */
export async function openPayload(ciphertext, registered, secretKey) {
  if (digest(ciphertext) !== registered.sha256) throw new Error("altered: the ciphertext is not the registered one");
  const payload = await openFile(ciphertext, secretKey);
  if (digest(payload) !== registered.commitment) throw new Error("altered: the EMR is not the one that was committed to");
  return payload;
}

/** The EMR of a payload. */
export const emrOf = (payload) => payload.subarray(BLIND);

/** The payload of an EMR. */
export const payloadOf = (emr) => Buffer.concat([randomBytes(BLIND), emr]);

/** Encrypts a payload to a record's key; says what is registered of it. */
export async function sealPayload(payload, publicKey) {
  const { ciphertext, capsule } = await sealTo(publicKey, payload);
  return { ciphertext, sha256: digest(ciphertext), size: ciphertext.length, capsule: capsule.toString("base64"), commitment: digest(payload) };
}

/** An age file to an Umbral key, and its capsule. */
export async function sealTo(publicKey, content) {
  const encrypter = new Encrypter();
  let capsule;
  encrypter.addRecipient({
    wrapFileKey(fileKey) {
      const [made, wrapped] = umbral.encrypt(publicKey, fileKey);
      capsule = Buffer.from(made.toBytesSimple());
      return [new Stanza(["umbral", capsule.toString("base64").replace(/=+$/, "")], wrapped)];
    },
  });
  return { ciphertext: await encrypter.encrypt(content), capsule };
}

/** A capsule of 98 bytes: the points E and V and the scalar s, which the library takes as a MessagePack array of three. */
export function parseCapsule(bytes) {
  const part = (from, to) => [0xc4, to - from, ...bytes.subarray(from, to)];
  return umbral.Capsule.fromBytes(new Uint8Array([0x93, ...part(0, 33), ...part(33, 66), ...part(66, 98)]));
}

/** The secret key of a scalar of 32 bytes. */
export const secretKey = (bytes) => umbral.SecretKey.fromBEBytes(bytes);

/** The public key of a compressed point. */
export const publicKey = (bytes) => umbral.PublicKey.fromCompressedBytes(bytes);

/** Cuts a grant into one fragment for each proxy, each signed for both keys. */
export function cut(secretKey, receivingKey, signer, threshold, shares) {
  return umbral.generateKFrags(secretKey, publicKey(receivingKey), signer, threshold, shares, true, true).map((fragment) => fragment.toBytes());
}

/** Seals what only a proxy may read, to its post-quantum hybrid recipient. */
export async function seal(recipient, value) {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return encrypter.encrypt(JSON.stringify(value));
}
