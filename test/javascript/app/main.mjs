// node main.mjs KEPT.json COMMAND ARGUMENT…: one step of the patient's; prints JSON.
// enrol reads the invitation from its argument and writes KEPT.json.

import { readFile, writeFile } from "node:fs/promises";

import { Patient, enrol } from "./patient.mjs";

const [kept, command, ...rest] = process.argv.slice(2);
const read = async (path) => JSON.parse(await readFile(path));

async function run() {
  if (command === "enrol") {
    const device = await enrol(await read(rest[0]));
    await writeFile(kept, JSON.stringify(device), { mode: 0o600 });
    return { user: device.user };
  }
  const patient = await Patient.load(await read(kept));
  if (command === "open") return { emr: Buffer.from((await patient.open(...rest)).emr).toString("base64") };
  return patient[command](...rest.map((argument) => JSON.parse(argument)));
}

try {
  console.log(JSON.stringify((await run()) ?? null));
} catch (error) {
  console.error(error.code && error.message.startsWith(error.code) ? error.message : error.stack);
  process.exitCode = 1;
}
