// A strict reader of protobuf's wire format (protobuf.dev/programming-guides/encoding).
//
// Libraries skip fields that they do not know. Who signs must not: bytes that say more
// than was asked for are refused here, as are fields that appear twice.

const VARINT = 0;
const BYTES = 2;

/**
 * Decodes one message. A shape names the fields that may appear, by number: "bytes",
 * "text", "number", or a list of one of them for a repeated field.
 *
 * @param {Uint8Array} message
 * @param {Object<number, [string, string | string[]]>} shape such as {1: ["header", "bytes"]}
 * @returns {Object} fields by name; what is absent is undefined, a repeated field a list
 * @throws {Error} for an unknown field, one that appears twice, and bytes that end too early
 */
export function decode(message, shape) {
  const fields = {};
  for (const [name, kind] of Object.values(shape)) {
    if (Array.isArray(kind)) fields[name] = [];
  }
  const reader = { message, at: 0 };
  while (reader.at < message.length) {
    const tag = varint(reader);
    const known = shape[Math.floor(tag / 8)];
    if (!known) throw new Error(`an unknown field ${Math.floor(tag / 8)}`);
    const [name, kind] = known;
    const value = read(reader, tag % 8, Array.isArray(kind) ? kind[0] : kind);
    if (Array.isArray(kind)) {
      fields[name].push(value);
    } else if (fields[name] !== undefined) {
      throw new Error(`the field ${name} twice`);
    } else {
      fields[name] = value;
    }
  }
  return fields;
}

function read(reader, wireType, kind) {
  if (kind === "number") {
    if (wireType !== VARINT) throw new Error("a number of another wire type");
    return varint(reader);
  }
  if (wireType !== BYTES) throw new Error("bytes of another wire type");
  const length = varint(reader);
  const end = reader.at + length;
  if (end > reader.message.length) throw new Error("bytes that end too early");
  const value = reader.message.subarray(reader.at, end);
  reader.at = end;
  return kind === "text" ? new TextDecoder("utf-8", { fatal: true }).decode(value) : value;
}

// varint reads a number below 2^53, which every length, time and code here is.
function varint(reader) {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    if (reader.at >= reader.message.length) throw new Error("a number that ends too early");
    const byte = reader.message[reader.at++];
    value += (byte & 127) * factor;
    if (value > Number.MAX_SAFE_INTEGER) throw new Error("a number that is too large");
    if (byte < 128) return value;
  }
}

/**
 * Encodes one field of bytes.
 *
 * @param {number} number of the field
 * @param {Uint8Array} value
 * @returns {Uint8Array}
 */
export function encode(number, value) {
  const head = [...encodeVarint(number * 8 + BYTES), ...encodeVarint(value.length)];
  const field = new Uint8Array(head.length + value.length);
  field.set(head);
  field.set(value, head.length);
  return field;
}

function encodeVarint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}
