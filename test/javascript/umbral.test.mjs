// docs/umbral.md, held against the vectors that the Go implementation made.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import * as umbral from "./umbral.mjs";

const vectors = JSON.parse(await readFile(new URL("../../docs/javascript/umbral.json", import.meta.url)));
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (value) => typeof value === "bigint" ? value.toString(16).padStart(64, "0") : Buffer.from(value).toString("hex");
const flipped = (array, at) => array.with(at, array[at] ^ 1);
const { encryption, exchange, fragments } = vectors;
const capsule = umbral.parseCapsule(bytes(encryption.capsule));
const ciphertext = bytes(encryption.ciphertext);
const keys = { verifying: bytes(vectors.verifying), A: bytes(vectors.delegating.public), B: bytes(vectors.receiving.public) };
const a = umbral.scalar(bytes(vectors.delegating.secret));
const b = umbral.scalar(bytes(vectors.receiving.secret));
const parsed = fragments.map(({ capsuleFrag }) => umbral.parseCapsuleFrag(bytes(capsuleFrag)));

test("the point U, hashes to scalars, HKDF, keys of a seed", () => {
  assert.equal(hex(umbral.wire(umbral.U)), vectors.u);
  for (const { tag, parts, scalar } of vectors.hashes) {
    assert.equal(hex(umbral.hash(tag, bytes(parts))), scalar, tag);
  }
  assert.equal(hex(umbral.hkdf(bytes(vectors.hkdf.secret), bytes(vectors.hkdf.info), 64)), vectors.hkdf.output);
  const { seed, label, key, secret, keyOfFactory } = vectors.factory;
  assert.equal(hex(umbral.derived.key(bytes(seed), label)), key);
  assert.equal(hex(umbral.derived.secret(bytes(seed), label)), secret);
  assert.equal(hex(umbral.derived.key(umbral.derived.seed(bytes(seed), label), label)), keyOfFactory);
});

test("the owner opens what was encrypted", () => {
  assert.equal(hex(capsule.challenge), encryption.challenge);
  assert.equal(hex(umbral.wire(umbral.ownersSeed(a, capsule))), encryption.seed);
  assert.equal(hex(umbral.contentKey(umbral.ownersSeed(a, capsule))), encryption.key);
  assert.equal(hex(umbral.open(a, capsule, ciphertext)), encryption.plaintext);
  assert.throws(() => umbral.open(b, capsule, ciphertext));
  assert.throws(() => umbral.open(a, capsule, flipped(ciphertext, 30)));
  for (const at of [20, 50, 97]) {
    assert.throws(() => umbral.parseCapsule(flipped(capsule.bytes, at)), `byte ${at}`);
  }
});

test("re-encryptions are verified", () => {
  fragments.forEach((fragment, k) => {
    assert.equal(hex(umbral.statement(parsed[k], keys.A, keys.B)), fragment.statement);
    assert.equal(hex(umbral.proofChallenge(capsule, parsed[k])), fragment.challenge);
    umbral.verify(capsule, parsed[k], keys);
    assert.throws(() => umbral.verify(capsule, parsed[k], { ...keys, A: keys.B }), /not signed/);
    for (const field of ["E1", "V1", "E2", "V2", "U2"]) {
      assert.throws(() => umbral.verify(capsule, { ...parsed[k], [field]: umbral.U }, keys), /does not prove/, field);
    }
  });
});

test("fragments open the record in the sets that the file names", () => {
  const { D, d, argument } = umbral.exchange(b, umbral.point(bytes(exchange.x)));
  assert.equal(hex(D), exchange.shared);
  assert.equal(hex(d), exchange.d);
  fragments.forEach((fragment, k) => assert.equal(hex(argument(parsed[k].id)), fragment.argument));
  for (const [name, set] of Object.entries(vectors.sets)) {
    const open = () => umbral.openFragments(b, keys.A, capsule, set.fragments.map((k) => parsed[k]), ciphertext);
    if (set.opens) {
      assert.equal(hex(open()), encryption.plaintext, name);
    } else {
      assert.throws(open, /too few|repeated/, name);
    }
  }
});

test("the layouts in MessagePack hold the same fields", () => {
  const packed = (...items) => items.map((item) => typeof item === "number" ? item.toString(16) : `c4${item.length.toString(16)}${hex(item)}`).join("");
  const { E, V, s } = capsule;
  const scalarBytes = (value) => bytes(hex(value));
  assert.equal(packed(0x93, umbral.wire(E), umbral.wire(V), scalarBytes(s)), encryption.capsuleMsgpack);
  fragments.forEach((fragment, k) => {
    const { E1, V1, id, X, E2, V2, U1, U2, z, signature } = parsed[k];
    assert.equal(packed(0x95, ...[E1, V1].map(umbral.wire), id, umbral.wire(X), 0x96, ...[E2, V2, U1, U2].map(umbral.wire), scalarBytes(z), signature), fragment.capsuleFragMsgpack);
    const rk = bytes(fragment.keyFrag.slice(2 * 73, 2 * 105));
    assert.deepEqual(umbral.wire(umbral.U.multiply(umbral.scalar(rk))), umbral.wire(U1));
    const forProxy = bytes(fragment.keyFrag.slice(2 * 178, 2 * 242));
    assert.equal(packed(0x95, 0x91, umbral.wire(umbral.U), id, rk, umbral.wire(X), 0x95, umbral.wire(U1), forProxy, signature, 0xc3, 0xc3), fragment.keyFrag);
  });
});
