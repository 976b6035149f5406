/** Values as they travel between a function and its host: internal JSON (js-runtime 1.2). */
/** @import { UserValue } from "../types/protocol" */

const SMALLEST = -(2n ** 63n);
const LARGEST = 2n ** 63n - 1n;

/** @param {Uint8Array} bytes */
function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** @param {string} text */
function fromBase64(text) {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

/** @param {(view: DataView) => void} write */
function littleEndian(write) {
  const view = new DataView(new ArrayBuffer(8));
  write(view);
  return toBase64(new Uint8Array(view.buffer));
}

/** @param {string} text @param {(view: DataView) => unknown} read */
function readLittleEndian(text, read) {
  return read(new DataView(fromBase64(text).buffer));
}

/** @param {unknown} value */
function isPlain(value) {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * The internal JSON of a value. Throws for what is none; fields that are undefined are left out.
 * @param {UserValue} value
 * @returns {UserValue}
 */
export function toJson(value) {
  switch (typeof value) {
    case "boolean":
    case "string":
      return value;
    case "number":
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return { $float: littleEndian((view) => view.setFloat64(0, value, true)) };
    case "bigint":
      if (value < SMALLEST || value > LARGEST) throw new Error(`${value} does not fit into a 64-bit integer`);
      return { $integer: littleEndian((view) => view.setBigInt64(0, value, true)) };
    default:
      return objectToJson(value);
  }
}

/** @param {UserValue} value @returns {UserValue} */
function objectToJson(value) {
  if (value === null) return null;
  if (value instanceof ArrayBuffer) return { $bytes: toBase64(new Uint8Array(value)) };
  if (Array.isArray(value)) return value.map(toJson);
  if (!isPlain(value)) {
    const kind = value?.constructor?.name ?? typeof value;
    throw new Error(
      `A value of type ${kind} cannot be sent. Use null, numbers, strings, booleans, arrays and plain objects.`,
    );
  }
  const fields = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, item]) => [name, toJson(item)]));
}

/**
 * Like `toJson` where undefined stands for an absent field: index ranges and filters.
 * @param {unknown} value
 */
export function toJsonOrUndefined(value) {
  return value === undefined ? { $undefined: null } : toJson(value);
}

/**
 * The value that internal JSON stands for.
 * @param {UserValue} json
 * @returns {UserValue}
 */
export function fromJson(json) {
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) return json.map(fromJson);
  const entries = Object.entries(json);
  if (entries.length === 1) {
    const [[name, text]] = entries;
    if (name === "$integer") return readLittleEndian(text, (view) => view.getBigInt64(0, true));
    if (name === "$float") return readLittleEndian(text, (view) => view.getFloat64(0, true));
    if (name === "$bytes") return fromBase64(text).buffer;
  }
  return Object.fromEntries(entries.map(([name, item]) => [name, fromJson(item)]));
}
