// One hospital's gateway: tokens, reads, and transactions signed on this device.

import { checkEnvelope, checkProposal } from "../../../docs/javascript/check.mjs";
import { sign, signObject } from "./jws.mjs";

const ATTEMPTS = 5; // at a transaction that others' overtake

const base64 = (bytes) => Buffer.from(bytes).toString("base64");

export class Problem extends Error {
  constructor(problem) {
    super(`${problem.code}: ${problem.detail}`);
    this.code = problem.code;
    this.retryable = problem.retryable;
  }
}

export class Gateway {
  /** @param identity {url, user, mspID, channel, certificate, key} */
  constructor(identity) {
    this.identity = identity;
  }

  async call(method, path, body, headers = {}) {
    const response = await fetch(this.identity.url + path, { method, headers, body });
    if (!response.ok) throw new Problem(await response.json());
    return response;
  }

  async post(path, value, headers) {
    const response = await this.call("POST", path, JSON.stringify(value), { "Content-Type": "application/json", ...headers });
    return response.json();
  }

  async authorization() {
    if (!(this.expires > Date.now())) {
      let answer;
      try {
        answer = await this.token();
      } catch (error) {
        if (error.code !== "unauthenticated") throw error;
        // Another key is registered: this token is for replacing it, and not kept.
        answer = { ...(await this.token({ scope: "replacement" })), expires_in: 0 };
      }
      this.bearer = answer.access_token;
      this.expires = Date.now() + (answer.expires_in - 30) * 1000;
    }
    return { Authorization: `Bearer ${this.bearer}` };
  }

  async token(scope = {}) {
    const { url, user } = this.identity;
    const now = Math.floor(Date.now() / 1000);
    const assertion = await signObject(this.identity, "JWT", { iss: user, sub: user, aud: url, jti: crypto.randomUUID(), iat: now, exp: now + 60 });
    const form = new URLSearchParams({
      grant_type: "client_credentials", client_assertion: assertion, ...scope,
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    });
    return (await this.call("POST", "/oauth2/token", form)).json();
  }

  async read(path) {
    return (await this.call("GET", path, undefined, await this.authorization())).json();
  }

  /** Every row of a list, page after page. */
  async list(path) {
    const rows = [];
    for (let bookmark = ""; ; ) {
      const page = await this.read(path + (bookmark ? `${path.includes("?") ? "&" : "?"}bookmark=${encodeURIComponent(bookmark)}` : ""));
      rows.push(...page.rows);
      if (!(bookmark = page.bookmark)) return rows;
    }
  }

  async content(record, version, segment) {
    const path = `/v1/records/${record}/versions/${version}/content${segment ? `?segment=${segment}` : ""}`;
    const response = await this.call("GET", path, undefined, await this.authorization());
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Puts a ciphertext on the hospital's IPFS node. */
  async add(record, ciphertext) {
    const headers = { "Content-Type": "application/octet-stream", ...(await this.authorization()) };
    return (await this.call("POST", `/v1/records/${record}/content`, ciphertext, headers)).json();
  }

  /** Has a transaction committed, signing a fresh one when another overtook it; returns the result. */
  async transact(transaction, argument, transient = {}) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.transactOnce(transaction, argument, transient);
      } catch (error) {
        if (error.code !== "concurrent_update" || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Prepares, checks, signs, has endorsed, checks, signs and submits. */
  async transactOnce(transaction, argument, transient) {
    const { certificate, channel, key, mspID } = this.identity;
    const authorization = await this.authorization();
    const secret = Object.fromEntries(Object.entries(transient).map(([name, value]) => [name, new TextEncoder().encode(JSON.stringify(value))]));
    const prepared = await this.post("/v1/transactions", {
      transaction, arguments: argument, certificate,
      transient: Object.fromEntries(Object.entries(secret).map(([name, bytes]) => [name, base64(bytes)])),
    }, authorization);
    const proposal = Buffer.from(prepared.proposal, "base64");
    const checked = await checkProposal(proposal, { channel, transaction, arguments: JSON.stringify(argument), transient: secret, mspID, certificate });
    const path = `/v1/transactions/${checked.transactionID}`;
    const endorsed = await this.post(`${path}/endorsement`, { proposal: prepared.proposal, signature: base64(await sign(key, proposal)) }, authorization);
    const envelope = Buffer.from(endorsed.transaction, "base64");
    await checkEnvelope(envelope, checked);
    const committed = await this.post(`${path}/submission`, { transaction: endorsed.transaction, signature: base64(await sign(key, envelope)) }, authorization);
    return committed.result;
  }
}
