// The CID of a content: CIDv1 of UnixFS in chunks of 1 MiB with raw leaves, as the
// hospitals' IPFS nodes make it (docs.ipfs.tech/concepts/content-addressing).

import { createHash } from "node:crypto";

import { encode } from "../../../docs/javascript/wire.mjs";

const CHUNK = 1 << 20;
const LINKS = 174; // most links of a node
const RAW = 0x55;
const DAG_PB = 0x70;

/** @param {Uint8Array} content */
export function cidOf(content) {
  let nodes = [];
  for (let at = 0; at < content.length || at === 0; at += CHUNK) {
    const chunk = content.subarray(at, at + CHUNK);
    nodes.push({ cid: cid(RAW, chunk), size: chunk.length, weight: chunk.length });
  }
  while (nodes.length > 1) {
    const parents = [];
    for (let at = 0; at < nodes.length; at += LINKS) parents.push(parent(nodes.slice(at, at + LINKS)));
    nodes = parents;
  }
  return `b${base32(nodes[0].cid)}`;
}

// parent is a dag-pb node over its children: links, and UnixFS data with their sizes.
function parent(children) {
  const links = children.map(({ cid, weight }) => encode(2, join([encode(1, cid), encode(2, new Uint8Array()), number(3, weight)])));
  const size = children.reduce((sum, child) => sum + child.size, 0);
  const file = join([number(1, 2), number(3, size), ...children.map((child) => number(4, child.size))]);
  const bytes = join([...links, encode(1, file)]);
  return { cid: cid(DAG_PB, bytes), size, weight: bytes.length + children.reduce((sum, child) => sum + child.weight, 0) };
}

function cid(codec, bytes) {
  return join([Uint8Array.of(1, codec, 0x12, 32), createHash("sha256").update(bytes).digest()]);
}

function number(field, value) {
  const bytes = [field * 8];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return Uint8Array.from([...bytes, value]);
}

function base32(bytes) {
  let bits = "";
  for (const byte of bytes) bits += byte.toString(2).padStart(8, "0");
  return bits.match(/.{1,5}/g).map((five) => "abcdefghijklmnopqrstuvwxyz234567"[parseInt(five.padEnd(5, "0"), 2)]).join("");
}

const join = (parts) => Buffer.concat(parts);
