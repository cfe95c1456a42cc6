// What a patient does: enrol, authorise uploads, confirm, answer requests, open.

import { createHash, randomBytes } from "node:crypto";

import { certificateRequest } from "./csr.mjs";
import { Gateway } from "./gateway.mjs";
import { signObject, verifyKeyStatement } from "./jws.mjs";
import { cut, keyring, openRecord, seal } from "./sealing.mjs";

const ECDSA = { name: "ECDSA", namedCurve: "P-256" };
const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A new ID: 16 random bytes in lower-case base32. */
export function newID() {
  let bits = BigInt(`0x${randomBytes(16).toString("hex")}`) << 2n; // 26 characters hold 130 bits
  let id = "";
  for (let i = 0; i < 26; i++, bits >>= 5n) id = "abcdefghijklmnopqrstuvwxyz234567"[Number(bits & 31n)] + id;
  return id;
}

/** Makes keys on this device and gets a certificate for them; returns what to keep. */
export async function enrol(invitation) {
  const keys = await crypto.subtle.generateKey(ECDSA, true, ["sign", "verify"]);
  const gateway = new Gateway({ url: invitation.gateway });
  const csr = await certificateRequest(keys, invitation.pseudonym);
  const { certificate } = await gateway.post("/v1/enrollments", { pseudonym: invitation.pseudonym, secret: invitation.secret, csr });
  const kept = {
    mspID: invitation.msp, user: `${invitation.msp}/${invitation.pseudonym}`, url: invitation.gateway, bundle: invitation.bundle,
    certificate, key: await crypto.subtle.exportKey("jwk", keys.privateKey), seed: base64(randomBytes(32)),
  };
  const patient = await Patient.load(kept);
  await patient.register();
  return kept;
}

export class Patient {
  static async load(kept) {
    const patient = new Patient();
    patient.bundle = kept.bundle;
    patient.keys = keyring(Buffer.from(kept.seed, "base64"));
    patient.identity = {
      ...kept, channel: kept.bundle.channel,
      key: await crypto.subtle.importKey("jwk", kept.key, ECDSA, false, ["sign"]),
    };
    patient.gateway = new Gateway(patient.identity);
    return patient;
  }

  state(kind, key, more = {}) {
    return signObject(this.identity, "pie-key+jws", { kind, key: base64(key), user: this.identity.user, ...more, issued: new Date().toISOString() });
  }

  async register() {
    const receiving = await this.state("receiving", this.keys.receiving().publicKey().toCompressedBytes());
    const verifying = await this.state("verifying", this.keys.signer().verifyingKey().toCompressedBytes());
    return this.gateway.transact("RegisterUser", { keys: [receiving, verifying] });
  }

  /** A key that somebody stated themselves. */
  async keyOf(user, kind) {
    const { keys } = await this.gateway.read(`/v1/users/${user}`);
    return Buffer.from((await verifyKeyStatement(this.bundle, keys[kind], kind, user)).key, "base64");
  }

  /** Cuts the key of one record version for one grantee, a fragment for each proxy. */
  async fragments({ record, version, grant, grantee }) {
    const receivingKey = await this.keyOf(grantee, "receiving");
    const organizations = (await this.gateway.list("/v1/organizations")).slice(0, 5);
    const threshold = Math.floor(organizations.length / 2) + 1;
    const cuts = cut(this.keys.record(record, version), receivingKey, this.keys.signer(), threshold, organizations.length);
    const sealed = [];
    for (const [i, { msp, proxy }] of organizations.entries()) {
      const recipient = (await this.keyOf(proxy, "proxy")).toString();
      const bytes = await seal(recipient, {
        channel: this.bundle.channel, record, version, grant, grantee: `person:${grantee}`, proxy: msp, keyFrag: base64(cuts[i]),
      });
      sealed.push({ grant, proxy: msp, salt: base64(randomBytes(16)), sealed: bytes });
    }
    return {
      described: { threshold, receivingKey: digest(receivingKey), proxies: sealed.map((f) => ({ proxy: f.proxy, sha256: digest(f.sealed) })) },
      sealed: sealed.map((f) => ({ ...f, sealed: base64(f.sealed) })),
    };
  }

  /** Opens a slot for one record of a physician's. */
  async authorize(author, policy, expiry) {
    const record = newID();
    const grant = newID();
    const key = this.keys.record(record, 1).publicKey().toCompressedBytes();
    const { described, sealed } = await this.fragments({ record, version: 1, grant, grantee: author });
    const slot = { record, recordKey: await this.state("record", key, { record, version: 1 }), author: `person:${author}`, policy, grant, expiry, fragments: described };
    await this.gateway.transact("AuthorizeUpload", { slots: [slot] }, { fragments: sealed });
    return record;
  }

  /** Fetches and decrypts an own record, and holds it against what the ledger says. */
  async open(record) {
    const view = await this.gateway.read(`/v1/records/${record}`);
    const ciphertext = await this.gateway.content(record, view.version);
    if (digest(ciphertext) !== view.sha256) throw new Error("altered: the ciphertext is not the registered one");
    const payload = await openRecord(ciphertext, this.keys.record(record, view.version));
    if (digest(payload) !== view.commitment) throw new Error("altered: the EMR is not the one that was committed to");
    return { view, emr: payload.subarray(32) };
  }

  async confirm(record) {
    const { view } = await this.open(record);
    return this.gateway.transact("ConfirmRecord", { record, version: view.version });
  }

  requests(state) {
    return this.gateway.list(`/v1/access-requests?state=${state}`);
  }

  async grant(id, expiry) {
    const asked = (await this.requests("pending")).find(({ request }) => request === id);
    if (!asked) throw new Error(`not_found: no pending request ${id}`);
    const { record, version, purpose } = asked;
    const grant = newID();
    const requester = asked.requester.user;
    const { described, sealed } = await this.fragments({ record, version, grant, grantee: requester });
    return this.gateway.transact("GrantAccess", { record, version, request: id, requester, purpose, grant, expiry, fragments: described }, { fragments: sealed });
  }

  async deny(id, reason) {
    const { record, version } = (await this.requests("pending")).find(({ request }) => request === id);
    return this.gateway.transact("DenyAccess", { record, version, request: id, reason });
  }

  revoke(record, version, grant) {
    return this.gateway.transact("RevokeGrant", { record, version, grant });
  }

  accesses(record) {
    return this.gateway.list(`/v1/records/${record}/accesses`);
  }
}
