// A record put under another key.

import { newSalt } from "./patient.mjs";
import { payload, readers, store, metadataOf, viewOf } from "./records.mjs";

/** Rotates a record; keep names the grants that stay, all that have not ended without it. */
export async function rotate(patient, record, keep) {
  const view = await viewOf(patient, record);
  const begun = patient.kept.rotations?.[record];
  const made = begun && view.version === begun.argument.version + 1 && view.cid === begun.argument.cid;
  if (made) return finish(patient, record, view);
  const unfinished = begun?.argument.version === view.version;
  const { argument, transient } = unfinished ? begun : await begin(patient, view, keep);
  return finish(patient, record, await patient.gateway.transact("RotateRecord", argument, transient));
}

/** Puts a record that was made without the patient under a key of their own, and ends its author's grant. */
export async function takeOver(patient, record) {
  const { author, unattended } = await viewOf(patient, record);
  if (!unattended) throw new Error("state_conflict: the record is under a key of the patient's");
  const others = (await readers(patient, record)).filter(({ identity }) => identity.user !== author);
  return rotate(patient, record, others.map(({ grant }) => grant));
}

// begin stores the new ciphertext, cuts the kept grants anew, and writes down what will
// be submitted, so that a repeat after a crash submits the same.
async function begin(patient, view, keep) {
  const { id: record } = view;
  const version = view.version + 1;
  const lasting = (reader) => reader.state === "active" && new Date(reader.expiry) > new Date() && (!keep || keep.includes(reader.grant));
  const kept = (await readers(patient, record)).filter(lasting);
  const { commitment, ...content } = await store(patient, record, version, await payload(patient, view));
  if (commitment !== view.commitment) throw new Error("internal: the content changed while it was encrypted");
  const argument = { record, version: view.version, ...content, recordKey: await patient.stateRecordKey(record, version), grants: [] };
  const transient = { metadata: await metadataOf(patient, record), salt: newSalt(), fragments: [] };
  for (const { grant, identity } of kept) {
    const secret = patient.keys.record(record, version);
    const { described, sealed } = await patient.fragments({ record, version, grant, grantee: identity.user, secret });
    argument.grants.push({ grant, fragments: described });
    transient.fragments.push(...sealed);
  }
  patient.kept.rotations = { ...patient.kept.rotations, [record]: { argument, transient } };
  await patient.save();
  return { argument, transient };
}

async function finish(patient, record, result) {
  delete patient.kept.rotations[record];
  await patient.save();
  return result;
}
