// tus-js-client uploads in pieces, and reads why it may not send them otherwise.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import * as tus from "tus-js-client";
import { authorization, door, record } from "./door.mjs";

const endpoint = `${door}/v1/records/${record}/content/uploads`;

function upload(bytes, options) {
  return new Promise((resolve, reject) => {
    const one = new tus.Upload(bytes, {
      endpoint, retryDelays: null, headers: authorization, metadata: { filename: "検査.dcm" },
      onError: reject, onSuccess: () => resolve(one.url), ...options,
    });
    one.start();
  });
}

test("an upload comes whole", async () => {
  const bytes = randomBytes(3_000_000);
  const url = await upload(bytes, { chunkSize: 1_000_000 });
  assert.ok(url.startsWith(door), `it goes on at ${url}`);
  const stored = await (await fetch(url, { headers: authorization })).json();
  assert.equal(stored.size, bytes.length);
});

test("one piece of 20 MB comes whole", async () => {
  const stored = await (await fetch(await upload(randomBytes(20_000_000)), { headers: authorization })).json();
  assert.equal(stored.size, 20_000_000);
});

test("other extensions are refused at the beginning, in words", async () => {
  for (const [options, said] of [
    [{ parallelUploads: 2 }, /concatenation/],
    [{ uploadDataDuringCreation: true }, /creation-with-upload/],
    [{ uploadLengthDeferred: true }, /creation-defer-length/],
  ]) {
    await assert.rejects(upload(randomBytes(1000), options), said);
  }
});
