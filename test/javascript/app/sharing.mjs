// Who may write and read: slots, requests, grants.

import { verifyCard } from "./jws.mjs";
import { newID } from "./patient.mjs";
import { keyOfRecord, viewOf } from "./records.mjs";

/**
 * Opens slots, each for one record, stream or emergency summary of an author's: a person
 * with a grant of their own, or a department without one. Returns the records' IDs.
 */
export async function authorize(patient, author, policy, expiry, { count = 1, stream, isSummary } = {}) {
  const slots = [];
  const fragments = [];
  for (let i = 0; i < count; i++) {
    const record = newID();
    const slot = { record, recordKey: await patient.stateRecordKey(record, 1), author, stream, isSummary, policy, expiry };
    const [kind, grantee] = author.split(/:(.*)/);
    if (kind === "person") {
      slot.grant = newID();
      const { described, sealed } = await patient.fragments({ record, version: 1, grant: slot.grant, grantee, secret: patient.keys.record(record, 1) });
      slot.fragments = described;
      fragments.push(...sealed);
    }
    slots.push(slot);
  }
  await patient.gateway.transact("AuthorizeSlots", { slots }, fragments.length ? { fragments } : {});
  return slots.map(({ record }) => record);
}

/** The slots that nobody has used. */
export async function freeSlots(patient) {
  const slots = await patient.gateway.list("/v1/slots");
  return slots.filter(({ patient: owner, used }) => owner === patient.user && !used);
}

/** The requests in a state, each with the card of who asks, as their hospital signed it. */
export async function requests(patient, state) {
  const rows = await patient.gateway.list(`/v1/access-requests?state=${state}`);
  return Promise.all(rows.map(async (request) => {
    const { user } = request.requester;
    const { card } = await patient.gateway.read(`/v1/users/${user}`);
    return { ...request, card: card && (await verifyCard(patient.bundle, card, user)) };
  }));
}

async function pending(patient, id) {
  const asked = (await patient.gateway.list("/v1/access-requests?state=pending")).find((request) => request.id === id);
  if (!asked) throw new Error(`not_found: no pending request ${id}`);
  return asked;
}

/** Grants a request; standing names the patient's rule that answers, and its place of the day. */
export async function grant(patient, id, expiry, standing) {
  const asked = await pending(patient, id);
  const { record, version, purpose } = asked;
  const requester = asked.requester.user;
  const made = { record, version, grant: newID(), grantee: requester };
  const secret = await keyOfRecord(patient, await viewOf(patient, record));
  const { described, sealed } = await patient.fragments({ ...made, secret });
  const argument = { record, version, request: id, requester, purpose, grant: made.grant, standing, expiry, fragments: described };
  return patient.gateway.transact("GrantAccess", argument, { fragments: sealed });
}

/** What a standing rule answered on a day, in UTC. */
export const answers = (patient, rule, day) => patient.gateway.list(`/v1/standing-rules/${rule}/answers?day=${day}`);

export async function deny(patient, id, reason) {
  const { record, version } = await pending(patient, id);
  return patient.gateway.transact("DenyAccess", { record, version, request: id, reason });
}

export const revoke = (patient, record, version, grant) => patient.gateway.transact("RevokeGrant", { record, version, grant });
