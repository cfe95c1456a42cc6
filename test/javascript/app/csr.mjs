// A certificate request (RFC 2986) for a P-256 key and a common name.

import { sign } from "./jws.mjs";

const COMMON_NAME = [0x06, 0x03, 0x55, 0x04, 0x03]; // 2.5.4.3
const ECDSA_WITH_SHA256 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]; // RFC 5758

function der(tag, ...parts) {
  const content = parts.flatMap((part) => [...part]);
  const length = content.length < 128 ? [content.length] : content.length < 256 ? [0x81, content.length] : [0x82, content.length >> 8, content.length & 255];
  return [tag, ...length, ...content];
}

const sequence = (...parts) => der(0x30, ...parts);

function integer(bytes) {
  const first = bytes.findIndex((byte) => byte !== 0);
  const minimal = [...bytes.subarray(first)];
  return der(0x02, minimal[0] > 127 ? [0, ...minimal] : minimal);
}

/** Makes the request, PEM. */
export async function certificateRequest(keys, commonName) {
  const name = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, new TextEncoder().encode(commonName)))));
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
  const info = sequence(der(0x02, [0]), name, publicKey, der(0xa0));
  const signature = await sign(keys.privateKey, new Uint8Array(info));
  const pair = sequence(integer(signature.subarray(0, 32)), integer(signature.subarray(32)));
  const request = sequence(info, sequence(ECDSA_WITH_SHA256), der(0x03, [0], pair));
  const text = Buffer.from(request).toString("base64").replace(/.{64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE REQUEST-----\n${text}\n-----END CERTIFICATE REQUEST-----\n`;
}
