// The audit trail, and the receipts that prove its entries (docs/patient-app.md).

import { X509Certificate, createHash, verify } from "node:crypto";

import fabric from "@hyperledger/fabric-protos";

import { identify } from "./jws.mjs";

const { common, msp, peer } = fabric;
const { rwset } = fabric.ledger;
const SIGNATURES = 0; // of a block's metadata

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
const bytes = (field) => Buffer.from(field);

/** Who opened a record or tried to. */
export const accesses = (patient, record) => patient.gateway.list(`/v1/records/${record}/accesses`);

/** Fetches the receipt of an access and checks it; returns the block's number and the hospitals that say the transaction is valid. */
export async function receipt(patient, record, transactionID) {
  const told = await patient.gateway.read(`/v1/records/${record}/accesses/${transactionID}/receipt`);
  const number = verifyReceipt(patient.bundle, told);
  const status = await patient.consortium.majority((gateway) => gateway.read(`/v1/transactions/${transactionID}`));
  refuseIf(status.code !== "VALID" || status.block !== number, "the hospitals say that the transaction took no effect there");
  return { block: number, access: told.access };
}

function refuseIf(wrong, why) {
  if (wrong) throw new Error(`altered: the receipt does not prove the access: ${why}`);
}

/** Checks a receipt by the trust bundle alone. */
export function verifyReceipt(bundle, { access, block }) {
  const whole = common.Block.deserializeBinary(Buffer.from(block, "base64"));
  const header = whole.getHeader();
  const envelopes = whole.getData().getDataList_asU8().map(bytes);
  refuseIf(!sha256(...envelopes).equals(bytes(header.getDataHash_asU8())), "its block's envelopes are others");
  checkOrderers(bundle, whole.getMetadata().getMetadataList_asU8()[SIGNATURES], headerBytes(header));
  const failures = [];
  for (const envelope of envelopes) {
    try {
      checkEnvelope(bundle, access, common.Envelope.deserializeBinary(envelope));
      return header.getNumber();
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures.find(({ message }) => !message.endsWith("another transaction")) ?? failures[0];
}

function headerBytes(header) {
  const hex = header.getNumber().toString(16);
  const number = Buffer.from(hex.length % 2 ? `0${hex}` : hex, "hex");
  return der(0x30, der(0x02, number[0] > 127 ? Buffer.concat([Buffer.of(0), number]) : number),
    der(0x04, bytes(header.getPreviousHash_asU8())), der(0x04, bytes(header.getDataHash_asU8())));
}

function der(tag, ...parts) {
  const content = Buffer.concat(parts); // of less than 128 bytes
  return Buffer.concat([Buffer.of(tag, content.length), content]);
}

function checkOrderers(bundle, text, header) {
  const metadata = common.Metadata.deserializeBinary(text);
  const signed = new Set();
  for (const signature of metadata.getSignaturesList()) {
    const identifier = signature.getIdentifierHeader_asU8();
    const id = common.IdentifierHeader.deserializeBinary(identifier).getIdentifier();
    const node = bundle.orderers.find((orderer) => orderer.id === id);
    const message = Buffer.concat([metadata.getValue_asU8(), identifier, header]);
    if (node && verify("sha256", message, new X509Certificate(node.certificate).publicKey, signature.getSignature_asU8())) signed.add(id);
  }
  const n = bundle.orderers.length;
  refuseIf(signed.size < Math.ceil((n + Math.floor((n - 1) / 3) + 1) / 2), "too few ordering nodes signed its block");
}

function checkEnvelope(bundle, access, envelope) {
  const payload = common.Payload.deserializeBinary(envelope.getPayload_asU8());
  const header = payload.getHeader();
  const channel = common.ChannelHeader.deserializeBinary(header.getChannelHeader_asU8());
  const signer = common.SignatureHeader.deserializeBinary(header.getSignatureHeader_asU8());
  refuseIf(sha256(signer.getNonce_asU8(), signer.getCreator_asU8()).toString("hex") !== access.open, "another transaction");
  refuseIf(channel.getChannelId() !== bundle.channel, "another channel");
  checkCreator(bundle, access, signer.getCreator_asU8(), envelope);
  const [action] = peer.Transaction.deserializeBinary(payload.getData_asU8()).getActionsList();
  const content = peer.ChaincodeActionPayload.deserializeBinary(action.getPayload_asU8());
  const response = content.getAction().getProposalResponsePayload_asU8();
  const hash = sha256(header.getChannelHeader_asU8(), header.getSignatureHeader_asU8(), content.getChaincodeProposalPayload_asU8());
  const outcome = checkResponse(response, hash);
  checkEndorsers(bundle, content.getAction().getEndorsementsList(), response);
  checkWrites(outcome.getResults_asU8(), access);
}

function checkCreator(bundle, access, creator, envelope) {
  const certificate = new X509Certificate(bytes(msp.SerializedIdentity.deserializeBinary(creator).getIdBytes_asU8()));
  const identity = identify(bundle, certificate);
  const same = ["user", "role", "clearance", "department"].every((name) => identity?.[name] === access.user[name]);
  refuseIf(!same || sha256(certificate.raw).toString("hex") !== access.certificate, "somebody else made its transaction");
  refuseIf(!verify("sha256", envelope.getPayload_asU8(), certificate.publicKey, envelope.getSignature_asU8()), "its maker's signature does not verify");
}

function checkResponse(text, hash) {
  const response = peer.ProposalResponsePayload.deserializeBinary(text);
  refuseIf(!hash.equals(bytes(response.getProposalHash_asU8())), "what was endorsed is another proposal");
  const outcome = peer.ChaincodeAction.deserializeBinary(response.getExtension_asU8());
  refuseIf(outcome.getChaincodeId().getName() !== "pie" || outcome.getResponse().getStatus() !== 200, "what was endorsed is a failure, or another chaincode's");
  return outcome;
}

function checkEndorsers(bundle, endorsements, response) {
  const members = bundle.organizations.filter(({ gateways }) => gateways?.length);
  const endorsed = new Set();
  for (const endorsement of endorsements) {
    const endorser = endorsement.getEndorser_asU8();
    const identity = msp.SerializedIdentity.deserializeBinary(endorser);
    const certificate = new X509Certificate(bytes(identity.getIdBytes_asU8()));
    const member = members.find(({ msp }) => msp === identity.getMspid());
    const vouched = identify({ organizations: member ? [member] : [] }, certificate) && certificate.subject.split("\n").includes("OU=peer");
    if (vouched && verify("sha256", Buffer.concat([response, endorser]), certificate.publicKey, endorsement.getSignature_asU8())) endorsed.add(member.msp);
  }
  refuseIf(endorsed.size < Math.floor(members.length / 2) + 1, "too few members endorsed it");
}

function checkWrites(results, access) {
  const key = `\0access\0${access.record}\0${access.open}\0`;
  const sets = rwset.TxReadWriteSet.deserializeBinary(results).getNsRwsetList().filter((set) => set.getNamespace() === "pie");
  const writes = sets.flatMap((set) => rwset.kvrwset.KVRWSet.deserializeBinary(set.getRwset_asU8()).getWritesList());
  const [write] = writes.filter((row) => row.getKey() === key && !row.getIsDelete());
  const entry = write && JSON.parse(bytes(write.getValue_asU8()));
  refuseIf(!entry || sorted(entry) !== sorted(access), "the entry that the ledger wrote is not the one that was shown");
}

// sorted is a value's text whatever the order of its names.
function sorted(value) {
  return JSON.stringify(value, (_, part) => (part && typeof part === "object" && !Array.isArray(part)
    ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part));
}
