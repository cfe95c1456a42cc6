// The seed split among guardians, some of whom together give it back: Shamir's scheme
// modulo the order of P-384, and shares as words of BIP-39 (docs/patient-app.md).

import { createHash, randomBytes } from "node:crypto";

import { entropyToMnemonic, mnemonicToEntropy } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";

import { base64 } from "./patient.mjs";
import { openFile, publicKey, sealTo } from "./sealing.mjs";

const ORDER = BigInt("0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973");
const FORM = 1; // the first byte of a share
const MOST_SHARES = 16;
const WORDS = 21; // in each of a share's two lines
const LINE = 28; // bytes in a line

class Refused extends Error {
  constructor(code, why) {
    super(`${code}: ${why}`);
    this.code = code;
  }
}

/** Splits the patient's seed; the first shares are sealed to the users among the guardians. */
export async function split(patient, { shares, threshold, users = [] }) {
  if (users.length > shares) throw new Refused("invalid_argument", "there are more guardians than shares");
  const made = splitSeed(Buffer.from(patient.kept.seed, "base64"), shares, threshold);
  return Promise.all(made.map(async (words, i) => {
    const text = `# Share ${i + 1} of ${shares} of the keys of ${patient.user} in PIE. Any ${threshold} of the shares give the keys back.\n${words}`;
    const guardian = users[i];
    if (!guardian) return { number: i + 1, text };
    const envelope = { channel: patient.bundle.channel, owner: patient.user, guardian, share: text };
    const { ciphertext } = await sealTo(publicKey(await patient.sealingKeyOf(guardian, "receiving")), JSON.stringify(envelope));
    return { number: i + 1, guardian, sealed: base64(ciphertext) };
  }));
}

/** Opens, as a guardian, a share that somebody sealed to this user. */
export async function openShare(patient, sealed) {
  let envelope;
  try {
    envelope = JSON.parse(Buffer.from(await openFile(Buffer.from(sealed, "base64"), patient.keys.receiving())));
  } catch {
    throw new Refused("permission_denied", `this is not a share that was sealed to ${patient.user}`);
  }
  const { channel, guardian, owner, share } = envelope;
  if (guardian !== patient.user || channel !== patient.bundle.channel) throw new Refused("altered", `this is not a share for ${patient.user} to keep`);
  parse(share);
  return { owner, share };
}

/** The words of each share of a seed. */
export function splitSeed(seed, shares, threshold) {
  if (!(threshold >= 2 && shares >= threshold && shares <= MOST_SHARES)) {
    throw new Refused("invalid_argument", `the threshold must be 2 at least, and there must be as many shares at least, and ${MOST_SHARES} at most`);
  }
  const set = randomBytes(5);
  const others = Array.from({ length: threshold - 1 }, () => number(randomBytes(64)) % ORDER);
  const coefficients = [number(recognisable(set, seed)), ...others];
  return Array.from({ length: shares }, (_, i) => {
    const value = coefficients.reduceRight((sum, coefficient) => (sum * BigInt(i + 1) + coefficient) % ORDER, 0n);
    return words(Buffer.concat([Buffer.of(FORM, threshold, i + 1), set, scalar(value)]));
  });
}

/** The seed that shares' texts give back; never a wrong one. */
export function combine(texts) {
  const shares = needed(texts.map(parse));
  let sum = 0n; // of the polynomial's value at 0, by Lagrange
  for (const { index, value } of shares) {
    const rest = shares.filter((other) => other.index !== index).map((other) => BigInt(other.index));
    const part = rest.reduce((product, x) => modulo(product * x * inverse(x - BigInt(index))), value);
    sum = modulo(sum + part);
  }
  const secret = scalar(sum);
  const seed = secret.subarray(16);
  if (!secret.equals(recognisable(shares[0].set, seed))) {
    throw new Refused("altered", "these shares give no seed: one of them is not what it was");
  }
  return seed;
}

// needed are as many different shares as it takes, all of one split.
function needed(shares) {
  if (!shares.length) throw new Refused("invalid_argument", "no shares were given");
  const [{ set, threshold }] = shares;
  const found = new Map();
  for (const share of shares) {
    if (!share.set.equals(set) || share.threshold !== threshold) throw new Refused("invalid_argument", "these are shares of different splits");
    const twin = found.get(share.index) ?? share;
    if (twin.value !== share.value) throw new Refused("altered", `there are two different shares of the number ${share.index}`);
    found.set(share.index, share);
  }
  if (found.size < threshold) throw new Refused("invalid_argument", `${threshold} shares are needed, there are ${found.size}`);
  return [...found.values()].slice(0, threshold);
}

/** Reads a share's words; lines that begin with # are remarks. */
export function parse(text) {
  const found = text.split("\n").filter((line) => !line.trim().startsWith("#")).join(" ").toLowerCase().split(/\s+/).filter(Boolean);
  if (found.length !== 2 * WORDS) throw new Refused("invalid_argument", `a share has ${2 * WORDS} words, this text has ${found.length}`);
  const packed = Buffer.concat([bytes(found.slice(0, WORDS)), bytes(found.slice(WORDS))]);
  const [form, threshold, index] = packed;
  const most = Math.max(threshold, index) <= MOST_SHARES;
  if (form !== FORM || threshold < 2 || index < 1 || !most) throw new Refused("invalid_argument", "these words are not a share of a seed");
  return { packed, threshold, index, set: packed.subarray(3, 8), value: number(packed.subarray(8)) };
}

function bytes(line) {
  try {
    return mnemonicToEntropy(line.join(" "), wordlist);
  } catch {
    throw new Refused("invalid_argument", "the words of a share are misspelt, or in another order");
  }
}

const words = (packed) => [packed.subarray(0, LINE), packed.subarray(LINE)].map((line) => `${entropyToMnemonic(line, wordlist)}\n`).join("");

// recognisable is the secret that is shared for a seed: below the order, whatever the seed.
function recognisable(set, seed) {
  const check = createHash("sha256").update("pie guardians").update(set).update(seed).digest().subarray(0, 15);
  return Buffer.concat([Buffer.of(0), check, seed]);
}

const number = (buffer) => BigInt(`0x${Buffer.from(buffer).toString("hex")}`);
const scalar = (value) => Buffer.from(value.toString(16).padStart(96, "0"), "hex");
const modulo = (value) => ((value % ORDER) + ORDER) % ORDER;

// inverse is value to the power of ORDER - 2, as ORDER is prime.
function inverse(value) {
  let result = 1n;
  for (let square = modulo(value), rest = ORDER - 2n; rest > 0n; rest >>= 1n, square = modulo(square * square)) {
    if (rest & 1n) result = modulo(result * square);
  }
  return result;
}
