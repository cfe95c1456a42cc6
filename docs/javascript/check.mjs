// The check before signing, for apps that let a gateway build their transactions.
//
// A gateway that could slip other bytes under a signature could act in the user's name.
// So an app signs exactly the bytes that passed here, and never a digest that somebody
// else computed. Runs in browsers and in Node; needs WebCrypto and no package.
//
//   const checked = await checkProposal(proposal, wanted);    // then sign `proposal`
//   const result = await checkEnvelope(transaction, checked); // then sign `transaction`
//
// checkEnvelope does not verify the endorsers' signatures: until the transaction is
// committed, the result is the gateway's word. See docs/patient-app.md.

import { decode, encode } from "./wire.mjs";

const CHAINCODE = "pie";
const ENDORSER_TRANSACTION = 3;
const MIN_NONCE = 24; // bytes
const MAX_SKEW = 120; // seconds

// The messages of Fabric's protobuf definitions, fields by number.
const PROPOSAL = { 1: ["header", "bytes"], 2: ["payload", "bytes"] };
const HEADER = { 1: ["channelHeader", "bytes"], 2: ["signatureHeader", "bytes"] };
const CHANNEL_HEADER = {
  1: ["type", "number"], 3: ["timestamp", "bytes"], 4: ["channel", "text"], 5: ["transactionID", "text"], 7: ["extension", "bytes"],
};
const TIMESTAMP = { 1: ["seconds", "number"], 2: ["nanos", "number"] };
const EXTENSION = { 2: ["chaincodeID", "bytes"] };
const CHAINCODE_ID = { 2: ["name", "text"] };
const SIGNATURE_HEADER = { 1: ["creator", "bytes"], 2: ["nonce", "bytes"] };
const IDENTITY = { 1: ["mspID", "text"], 2: ["certificate", "text"] };
const CALL = { 1: ["input", "bytes"], 2: ["transient", ["bytes"]] };
const ENTRY = { 1: ["name", "text"], 2: ["value", "bytes"] };
const INVOCATION = { 1: ["spec", "bytes"] };
const SPEC = { 2: ["chaincodeID", "bytes"], 3: ["input", "bytes"] };
const INPUT = { 1: ["args", ["bytes"]] };
const PAYLOAD = { 1: ["header", "bytes"], 2: ["data", "bytes"] };
const TRANSACTION = { 1: ["actions", ["bytes"]] };
const ACTION = { 1: ["header", "bytes"], 2: ["payload", "bytes"] };
const ACTION_PAYLOAD = { 1: ["call", "bytes"], 2: ["endorsed", "bytes"] };
const ENDORSED = { 1: ["response", "bytes"], 2: ["endorsements", ["bytes"]] };
const RESPONSE = { 1: ["proposalHash", "bytes"], 2: ["outcome", "bytes"] };
const OUTCOME = { 1: ["results", "bytes"], 2: ["events", "bytes"], 3: ["response", "bytes"], 4: ["chaincodeID", "bytes"] };
const OUTCOME_CHAINCODE = { 1: ["path", "text"], 2: ["name", "text"], 3: ["version", "text"] };
const STATUS = { 1: ["status", "number"], 2: ["message", "text"], 3: ["payload", "bytes"] };

/** The bytes to sign are not what was asked for: nothing is signed. */
export class Forged extends Error {}

/**
 * Checks the bytes of a prepared proposal before the first signature.
 *
 * @param {Uint8Array} proposal as the gateway prepared it
 * @param {Object} wanted
 * @param {string} wanted.channel of the invitation's trust bundle
 * @param {string} wanted.transaction such as "RequestAccess"
 * @param {string} wanted.arguments the JSON text exactly as it was sent
 * @param {Object<string, Uint8Array>} [wanted.transient] private inputs by name
 * @param {string} wanted.mspID of the user's hospital
 * @param {string} wanted.certificate the user's own, PEM
 * @param {Date} [now]
 * @returns {Promise<Object>} transactionID, and what checkEnvelope needs
 * @throws {Forged}
 */
export async function checkProposal(proposal, wanted, now = new Date()) {
  const whole = open(proposal, PROPOSAL, "proposal");
  const header = open(whole.header, HEADER, "header");
  const signature = open(header.signatureHeader, SIGNATURE_HEADER, "signature header");
  const transactionID = hex(await sha256(signature.nonce, signature.creator));
  checkCreator(signature, wanted);
  checkChannelHeader(header.channelHeader, transactionID, wanted, now);
  const call = open(whole.payload, CALL, "call");
  checkInput(call.input, wanted);
  checkTransient(call.transient, wanted.transient ?? {});
  return { transactionID, header: whole.header, ...header, call: encode(1, call.input) };
}

