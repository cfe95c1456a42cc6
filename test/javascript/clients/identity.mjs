// What the libraries are given of a device: its memory, as the app keeps it.

import { readFile } from "node:fs/promises";

export async function load(file) {
  const kept = JSON.parse(await readFile(file, "utf8"));
  const key = await crypto.subtle.importKey("jwk", kept.key, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  const x5c = kept.certificate.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g).map((pem) => pem.replace(/-----[^-]+-----|\s/g, ""));
  return { gateway: kept.url, user: kept.user, key, x5c };
}

/** A fetch that goes to another door of the gateway's, such as a proxy before it. */
export function through(gateway, door) {
  return (url, options) => fetch(String(url).replace(gateway, door), options);
}
