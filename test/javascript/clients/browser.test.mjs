// An app in a browser calls from an origin of its own, with libraries as they come: Chromium
// on a device that has the hospital's TLS root in its store.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { chromium } from "playwright-core";
import { load } from "./identity.mjs";

const { KEPT, RECORD: record, NODE_EXTRA_CA_CERTS: roots, ORIGIN: origin, CHROMIUM: executablePath } = process.env;
const { gateway, user, x5c } = await load(KEPT);
const { key } = JSON.parse(await readFile(KEPT, "utf8"));

const page = `<!doctype html><title>app</title><script src="/tus-js-client/dist/tus.js"></script><script type="module">
  import * as oauth from "/oauth4webapi/build/index.js";
  import { fetchEventSource } from "/@microsoft/fetch-event-source/lib/esm/index.js";
  Object.assign(window, { oauth, fetchEventSource });
</script>`;

const app = createServer(async (request, response) => {
  if (request.url === "/") return response.setHeader("Content-Type", "text/html").end(page);
  const file = request.url.replace(/(\/esm\/\w+)$/, "$1.js");
  response.setHeader("Content-Type", "text/javascript");
  response.end(await readFile(join("node_modules", file)).catch(() => ""));
});
await new Promise((resolve) => app.listen(new URL(origin).port, "127.0.0.1", resolve));
after(() => app.close());

const home = await mkdtemp(join(tmpdir(), "browser-"));
const store = `sql:${home}/.pki/nssdb`;
mkdirSync(`${home}/.pki/nssdb`, { recursive: true });
execFileSync("certutil", ["-d", store, "-N", "--empty-password"]);
for (const [i, root] of (await readFile(roots, "utf8")).match(/-----BEGIN[^]+?-----END CERTIFICATE-----/g).entries()) {
  execFileSync("certutil", ["-d", store, "-A", "-n", `root ${i}`, "-t", "C,,"], { input: root });
}
const browser = await chromium.launch({ executablePath, env: { ...process.env, HOME: home } });
after(async () => {
  await browser.close();
  await rm(home, { recursive: true });
});

async function opened(address) {
  const tab = await browser.newPage();
  await tab.goto(address);
  await tab.waitForFunction("window.fetchEventSource");
  return tab;
}

test("an app of a registered origin", async () => {
  const tab = await opened(origin);
  const token = await tab.evaluate(async ({ gateway, user, key, x5c }) => {
    const signing = await crypto.subtle.importKey("jwk", key, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
    const issuer = new URL(gateway);
    const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2" }));
    const client = { client_id: user };
    const proof = oauth.PrivateKeyJwt(signing, { [oauth.modifyAssertion]: (header) => Object.assign(header, { x5c }) });
    const answer = await oauth.clientCredentialsGrantRequest(server, client, proof, {});
    return (await oauth.processClientCredentialsResponse(server, client, answer)).access_token;
  }, { gateway, user, key, x5c });
  const told = { gateway, record, headers: { Authorization: `Bearer ${token}` } };

  const members = await tab.evaluate(async ({ gateway, headers }) => (await fetch(`${gateway}/v1/organizations`, { headers })).json(), told);
  assert.ok(members.rows.some(({ gateways }) => gateways.includes(gateway)));

  const [problem, id] = await tab.evaluate(async ({ gateway, headers }) => {
    const answer = await fetch(`${gateway}/v1/records/${"a".repeat(26)}`, { headers });
    return [await answer.json(), answer.headers.get("X-Request-ID")];
  }, told);
  assert.equal(problem.code, "not_found");
  assert.equal(problem.requestID, id);

  const [first, second] = await tab.evaluate(async ({ gateway, headers }) => {
    const message = (place) => new Promise((resolve, reject) => {
      const end = new AbortController();
      fetchEventSource(`${gateway}/v1/events`, {
        headers: { ...headers, "Last-Event-ID": place }, signal: end.signal, openWhenHidden: true,
        onmessage: (message) => message.data && (resolve(message), end.abort()),
        onerror: (error) => { reject(error); throw error; },
      });
    });
    const first = await message("0-0");
    return [first, await message(first.id)];
  }, told);
  assert.equal(JSON.parse(first.data).type, first.event);
  assert.notEqual(second.id, first.id);

  const stored = await tab.evaluate(async ({ gateway, record, headers }) => {
    const bytes = new Blob(Array.from({ length: 32 }, () => crypto.getRandomValues(new Uint8Array(65_536))));
    const url = await new Promise((resolve, reject) => {
      const upload = new tus.Upload(bytes, {
        endpoint: `${gateway}/v1/records/${record}/content/uploads`, chunkSize: 1_000_000, headers, retryDelays: null,
        onError: reject, onSuccess: () => resolve(upload.url),
      });
      upload.start();
    });
    return (await fetch(url, { headers })).json();
  }, told);
  assert.equal(stored.size, 32 * 65_536);
});

test("an app of another origin is refused, and learns nothing", async () => {
  const tab = await opened(origin.replace("127.0.0.1", "localhost"));
  const panel = await tab.context().newCDPSession(tab); // the browser's network panel
  await panel.send("Network.enable");
  const seen = new Promise((resolve) => panel.once("Network.responseReceivedExtraInfo", resolve));
  const url = `${gateway}/.well-known/oauth-authorization-server`;
  assert.equal(await tab.evaluate((url) => fetch(url).then(() => "read", (error) => error.name), url), "TypeError");
  const { statusCode, headers } = await seen;
  assert.equal(statusCode, 403);
  assert.equal(headers["content-type"] ?? headers["Content-Type"], "application/problem+json");
});
