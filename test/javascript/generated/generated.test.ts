// Clients that hey-api and orval make of the document call a gateway, with nothing else
// said of it: tokens, reads, problems, ciphertext, events.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { client } from "./made/hey-api/client.gen.js";
import * as heyapi from "./made/hey-api/index.js";
import * as orval from "./made/orval.js";

const { KEPT, RECORD: record = "" } = process.env;
const kept: { url: string; user: string; key: JsonWebKey; certificate: string } = JSON.parse(await readFile(KEPT ?? "", "utf8"));
const unknown = "a".repeat(26);

async function tokenRequest(): Promise<heyapi.TokenRequest> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("jwk", kept.key, algorithm, false, ["sign"]);
  const x5c = [kept.certificate.replace(/-----END[^]*|-----[^-]+-----|\s/g, "")];
  const iat = Math.floor(Date.now() / 1000);
  const claims: heyapi.Assertion = { iss: kept.user, sub: kept.user, aud: kept.url, jti: randomUUID(), iat, exp: iat + 60 };
  const content = [{ alg: "ES256", x5c }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  const signature = Buffer.from(await crypto.subtle.sign(algorithm, key, Buffer.from(content))).toString("base64url");
  return {
    grant_type: "client_credentials", client_id: kept.user, client_assertion: `${content}.${signature}`,
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  };
}

test("hey-api", async () => {
  client.setConfig({ baseUrl: kept.url });
  const { data: token } = await heyapi.issueToken({ body: await tokenRequest(), throwOnError: true });
  client.setConfig({ auth: token.access_token });
  const { data: members } = await heyapi.listOrganizations({ throwOnError: true });
  assert.ok(members.rows.some(({ msp, gateways }) => kept.user.startsWith(msp) && gateways.includes(kept.url)));
  const { error } = await heyapi.readRecord({ path: { record: unknown } });
  assert.equal(error?.code, "not_found");
  const ciphertext = new Blob([crypto.getRandomValues(new Uint8Array(1000))]);
  const { data: stored } = await heyapi.addContent({ path: { record }, body: ciphertext, throwOnError: true });
  assert.equal(stored.size, ciphertext.size);
  const { data: content } = await heyapi.readContent({ path: { record, version: 1 }, headers: { Range: "bytes=0-9" }, throwOnError: true });
  assert.equal(content.size, 10);
  const end = new AbortController();
  const { stream } = await heyapi.streamEvents({ headers: { "Last-Event-ID": "0-0" }, signal: end.signal });
  for await (const { type } of stream) {
    assert.match(type, /^[A-Z]/);
    end.abort();
    break;
  }
});

test("orval", async () => {
  const call = globalThis.fetch;
  globalThis.fetch = (path, options) => call(new URL(String(path), kept.url), options);
  const issued = await orval.issueToken(await tokenRequest());
  assert.ok(issued.status === 200, JSON.stringify(issued.data));
  const headers = { Authorization: `Bearer ${issued.data.access_token}` };
  const options = { headers };
  const members = await orval.listOrganizations(options);
  assert.ok(members.status === 200 && members.data.rows.length > 0);
  const refused = await orval.readRecord(unknown, undefined, options);
  assert.ok(refused.status !== 200 && refused.data.code === "not_found");
  const ciphertext = new Blob([crypto.getRandomValues(new Uint8Array(1000))]);
  const stored = await orval.addContent(record, ciphertext, options);
  assert.ok(stored.status === 200 && stored.data.size === ciphertext.size, JSON.stringify(stored.data));
  const content = await orval.readContent(record, 1, undefined, { headers: { ...headers, Range: "bytes=0-9" } });
  assert.ok(content.status === 206 && content.data.size === 10);
});
