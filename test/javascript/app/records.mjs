// The patient's records: found, opened, judged, put under other rules, erased.

import { cidOf } from "./cid.mjs";
import { patiently } from "./consortium.mjs";
import { verifyKeyStatement } from "./jws.mjs";
import { base64, newSalt } from "./patient.mjs";
import { digest, emrOf, openFile, openPayload, payloadOf, sealPayload, secretKey } from "./sealing.mjs";

/** The patient's own records, of one class if that is named. */
export function search(patient, kind) {
  return patient.gateway.list(`/v1/records?patient=${patient.user}${kind ? `&class=${kind}` : ""}`);
}

/** The newest version of a record, as a majority of the hospitals tells it. */
export function viewOf(patient, record) {
  const lasting = ({ metadata, ...view }) => view; // a peer gets the metadata later
  return patient.consortium.majority((gateway) => gateway.read(`/v1/records/${record}`), lasting);
}

/** What a record is about, with its salt, from a hospital that has it. */
export function metadataOf(patient, record) {
  return patiently(async () => {
    const told = await patient.consortium.everywhere((gateway) => gateway.read(`/v1/records/${record}`));
    const [view] = told.filter(({ metadata }) => metadata);
    if (!view) throw Object.assign(new Error("content_unavailable: no hospital has the metadata yet"), { retryable: true });
    return view.metadata;
  });
}

/** The secret key of an own record: derived, or taken out of the escrow of its author. */
export async function keyOfRecord(patient, view) {
  const secret = view.unattended ? await escrowed(patient, view) : patient.keys.record(view.id, view.version);
  const owner = view.unattended ? view.author : patient.user;
  const stated = await verifyKeyStatement(patient.bundle, view.recordKey, "record", owner);
  if (stated.key !== base64(secret.publicKey().toCompressedBytes()) || stated.record !== view.id || stated.version !== view.version) {
    throw new Error("altered: the record is under another key");
  }
  return secret;
}

async function escrowed(patient, view) {
  const { sealed } = await patient.gateway.read(`/v1/records/${view.id}/versions/${view.version}/escrow`);
  const bytes = Buffer.from(sealed, "base64");
  if (digest(bytes) !== view.escrow) throw new Error("altered: the secret is not the one that the author left");
  const left = JSON.parse(Buffer.from(await openFile(bytes, patient.keys.receiving())));
  const same = left.channel === patient.bundle.channel && left.record === view.id && left.version === view.version && left.author === view.author;
  if (!same) throw new Error("altered: the secret left in escrow is that of another record");
  return secretKey(Buffer.from(left.secret, "base64"));
}

/** The payload of a record, held against what the ledger says. */
export async function payload(patient, view) {
  return openPayload(await patient.gateway.content(view.id, view.version), view, await keyOfRecord(patient, view));
}

export async function open(patient, record) {
  return { emr: base64(emrOf(await payload(patient, await viewOf(patient, record)))) };
}

/** Confirms a record that can be read as it was registered. */
export async function confirm(patient, record) {
  const view = await viewOf(patient, record);
  await payload(patient, view);
  return patient.gateway.transact("ConfirmRecord", { record, version: view.version });
}

export async function dispute(patient, record, reason) {
  const { version } = await viewOf(patient, record);
  return patient.gateway.transact("DisputeRecord", { record, version, reason });
}

/** Encrypts a payload to the key of a record version and stores it; says what is registered of it. */
export async function store(patient, record, version, payload) {
  const { ciphertext, ...sealed } = await sealPayload(payload, patient.keys.record(record, version).publicKey());
  const cid = cidOf(ciphertext);
  const stored = await patient.gateway.add(record, ciphertext);
  if (stored.cid !== cid || stored.sha256 !== sealed.sha256) throw new Error("altered: the gateway stored something else");
  return { cid, ...sealed };
}

/** Registers a record of the patient's own making, in a slot for themselves. */
export async function publish(patient, record, { emr, metadata, level }) {
  const content = await store(patient, record, 1, payloadOf(Buffer.from(emr, "base64")));
  return patient.gateway.transact("RegisterRecord", { record, ...content, level }, { metadata: { ...metadata, salt: newSalt() } });
}

/** Everybody who can open a record, or holds a grant for it: whoever any hospital names. */
export async function readers(patient, record) {
  const lists = await patient.consortium.everywhere((gateway) => gateway.list(`/v1/records/${record}/readers`));
  const merged = new Map();
  for (const reader of lists.flat()) {
    const name = `${reader.version} ${reader.grant} ${reader.identity.user}`;
    if (!merged.get(name)?.decision.allowed) merged.set(name, reader);
  }
  return [...merged.values()];
}

/** Changes parts of a policy; the whole is signed, so the rest comes from a majority. */
export async function changePolicy(patient, record, parts) {
  const { version, policy } = await viewOf(patient, record);
  return patient.gateway.transact("ChangePolicy", { record, version, policy: { ...policy, ...parts } });
}

/** Erases a record, or withdraws a slot that nobody has used. */
export async function erase(patient, record) {
  let transient = {};
  try {
    await patient.gateway.read(`/v1/records/${record}`);
    transient = { metadata: await metadataOf(patient, record) };
  } catch (error) {
    if (error.code !== "not_found" && error.code !== "erased") throw error;
  }
  return patient.gateway.transact("EraseRecord", { record }, transient);
}

/** The certificate of an erasure: what was erased, and which hospitals have confirmed it. */
export function erasure(patient, record) {
  const lasting = ({ confirmations, missing, ...erased }) => erased;
  return patient.consortium.majority((gateway) => gateway.read(`/v1/records/${record}/erasure`), lasting);
}

/** The hospitals that keep a record's ciphertext. */
export async function replicas(patient, record) {
  const { version } = await viewOf(patient, record);
  return (await patient.gateway.read(`/v1/records/${record}/versions/${version}/replicas`)).rows;
}

/** What a record version was, newest first. */
export async function history(patient, record, version) {
  return (await patient.gateway.read(`/v1/records/${record}/versions/${version}/history`)).rows;
}