function checkCreator(signature, wanted) {
  const creator = open(signature.creator, IDENTITY, "creator");
  refuseIf(creator.mspID !== wanted.mspID || creator.certificate?.trim() !== wanted.certificate.trim(), "it is in somebody else's name");
  refuseIf(signature.nonce.length < MIN_NONCE, "its nonce is too short");
}

function checkChannelHeader(bytes, transactionID, wanted, now) {
  const channel = open(bytes, CHANNEL_HEADER, "channel header");
  refuseIf(channel.channel !== wanted.channel, `it is for the channel ${JSON.stringify(channel.channel)}`);
  refuseIf(channel.type !== ENDORSER_TRANSACTION, "it is of another type");
  refuseIf(channel.transactionID !== transactionID, "its ID does not follow from nonce and creator");
  const at = open(channel.timestamp, TIMESTAMP, "time").seconds ?? 0;
  refuseIf(Math.abs(at - now.getTime() / 1000) > MAX_SKEW, "its time is not now");
  checkChaincode(open(channel.extension, EXTENSION, "extension").chaincodeID);
}

function checkChaincode(bytes) {
  refuseIf(open(bytes, CHAINCODE_ID, "chaincode ID").name !== CHAINCODE, "it calls another chaincode");
}

function checkInput(bytes, wanted) {
  const spec = open(open(bytes, INVOCATION, "invocation").spec, SPEC, "specification");
  checkChaincode(spec.chaincodeID);
  const { args } = open(spec.input, INPUT, "input");
  refuseIf(args.length !== 2, "its call does not have exactly one argument");
  refuseIf(!same(args[0], utf8(wanted.transaction)), `it calls another function than ${wanted.transaction}`);
  refuseIf(!same(args[1], utf8(wanted.arguments)), "its arguments are others");
}

function checkTransient(entries, wanted) {
  const found = new Set();
  for (const entry of entries) {
    const { name, value } = open(entry, ENTRY, "transient entry");
    refuseIf(found.has(name) || !Object.hasOwn(wanted, name) || !same(value, wanted[name]), "its transient map is another");
    found.add(name);
  }
  refuseIf(found.size !== Object.keys(wanted).length, "its transient map is another");
}

/**
 * Checks the payload of the envelope before the second signature: it carries this very
 * proposal, its endorsements are of it, and it holds nothing of the transient map.
 *
 * @param {Uint8Array} transaction as the gateway's endorsement answered
 * @param {Object} checked what checkProposal returned
 * @returns {Promise<any>} the chaincode's result, parsed
 * @throws {Forged}
 */
export async function checkEnvelope(transaction, checked) {
  const payload = open(transaction, PAYLOAD, "payload");
  refuseIf(!same(payload.header, checked.header), "the envelope's header is not the proposal's");
  const { actions } = open(payload.data, TRANSACTION, "transaction");
  refuseIf(actions.length !== 1, "the envelope does not hold exactly one action");
  const action = open(actions[0], ACTION, "action");
  refuseIf(!same(action.header, checked.signatureHeader), "the action's header is not the proposal's");
  const content = open(action.payload, ACTION_PAYLOAD, "action's payload");
  refuseIf(!same(content.call, checked.call), "the envelope's call is not the proposal's");
  return checkOutcome(open(content.endorsed, ENDORSED, "endorsed action"), checked);
}

async function checkOutcome(endorsed, checked) {
  refuseIf(endorsed.endorsements.length === 0, "nobody endorsed it");
  const response = open(endorsed.response, RESPONSE, "response");
  const hash = await sha256(checked.channelHeader, checked.signatureHeader, checked.call);
  refuseIf(!same(response.proposalHash, hash), "the endorsed proposal hash is another");
  const outcome = open(response.outcome, OUTCOME, "outcome");
  refuseIf(open(outcome.chaincodeID, OUTCOME_CHAINCODE, "chaincode ID").name !== CHAINCODE, "another chaincode answered");
  const answer = open(outcome.response, STATUS, "status");
  refuseIf(answer.status !== 200, "what was endorsed is a failure");
  return JSON.parse(new TextDecoder().decode(answer.payload));
}

function open(bytes, shape, what) {
  refuseIf(bytes === undefined, `it has no ${what}`);
  try {
    return decode(bytes, shape);
  } catch (error) {
    throw new Forged(`the bytes to sign are not what was asked for: the ${what} has ${error.message}`);
  }
}

function refuseIf(wrong, why) {
  if (wrong) throw new Forged(`the bytes to sign are not what was asked for: ${why}`);
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
}

function same(a, b) {
  return a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function utf8(text) {
  return new TextEncoder().encode(text);
}
