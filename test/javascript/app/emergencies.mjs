// What a patient allows in an emergency, and what they see of one.

import { newID } from "./patient.mjs";
import { confirm, erase, keyOfRecord, publish, search, viewOf } from "./records.mjs";
import { authorize } from "./sharing.mjs";

const YEAR = 365 * 24 * 3600 * 1000; // ms

/** Gives an emergency desk fragments that proxies serve under a declaration alone. */
export async function grantCustodian(patient, record, custodian, expiry) {
  const view = await viewOf(patient, record);
  const made = { record, version: view.version, grant: newID() };
  const { described, sealed } = await patient.fragments({ ...made, grantee: custodian, secret: await keyOfRecord(patient, view) });
  return patient.gateway.transact("GrantCustodian", { ...made, custodian, expiry, fragments: described }, { fragments: sealed });
}

/** Says who may have records opened in an emergency: approved, trusted (with responders), never. */
export function emergencyPolicy(patient, records, trusted) {
  return patient.gateway.transact("SetEmergencyPolicy", { records, trusted });
}

/** The emergencies that were declared about the patient. */
export const emergencies = (patient) => patient.gateway.list("/v1/declarations?concern=about-me");

/** One of them, with what its responder said happened. */
export function emergency(patient, declaration) {
  return patient.gateway.read(`/v1/users/${patient.user}/declarations/${declaration}`);
}

export function closeEmergency(patient, declaration) {
  return patient.gateway.transact("CloseBreakGlass", { patient: patient.user, declaration });
}

/** Registers a document as the emergency summary, gives it to a desk, and erases the older ones. */
export async function updateSummary(patient, emr, desk) {
  const old = (await search(patient, "summary")).filter(({ author }) => author === patient.user);
  const policy = { roles: ["physician"], purposes: ["TREAT", "ETREAT"], replicas: 2 };
  const [record] = await authorize(patient, `person:${patient.user}`, policy, new Date(Date.now() + YEAR), { isSummary: true });
  await publish(patient, record, { emr, level: "private", metadata: { class: "summary", mediaType: "application/fhir+json" } });
  await confirm(patient, record);
  await grantCustodian(patient, record, desk, new Date(Date.now() + YEAR));
  for (const older of old) await erase(patient, older.id);
  return { record, replaced: old.map((older) => older.id) };
}
