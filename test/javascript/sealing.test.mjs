// What is sealed, held against vectors that the Go implementation made: with an
// independent implementation of Umbral, and npm's age-encryption.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import * as umbral from "@nucypher/umbral-pre";
import { Decrypter } from "age-encryption";

import { cidOf } from "./app/cid.mjs";
import { digest, emrOf, keyring, openFile, openPayload, openReencrypted, parseCapsule, payloadOf, sealPayload, seal, secretKey } from "./app/sealing.mjs";

const vectors = JSON.parse(await readFile(new URL("../../docs/javascript/sealing.json", import.meta.url)));
const bytes = (base64) => new Uint8Array(Buffer.from(base64, "base64"));
const text = (array) => Buffer.from(array).toString("base64");
const { record, grant, channel } = vectors;
const patient = keyring(bytes(vectors.patient.seed));
const reader = keyring(bytes(vectors.reader.seed));
const secret = patient.record(record.record, record.version);
const flipped = (array, at) => array.with(at, array[at] ^ 1);

async function fragmentOf({ identity, sealed }) {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return JSON.parse(await decrypter.decrypt(bytes(sealed), "text"));
}

const verified = (keyFrag) => umbral.KeyFrag.fromBytes(keyFrag)
  .verify(patient.signer().verifyingKey(), secret.publicKey(), reader.receiving().publicKey());

test("keys follow from the seed", () => {
  for (const [keys, user] of [[patient, vectors.patient], [reader, vectors.reader]]) {
    assert.equal(text(keys.receiving().publicKey().toCompressedBytes()), user.receiving);
    assert.equal(text(keys.signer().verifyingKey().toCompressedBytes()), user.verifying);
  }
  assert.equal(text(secret.publicKey().toCompressedBytes()), record.key);
});

test("a record opens with the patient's key, and with no other", async () => {
  assert.equal(text(emrOf(await openPayload(bytes(record.ciphertext), record, secret))), record.emr);
  assert.equal(cidOf(bytes(record.ciphertext)), record.cid);
  await assert.rejects(openFile(bytes(record.ciphertext), reader.receiving()));
});

test("a record that was changed does not open", async () => {
  const ciphertext = bytes(record.ciphertext);
  for (const at of [40, 250, 300, ciphertext.length - 1]) {
    await assert.rejects(openPayload(flipped(ciphertext, at), record, secret), /altered/);
    await assert.rejects(openFile(flipped(ciphertext, at), secret), `byte ${at}`);
  }
  await assert.rejects(openPayload(ciphertext, { ...record, commitment: record.sha256 }, secret), /altered/);
});

test("a sealed fragment opens with its proxy's identity alone, and says what it is for", async () => {
  for (const share of grant.proxies) {
    assert.equal(digest(bytes(share.sealed)), share.sha256);
    const { keyFrag, ...context } = await fragmentOf(share);
    assert.deepEqual(context, {
      channel, record: record.record, version: record.version, grant: grant.grant, grantee: `person:${vectors.reader.user}`, proxy: share.proxy,
    });
    assert.ok(verified(bytes(keyFrag)));
    const other = grant.proxies.find(({ proxy }) => proxy !== share.proxy);
    await assert.rejects(fragmentOf({ ...share, identity: other.identity }));
    await assert.rejects(fragmentOf({ ...share, sealed: text(flipped(bytes(share.sealed), bytes(share.sealed).length - 1)) }));
  }
});

test("a fragment that was changed, or of other keys, does not verify", async () => {
  const { keyFrag } = await fragmentOf(grant.proxies[0]);
  const fragment = bytes(keyFrag);
  for (const at of [3, 40, 100, 200]) {
    assert.throws(() => verified(flipped(fragment, at)), `byte ${at}`);
  }
  const parsed = umbral.KeyFrag.fromBytes(fragment);
  assert.throws(() => parsed.verify(reader.signer().verifyingKey(), secret.publicKey(), reader.receiving().publicKey()));
  assert.throws(() => umbral.KeyFrag.fromBytes(fragment).verify(patient.signer().verifyingKey(), reader.receiving().publicKey(), reader.receiving().publicKey()));
});

test("two of three proxies open the record for its reader, one does not", async () => {
  const capsule = parseCapsule(bytes(record.capsule));
  const cfrags = await Promise.all(grant.proxies.slice(1).map(async (share) => umbral.reencrypt(capsule, verified(bytes((await fragmentOf(share)).keyFrag)))));
  const open = (some) => openReencrypted(bytes(record.ciphertext), { receiving: reader.receiving(), delegating: secret.publicKey(), cfrags: some });
  await assert.rejects(open(cfrags.slice(1)));
  const payload = await open(cfrags);
  assert.equal(digest(payload), record.commitment);
  assert.equal(text(emrOf(payload)), record.emr);
});

test("what an author left in escrow opens with the patient's receiving key", async () => {
  const left = JSON.parse(Buffer.from(await openFile(bytes(vectors.escrow.sealed), patient.receiving())));
  const { secret: scalar, ...context } = left;
  assert.deepEqual(context, { channel, record: record.record, version: record.version, author: vectors.escrow.author });
  assert.equal(text(secretKey(bytes(scalar)).publicKey().toCompressedBytes()), vectors.escrow.key);
});

test("contents have the CIDs that IPFS gives them", () => {
  for (const [cid, size] of Object.entries(vectors.contents)) {
    assert.equal(cidOf(new Uint8Array(size).fill(vectors.repeated)), cid, `${size} bytes`);
  }
});

test("the verifying key's signatures", () => {
  const signature = umbral.Signature.fromBEBytes(bytes(vectors.signature.signature));
  const message = bytes(vectors.signature.message);
  assert.ok(signature.verify(patient.signer().verifyingKey(), message));
  assert.ok(!signature.verify(patient.signer().verifyingKey(), flipped(message, 0)));
});

test("what is sealed here opens here", async () => {
  const sealed = await sealPayload(payloadOf(bytes(record.emr)), secret.publicKey());
  assert.equal(text(emrOf(await openPayload(sealed.ciphertext, sealed, secret))), record.emr);
  assert.equal(parseCapsule(bytes(sealed.capsule)).toBytesSimple().length, 98);
  const [{ recipient, identity }] = grant.proxies;
  assert.deepEqual(await fragmentOf({ identity, sealed: text(await seal(recipient, { proxy: "HospitalA" })) }), { proxy: "HospitalA" });
});
