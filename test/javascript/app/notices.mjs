// What concerns the patient, as it happens: Server-Sent Events, read with fetch, as
// EventSource sends no token.

/** The notices behind a place on the ledger, up to the first of a name. */
export async function notices(patient, after, name) {
  const headers = { "Last-Event-ID": after, ...(await patient.gateway.authorization()) };
  const response = await patient.gateway.call("GET", "/v1/events", undefined, headers);
  const found = [];
  let text = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    const messages = (text + part).split("\n\n");
    text = messages.pop();
    found.push(...messages.map((message) => /^data: (.*)$/m.exec(message)).filter(Boolean).map(([, data]) => JSON.parse(data)));
    const last = found.findIndex(({ type }) => type === name);
    if (last >= 0) return found.slice(0, last + 1);
  }
  throw new Error(`not_found: the stream ended before ${name}`);
}
