// The patient's device: its keys, its registration, and the grants that it cuts.

import { createHash, randomBytes } from "node:crypto";

import { Consortium } from "./consortium.mjs";
import { certificateRequest } from "./csr.mjs";
import { Gateway } from "./gateway.mjs";
import { identityKeyDigest, signObject, verifyKeyStatement, verifyPinnedKeyStatement } from "./jws.mjs";
import { cut, digest, keyring, seal } from "./sealing.mjs";

const ECDSA = { name: "ECDSA", namedCurve: "P-256" };
const MOST_PROXIES = 5;

export const base64 = (bytes) => Buffer.from(bytes).toString("base64");

/** 16 random bytes, in base64. */
export const newSalt = () => base64(randomBytes(16));

/** A new ID: 16 random bytes in lower-case base32. */
export function newID() {
  let bits = BigInt(`0x${randomBytes(16).toString("hex")}`) << 2n; // 26 characters hold 130 bits
  let id = "";
  for (let i = 0; i < 26; i++, bits >>= 5n) id = "abcdefghijklmnopqrstuvwxyz234567"[Number(bits & 31n)] + id;
  return id;
}

/**
 * Makes an identity key on this device and gets a certificate for it. With the seed of a
 * device that is lost, this one takes its place. An app that may be interrupted keeps key
 * and CSR before it sends them, and sends the same again.
 * @param save keeps the device's memory, durably
 */
export async function enrol(invitation, save, seed = randomBytes(32)) {
  const keys = await crypto.subtle.generateKey(ECDSA, true, ["sign", "verify"]);
  const gateway = new Gateway({ url: invitation.gateway });
  const csr = await certificateRequest(keys, invitation.pseudonym);
  const { certificate } = await gateway.post("/v1/enrollments", { pseudonym: invitation.pseudonym, secret: invitation.secret, csr });
  const kept = {
    mspID: invitation.msp, user: `${invitation.msp}/${invitation.pseudonym}`, url: invitation.gateway, bundle: invitation.bundle,
    certificate, key: await crypto.subtle.exportKey("jwk", keys.privateKey), seed: base64(seed),
  };
  const patient = await Patient.load(kept, save);
  await patient.save(); // the invitation's secret works once
  await patient.register();
  return patient;
}

export class Patient {
  /** @param save keeps the device's memory, durably */
  static async load(kept, save) {
    const patient = new Patient();
    patient.kept = kept;
    patient.save = () => save(kept);
    patient.bundle = kept.bundle;
    patient.keys = keyring(Buffer.from(kept.seed, "base64"));
    patient.identity = {
      ...kept, channel: kept.bundle.channel,
      key: await crypto.subtle.importKey("jwk", kept.key, ECDSA, false, ["sign"]),
    };
    patient.user = kept.user;
    patient.gateway = new Gateway(patient.identity);
    patient.consortium = new Consortium(patient.identity, kept.bundle);
    return patient;
  }

  state(kind, key, more = {}) {
    return signObject(this.identity, "pie-key+jws", { kind, key: base64(key), user: this.user, ...more, issued: new Date().toISOString() });
  }

  stateRecordKey(record, version) {
    return this.state("record", this.keys.record(record, version).publicKey().toCompressedBytes(), { record, version });
  }

  /** What this device says of the keys that follow from the seed. */
  async statements() {
    return [
      await this.state("receiving", this.keys.receiving().publicKey().toCompressedBytes()),
      await this.state("verifying", this.keys.signer().verifyingKey().toCompressedBytes()),
    ];
  }

  async register() {
    const keys = await this.statements();
    try {
      return await this.gateway.transact("RegisterUser", { keys });
    } catch (error) {
      if (error.code !== "already_exists" || !(await this.hasRegisteredSeed())) throw error;
    }
    return this.replaceKeys(keys);
  }

  async hasRegisteredSeed() {
    return (await this.keyOf(this.user, "verifying")).equals(this.keys.signer().verifyingKey().toCompressedBytes());
  }

  /** Makes this device that of the user, on the word of the verifying key. */
  async replaceKeys(keys) {
    const registered = await this.gateway.read(`/v1/users/${this.user}`);
    const replacement = {
      channel: this.bundle.channel, user: this.user, replaces: digest(registered.keys.verifying),
      identity: identityKeyDigest(this.identity.certificate), keys: keys.map(digest),
    };
    return this.gateway.transact("ReplaceKeys", { keys, proof: this.prove("pie-key-replacement", replacement) });
  }

  /** The verifying key's signature, in base64, of a statement of that name. */
  prove(name, statement) {
    return base64(this.keys.signer().sign(Buffer.from(`${name}\0${JSON.stringify(statement)}`)).toBEBytes());
  }

  /** A key that somebody stated themselves. */
  async keyOf(user, kind) {
    const { keys } = await this.gateway.read(`/v1/users/${user}`);
    return Buffer.from((await verifyKeyStatement(this.bundle, keys[kind], kind, user)).key, "base64");
  }

  /** A key that something is sealed to which no ledger compares: a majority tells of it, and of who signed it. */
  async sealingKeyOf(user, kind) {
    const { keys, identityKey } = await this.consortium.majority((gateway) => gateway.read(`/v1/users/${user}`), (told) => [told.identityKey, told.keys[kind]]);
    return Buffer.from((await verifyPinnedKeyStatement(this.bundle, keys[kind], kind, user, identityKey)).key, "base64");
  }

  /** The hospitals whose gateways hold a record's fragments: five at most, the same for everybody. */
  async proxies(record) {
    const weight = ({ msp }) => createHash("sha256").update(`${record}/${msp}`).digest("hex");
    const organizations = await this.consortium.majority((gateway) => gateway.list("/v1/organizations"), (told) => told.map(({ msp, proxy }) => [msp, proxy]));
    return organizations.sort((a, b) => (weight(a) > weight(b) ? -1 : 1)).slice(0, MOST_PROXIES);
  }

  /** Cuts the secret key of one record version for one grantee, a fragment for each proxy. */
  async fragments({ record, version, grant, grantee, secret }) {
    const receivingKey = await this.keyOf(grantee, "receiving");
    const proxies = await this.proxies(record);
    const threshold = Math.floor(proxies.length / 2) + 1;
    const cuts = cut(secret, receivingKey, this.keys.signer(), threshold, proxies.length);
    const sealed = [];
    for (const [i, { msp, proxy }] of proxies.entries()) {
      const recipient = (await this.sealingKeyOf(proxy, "proxy")).toString();
      const bytes = await seal(recipient, {
        channel: this.bundle.channel, record, version, grant, grantee: `person:${grantee}`, proxy: msp, keyFrag: base64(cuts[i]),
      });
      sealed.push({ grant, proxy: msp, salt: newSalt(), sealed: bytes });
    }
    return {
      described: { threshold, receivingKey: digest(receivingKey), proxies: sealed.map((f) => ({ proxy: f.proxy, sha256: digest(f.sealed) })) },
      sealed: sealed.map((f) => ({ ...f, sealed: base64(f.sealed) })),
    };
  }

}
