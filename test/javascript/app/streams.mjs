// Streams of readings, in segments.

import { newSalt } from "./patient.mjs";
import { keyOfRecord, store, viewOf } from "./records.mjs";
import { emrOf, openPayload, payloadOf } from "./sealing.mjs";

const MOST_READINGS = 1000; // in a segment
const MOST_SEGMENTS = 32; // in a transaction

/** Appends lines of JSON, one reading each; metadata goes with the first segment. */
export async function append(patient, stream, lines, metadata) {
  let number = metadata ? 1 : (await segments(patient, stream)).length + 1;
  const batch = [];
  for (let at = 0; at < lines.length; at += MOST_READINGS) {
    const readings = lines.slice(at, at + MOST_READINGS);
    const times = readings.map(timeOf).sort((a, b) => a - b);
    const content = await store(patient, stream, 1, payloadOf(Buffer.from(readings.map((line) => `${line}\n`).join(""))));
    batch.push({ number: number++, ...content, readings: readings.length, from: times[0], to: times.at(-1) });
  }
  for (let at = 0; at < batch.length; at += MOST_SEGMENTS) {
    const transient = batch[at].number === 1 ? { metadata: { ...metadata, salt: newSalt() } } : {};
    await patient.gateway.transact("AppendSegments", { stream, segments: batch.slice(at, at + MOST_SEGMENTS) }, transient);
  }
  return batch;
}

const timeOf = (line) => {
  const { effectiveDateTime, effectiveInstant, effectivePeriod, time } = JSON.parse(line);
  return new Date(effectiveDateTime ?? effectiveInstant ?? effectivePeriod?.start ?? time);
};

/** A stream's segments, as a majority of the hospitals tells them. */
export function segments(patient, stream) {
  return patient.consortium.majority((gateway) => gateway.list(`/v1/records/${stream}/versions/1/segments`));
}

/** The readings of a span, held against what the ledger says of their segments. */
export async function readings(patient, stream, from, to) {
  const secret = await keyOfRecord(patient, await viewOf(patient, stream));
  const within = (time) => time >= new Date(from) && time < new Date(to);
  const found = [];
  for (const segment of await segments(patient, stream)) {
    if (new Date(segment.from) >= new Date(to) || new Date(segment.to) < new Date(from)) continue;
    const text = emrOf(await openPayload(await patient.gateway.content(stream, 1, segment.number), segment, secret));
    const lines = Buffer.from(text).toString().split("\n").filter(Boolean);
    if (lines.length !== segment.readings) throw new Error(`altered: segment ${segment.number} has ${lines.length} readings`);
    found.push(...lines.filter((line) => within(timeOf(line))));
  }
  return found;
}
