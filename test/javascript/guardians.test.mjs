// Guardians' shares, held against vectors that the Go implementation made.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import { combine, openShare, parse, splitSeed } from "./app/guardians.mjs";
import { keyring } from "./app/sealing.mjs";

const vectors = JSON.parse(await readFile(new URL("../../docs/javascript/guardians.json", import.meta.url)));
const bytes = (base64) => Buffer.from(base64, "base64");
const { channel, owner, sealed } = vectors;

test("words are read", () => {
  for (const { number, packed, words } of vectors.shares) {
    const share = parse(words);
    assert.deepEqual([share.index, share.threshold, share.packed.toString("base64")], [number, vectors.threshold, packed]);
  }
});

test("enough shares give the seed back", () => {
  for (const { why, shares } of vectors.accepted) assert.equal(combine(shares).toString("base64"), vectors.seed, why);
});

test("whatever else is refused", () => {
  for (const { why, code, shares } of vectors.refused) assert.throws(() => combine(shares), { code }, why);
});

test("what is split here is combined here", () => {
  for (const seed of [bytes(vectors.seed), Buffer.alloc(32), Buffer.alloc(32, 0xff)]) {
    for (const [shares, threshold] of [[2, 2], [3, 2], [16, 16]]) {
      const made = splitSeed(seed, shares, threshold);
      assert.deepEqual(combine(made.slice(-threshold).reverse()), seed);
      assert.throws(() => combine(made.slice(1, threshold)), { code: "invalid_argument" });
      assert.throws(() => combine([...made, ...splitSeed(seed, shares, threshold)]), { code: "invalid_argument" });
    }
  }
  for (const [shares, threshold] of [[3, 1], [2, 3], [17, 2]]) {
    assert.throws(() => splitSeed(bytes(vectors.seed), shares, threshold), { code: "invalid_argument" });
  }
});

test("a sealed share opens with its guardian's receiving key, and with no other", async () => {
  const guardian = { user: sealed.guardian, keys: keyring(bytes(sealed.seed)), bundle: { channel } };
  assert.deepEqual(await openShare(guardian, sealed.sealed), { owner, share: vectors.shares[sealed.number - 1].words });
  await assert.rejects(openShare({ ...guardian, keys: keyring(bytes(vectors.seed)) }, sealed.sealed), { code: "permission_denied" });
  await assert.rejects(openShare({ ...guardian, user: owner }, sealed.sealed), { code: "altered" });
  await assert.rejects(openShare({ ...guardian, bundle: { channel: "another" } }, sealed.sealed), { code: "altered" });
  const damaged = bytes(sealed.sealed);
  damaged[damaged.length - 1] ^= 1;
  await assert.rejects(openShare(guardian, damaged.toString("base64")), { code: "permission_denied" });
});
