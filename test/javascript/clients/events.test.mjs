// npm's eventsource is told of what happened, at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EventSource } from "eventsource";
import { authorization, door } from "./door.mjs";

const PATIENCE = 10_000; // ms; a message that waits for a page of others comes later

function first(name, headers) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(`${door}/v1/events`, {
      fetch: (url, options) => fetch(url, { ...options, headers: { ...options.headers, ...authorization, ...headers } }),
    });
    const end = (settle) => (value) => {
      clearTimeout(waiting);
      source.close();
      settle(value);
    };
    const waiting = setTimeout(() => end(reject)(new Error(`no ${name} within ${PATIENCE} ms`)), PATIENCE);
    source.addEventListener(name, end(resolve));
    source.addEventListener("error", (error) => error.code && end(reject)(new Error(`status ${error.code}`)));
    source.addEventListener("open", () => name === "open" && end(resolve)());
  });
}

test("from the beginning", async () => {
  const { data, lastEventId } = await first("RecordRegistered", { "Last-Event-ID": "0-0" });
  assert.match(lastEventId, /^\d+-\d+$/);
  assert.equal(JSON.parse(data).type, "RecordRegistered");
});

test("an empty place is none", () => first("open", { "Last-Event-ID": "" }));
