// node main.mjs KEPT.json COMMAND ARGUMENT…: one step of the patient's; prints JSON.
// Arguments are JSON. enrol takes the file of an invitation, and with it guardians' shares
// of the seed of a lost device, whose place this one takes.

import { readFile, writeFile } from "node:fs/promises";

import * as audit from "./audit.mjs";
import * as emergencies from "./emergencies.mjs";
import * as guardians from "./guardians.mjs";
import * as notices from "./notices.mjs";
import { Patient, enrol } from "./patient.mjs";
import * as records from "./records.mjs";
import * as replacement from "./replacement.mjs";
import * as rotation from "./rotation.mjs";
import * as sharing from "./sharing.mjs";
import * as streams from "./streams.mjs";

const commands = { ...audit, ...emergencies, ...guardians, ...notices, ...records, ...replacement, ...rotation, ...sharing, ...streams };
const [path, command, ...texts] = process.argv.slice(2);
const read = async (file) => JSON.parse(await readFile(file));
const save = (kept) => writeFile(path, JSON.stringify(kept), { mode: 0o600 });

async function run() {
  const values = texts.map((text) => JSON.parse(text));
  if (command === "enrol") {
    const [invitation, ...shares] = values;
    const { user } = await enrol(await read(invitation), save, shares.length ? guardians.combine(shares) : undefined);
    return { user };
  }
  const patient = await Patient.load(await read(path), save);
  return commands[command](patient, ...values);
}

try {
  console.log(JSON.stringify((await run()) ?? null));
} catch (error) {
  console.error(/^[a-z_]+: /.test(error.message) ? error.message : error.stack);
  process.exitCode = 1;
}
