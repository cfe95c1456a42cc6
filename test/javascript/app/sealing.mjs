// Umbral and age: whom records and key fragments are sealed to.

import * as umbral from "@nucypher/umbral-pre";
import { Decrypter, Encrypter } from "age-encryption";

const utf8 = (text) => new TextEncoder().encode(text);

/** Every Umbral key of a patient, out of one seed of 32 bytes. */
export function keyring(seed) {
  const factory = umbral.SecretKeyFactory.fromSecureRandomness(seed);
  return {
    receiving: () => factory.makeKey(utf8("receiving")),
    signer: () => new umbral.Signer(factory.makeKey(utf8("verifying"))),
    record: (record, version) => factory.makeKey(utf8(`record/${record}/${version}`)),
  };
}

/** Opens an EMR with the record's own key: 32 random bytes and the EMR itself. */
export async function openRecord(ciphertext, secretKey) {
  const decrypter = new Decrypter();
  decrypter.addIdentity({
    unwrapFileKey(stanzas) {
      const [stanza] = stanzas.filter(({ args }) => args[0] === "umbral");
      if (!stanza) return null;
      return umbral.decryptOriginal(secretKey, parseCapsule(Buffer.from(stanza.args[1], "base64")), stanza.body);
    },
  });
  return decrypter.decrypt(ciphertext);
}

// parseCapsule puts the points E and V and the scalar s into the library's own form, a
// MessagePack array of three.
function parseCapsule(bytes) {
  const part = (from, to) => [0xc4, to - from, ...bytes.subarray(from, to)];
  return umbral.Capsule.fromBytes(new Uint8Array([0x93, ...part(0, 33), ...part(33, 66), ...part(66, 98)]));
}

/** Cuts a grant into one fragment for each proxy, each signed for both keys. */
export function cut(secretKey, receivingKey, signer, threshold, shares) {
  const receiving = umbral.PublicKey.fromCompressedBytes(receivingKey);
  return umbral.generateKFrags(secretKey, receiving, signer, threshold, shares, true, true).map((fragment) => fragment.toBytes());
}

/** Seals what only a proxy may read, to its post-quantum hybrid recipient. */
export async function seal(recipient, value) {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return encrypter.encrypt(JSON.stringify(value));
}
