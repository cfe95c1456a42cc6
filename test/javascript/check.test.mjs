// The check before signing, held against vectors that the Go implementation passes too.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import { Forged, checkEnvelope, checkProposal } from "../../docs/javascript/check.mjs";

const vectors = JSON.parse(await readFile(new URL("../../docs/javascript/vectors.json", import.meta.url)));
const decode = (base64) => new Uint8Array(Buffer.from(base64 ?? "", "base64"));
const now = new Date(vectors.now);
const wanted = {
  ...vectors,
  transient: Object.fromEntries(Object.entries(vectors.transient).map(([name, value]) => [name, decode(value)])),
};

for (const vector of vectors.proposals) {
  test(`proposal: ${vector.name}`, async () => {
    const check = checkProposal(decode(vector.bytes), wanted, now);
    if (!vector.accepted) return assert.rejects(check, Forged);
    assert.match((await check).transactionID, /^[0-9a-f]{64}$/);
  });
}

for (const vector of vectors.envelopes) {
  test(`envelope: ${vector.name}`, async () => {
    const checked = await checkProposal(decode(vectors.proposals[0].bytes), wanted, now);
    const check = checkEnvelope(decode(vector.bytes), checked);
    if (!vector.accepted) return assert.rejects(check, Forged);
    assert.deepEqual(await check, { done: true });
  });
}

test("every single flipped bit of an honest proposal is refused or changes nothing that was asked for", async () => {
  const honest = decode(vectors.proposals[0].bytes);
  for (let i = 0; i < honest.length; i++) {
    const flipped = honest.slice();
    flipped[i] ^= 1;
    try {
      const { transactionID } = await checkProposal(flipped, wanted, now);
      assert.ok(transactionID); // nonce or time: another transaction, the same wish
    } catch (error) {
      assert.ok(error instanceof Forged, `byte ${i}: ${error.stack}`);
    }
  }
});
