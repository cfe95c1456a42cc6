// Other keys in the place of a patient's, for who has neither the device nor the shares.

import { newID } from "./patient.mjs";

/** What was asked for this patient's keys: show it, whoever asked. */
export const replacements = (patient) => patient.gateway.list(`/v1/users/${patient.user}/key-replacements`);

/** Asks another hospital to approve this device's keys; a repeat asks nothing new. */
export async function requestReplacement(patient) {
  patient.kept.replacement ??= { replacement: newID(), keys: await patient.statements() };
  await patient.save();
  return patient.gateway.transact("RequestKeyReplacement", patient.kept.replacement);
}

/** Makes this device that of the user, once what it asked for is approved and 72 hours old. */
export function finishReplacement(patient) {
  const { keys, replacement } = patient.kept.replacement;
  return patient.gateway.transact("ReplaceKeys", { keys, replacement });
}

/** Says no to a replacement that somebody else asked for. */
export function rejectReplacement(patient, replacement) {
  const objection = { channel: patient.bundle.channel, user: patient.user, replacement };
  return patient.gateway.transact("RejectKeyReplacement", { user: patient.user, replacement, proof: patient.prove("pie-key-objection", objection) });
}
