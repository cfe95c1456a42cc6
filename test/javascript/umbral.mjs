// Umbral from docs/umbral.md alone: what owners and readers compute.

import { createHash, hkdfSync } from "node:crypto";

import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { secp256k1, secp256k1_hasher } from "@noble/curves/secp256k1.js";

const { Point } = secp256k1;
const Fn = Point.Fn;
const utf8 = (text) => new TextEncoder().encode(text);
export const join = (...parts) => new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part))));
export const point = (bytes) => {
  if (bytes.length !== 33) {
    throw new Error("a point has 33 bytes");
  }
  return Point.fromBytes(bytes);
};
export const wire = (p) => p.toBytes(true);
export const number = (bytes) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
export const scalar = (bytes) => {
  const value = number(bytes);
  if (bytes.length !== 32 || value === 0n || value >= Fn.ORDER) {
    throw new Error("not a scalar");
  }
  return value;
};

export const U = secp256k1_hasher.hashToCurve(utf8("POINT_U"), { DST: "PARAMETERS" });

export function hash(tag, ...parts) {
  const name = typeof tag === "string" ? utf8(tag) : tag;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(name.length);
  const digest = createHash("sha256").update(length).update(name).update(join(...parts)).digest();
  return number(digest) % (Fn.ORDER - 1n) + 1n;
}

export const hkdf = (secret, info, length) => new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(), info, length));

export const derived = {
  key(seed, label) {
    const info = utf8(`KEY_DERIVATION/${label}`);
    return hash(info, hkdf(seed, info, 64));
  },
  secret: (seed, label) => hkdf(seed, utf8(`SECRET_DERIVATION/${label}`), 64),
  seed: (seed, label) => hkdf(seed, utf8(`FACTORY_DERIVATION/${label}`), 32),
};

// fields cuts plain bytes into pieces of these lengths.
function fields(bytes, ...lengths) {
  if (bytes.length !== lengths.reduce((sum, length) => sum + length)) {
    throw new Error("wrong length");
  }
  let at = 0;
  return lengths.map((length) => bytes.slice(at, at += length));
}

export function parseCapsule(bytes) {
  const [e, v, s] = fields(bytes, 33, 33, 32);
  const capsule = { bytes, E: point(e), V: point(v), s: scalar(s), challenge: hash("CAPSULE_POINTS", e, v) };
  if (!Point.BASE.multiply(capsule.s).equals(capsule.V.add(capsule.E.multiply(capsule.challenge)))) {
    throw new Error("the capsule is not consistent");
  }
  return capsule;
}

export function parseCapsuleFrag(bytes) {
  const [E1, V1, id, X, E2, V2, U1, U2, z, signature] = fields(bytes, 33, 33, 32, 33, 33, 33, 33, 33, 32, 64);
  return { E1: point(E1), V1: point(V1), id, X: point(X), E2: point(E2), V2: point(V2), U1: point(U1), U2: point(U2), z: scalar(z), signature };
}

export const statement = (frag, A, B) => join(frag.id, wire(frag.U1), wire(frag.X), [1], A, [1], B);

export const proofChallenge = ({ E, V }, f) => hash("CFRAG_VERIFICATION", ...[E, f.E1, f.E2, V, f.V1, f.V2, U, f.U1, f.U2].map(wire));

export function verify(capsule, frag, { verifying, A, B }) {
  if (!secp256k1.verify(frag.signature, statement(frag, A, B), verifying, { lowS: true })) {
    throw new Error("the fragment is not signed for these keys");
  }
  const h = proofChallenge(capsule, frag);
  for (const [base, one, two] of [[capsule.E, frag.E1, frag.E2], [capsule.V, frag.V1, frag.V2], [U, frag.U1, frag.U2]]) {
    if (!base.multiply(frag.z).equals(two.add(one.multiply(h)))) {
      throw new Error("the fragment does not prove its re-encryption");
    }
  }
}

export const contentKey = (seed) => hkdf(wire(seed), new Uint8Array(), 32);

function decrypt(seed, capsule, ciphertext) {
  return xchacha20poly1305(contentKey(seed), ciphertext.slice(0, 24), capsule.bytes).decrypt(ciphertext.slice(24));
}

export const ownersSeed = (a, { E, V }) => E.add(V).multiply(a);

export const open = (a, capsule, ciphertext) => decrypt(ownersSeed(a, capsule), capsule, ciphertext);

export function exchange(b, X) {
  const B = wire(Point.BASE.multiply(b));
  const D = wire(X.multiply(b));
  return { D, d: hash("SHARED_SECRET", wire(X), B, D), argument: (id) => hash("POLYNOMIAL_ARG", wire(X), B, D, id) };
}

export function openFragments(b, A, capsule, frags, ciphertext) {
  if (frags.length === 0 || frags.some((f) => !f.X.equals(frags[0].X))) {
    throw new Error("no fragments, or of different grants");
  }
  const { d, argument } = exchange(b, frags[0].X);
  const places = frags.map((f) => argument(f.id));
  if (new Set(places).size !== places.length) {
    throw new Error("a fragment is repeated");
  }
  const weights = places.map((i) => places.filter((j) => j !== i).reduce((product, j) => Fn.mul(product, Fn.div(j, Fn.sub(j, i))), d));
  const sum = (name) => frags.reduce((total, f, k) => total.add(f[name].multiply(weights[k])), Point.ZERO);
  const [E, V] = [sum("E1"), sum("V1")];
  if (!point(A).multiply(capsule.s).equals(E.multiply(capsule.challenge).add(V))) {
    throw new Error("too few fragments, or not for this capsule and reader");
  }
  return decrypt(E.add(V), capsule, ciphertext);
}
