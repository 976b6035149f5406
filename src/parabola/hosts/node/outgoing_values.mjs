/**
 * Values on their way out of user code: results, arguments of calls, data of errors (semantics 1.4).
 *
 * They come as JSON text that the library made, or that user code made up. What leaves the host is one JSON text
 * that the engine can read: well-formed, no deeper and no larger than values may be. What breaks a limit is said in the
 * words of the engine, as an error of the call that it belongs to; no other call ever meets it.
 */
import { limits, MEBIBYTE } from "./limits.mjs";
/** @import { UserValue } from "./types/protocol" */
/**
 * A method as a function of its object.
 * @template {any[]} A
 * @template R
 * @param {(...args: A) => R} method
 * @returns {(self: any, ...args: A) => R}
 */
const uncurry = (method) => Function.prototype.call.bind(method);
const { parse, stringify } = JSON;
const { isArray } = Array;
const { keys } = Object;
const { isFinite } = Number;
const isWellFormed = uncurry(String.prototype.isWellFormed);
const includes = uncurry(String.prototype.includes);
const match = uncurry(RegExp.prototype.exec);
const codeAt = uncurry(String.prototype.charCodeAt);

/** Levels of what surrounds the values of a call: a query with its filters. */
const MAX_CALL_NESTING = 500;
/** What of a message is left for all but the arguments of one call. */
const ENVELOPE = 4 * MEBIBYTE;
/** How many bytes a character of JSON may count for at most, rounded up: in `[0,0]` two make a number of nine. */
const BYTES_A_CHARACTER = 5;
/** A text that is shown is cut here. */
const SHOWN = 200;

/** Half of a character, as JSON.stringify escapes it. */
const ESCAPED_HALF = /\\u[dD][89a-fA-F]/;

/** A value that cannot leave; the message is the sentence for its author. */
export class UnsendableValue extends Error {}

/**
 * The value of a text that one call returned or attached to an error. Throws UnsendableValue.
 * @param {string} text
 * @param {number} [largest]  bytes
 * @returns {{text: string, size: number|null}} the text as one line; the value's size where it is over `largest`
 */
export function checkValue(text, largest = limits.valueBytes) {
  const value = read(text);
  const fault = faultOf(value, 0, valueLimits(), isSuspicious(text));
  if (fault !== null) throw new UnsendableValue(describe(fault, value));
  const size = text.length * BYTES_A_CHARACTER > largest ? sizeOf(value) : 0;
  return { text: oneLine(text, value), size: size > largest ? size : null };
}

/**
 * Checks the arguments of a call to the engine: an object whose members `value` and `args` are values.
 * Throws UnsendableValue.
 * @param {string} text
 * @param {UserValue} args  the same, parsed
 * @returns {string} the text as one line
 */
export function checkArguments(text, args) {
  const suspicious = isSuspicious(text);
  const forValues = valueLimits();
  const most = limits.valueBytes;
  const names = keys(args);
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    const value = args[name];
    const isValue = name === "value" || name === "args";
    const fault = faultOf(value, 0, isValue ? forValues : CALL_LIMITS, suspicious);
    if (fault !== null) {
      if (!isValue) fault.path = `.${name}${fault.path}`;
      throw new UnsendableValue(describe(fault, value));
    }
    if (suspicious && !isWellFormed(name)) throw new UnsendableValue(fieldText(name));
    if (isValue && text.length * BYTES_A_CHARACTER > most) {
      const size = sizeOf(value);
      if (size > most) throw new UnsendableValue(tooLarge(size, most));
    }
  }
  const room = limits.messageBytes - ENVELOPE;
  if (text.length > room / 3 && Buffer.byteLength(text) > room)
    throw new UnsendableValue(tooLarge(Buffer.byteLength(text), room));
  return oneLine(text, args);
}

/**
 * What a module says of itself as JSON text: its validators, its schema, its jobs. These are no values, and may be as deep
 * as queries. Throws UnsendableValue.
 * @param {string} text
 * @returns {UserValue}
 */
export function checkDescription(text) {
  const described = read(text);
  const fault = faultOf(described, 0, CALL_LIMITS, isSuspicious(text));
  if (fault !== null) throw new UnsendableValue(describe(fault, described));
  return described;
}

/**
 * Checks a name that is sent as it is: of an operation, a function, a file. Throws UnsendableValue.
 * @param {string} text
 */
export function checkName(text) {
  if (!isWellFormed(text)) throw new UnsendableValue(halfText(text));
  return text;
}

/**
 * `Value is too large (34 MiB > maximum size 32 MiB)`
 * @param {number} size
 * @param {number} limit
 */
function tooLarge(size, limit) {
  return `Value is too large (${humanize(size)} > maximum size ${humanize(limit)})`;
}

/** A number of bytes for people, as the engine writes it. @param {number} size */
export function humanize(size) {
  let number = size;
  let unit = 0;
  for (; number >= 1024 && unit < 4; unit++) number /= 1024;
  return `${Number(number.toFixed(2))} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

// ---- reading --------------------------------------------------------------------------------------------------

/** @param {string} text @returns {UserValue} */
function read(text) {
  try {
    return parse(text);
  } catch (error) {
    throw new UnsendableValue(`Received invalid json: ${/** @type {Error} */ (error).message}`);
  }
}

/** @param {string} text */
function isSuspicious(text) {
  return !isWellFormed(text) || match(ESCAPED_HALF, text) !== null;
}

/**
 * One line is one message: JSON text with line breaks between its tokens is written anew.
 * @param {string} text
 * @param {UserValue} parsed
 */
function oneLine(text, parsed) {
  return includes(text, "\n") ? stringify(parsed) : text;
}

// ---- faults ---------------------------------------------------------------------------------------------------

/** @typedef {{nesting: number, length: number, fields: number}} Limits */

/**
 * @typedef {object} Fault  one of these, and where it is
 * @property {string} path
 * @property {string} [half]  a text with half of a character
 * @property {string} [name]  such a name
 * @property {true} [number]  a number that is out of range
 * @property {true} [deep]
 * @property {number} [length]  of a list that is too long
 * @property {number} [fields]  how many
 */

/** @returns {Limits} */
const valueLimits = () => ({
  nesting: limits.valueNesting,
  length: limits.arrayLength,
  fields: limits.objectFields,
});
/** @type {Limits} */
const CALL_LIMITS = { nesting: MAX_CALL_NESTING, length: Infinity, fields: Infinity };

/**
 * What is wrong with a parsed value, or null. `suspicious`: whether a text in it may not be well-formed.
 * @param {UserValue} value
 * @param {number} depth
 * @param {Limits} most
 * @param {boolean} suspicious
 * @returns {Fault|null}
 */
function faultOf(value, depth, most, suspicious) {
  if (typeof value === "string") return suspicious && !isWellFormed(value) ? { half: value, path: "" } : null;
  if (typeof value === "number") return isFinite(value) ? null : { number: true, path: "" };
  if (typeof value !== "object" || value === null) return null;
  if (isArray(value)) {
    if (value.length > most.length) return { length: value.length, path: "" };
    if (depth === most.nesting) return { deep: true, path: "" };
    for (let i = 0; i < value.length; i++) {
      const fault = faultOf(value[i], depth + 1, most, suspicious);
      if (fault !== null) return within(fault, `[${i}]`);
    }
    return null;
  }
  const names = keys(value);
  if (names.length === 1 && names[0][0] === "$") {
    // An Int64 and its like: a leaf.
    const item = value[names[0]];
    if (typeof item !== "object" || item === null) return faultOf(item, depth, most, suspicious);
  }
  if (names.length > most.fields) return { fields: names.length, path: "" };
  if (depth === most.nesting) return { deep: true, path: "" };
  for (let i = 0; i < names.length; i++) {
    if (suspicious && !isWellFormed(names[i])) return { name: names[i], path: "" };
    const fault = faultOf(value[names[i]], depth + 1, most, suspicious);
    if (fault !== null) return within(fault, `.${names[i]}`);
  }
  return null;
}

/** @param {Fault} fault @param {string} step */
function within(fault, step) {
  fault.path = step + fault.path;
  return fault;
}

/** @param {Fault} fault @param {UserValue} root */
function describe(fault, root) {
  if (fault.name !== undefined) return fieldText(fault.name);
  if (fault.half !== undefined)
    return halfText(fault.half) + (fault.path === "" ? "" : ` (present at path ${fault.path})`);
  if (fault.number) return "A number is out of range for a Float64";
  if (fault.length !== undefined)
    return `Array length is too long (${fault.length} > maximum length ${limits.arrayLength})`;
  if (fault.fields !== undefined)
    return `Object has too many fields (${fault.fields} > maximum number ${limits.objectFields})`;
  return `Value is too nested (nested ${nestingOf(root)} levels deep > maximum nesting ${limits.valueNesting})`;
}

/**
 * The library's sentence about a name, which never lets one through that is not ASCII.
 * @param {string} name
 */
function fieldText(name) {
  let i = 0;
  while (codeAt(name, i) >= 32 && codeAt(name, i) < 127) i += 1;
  return (
    `Field name ${name} has invalid character '${name[i]}': ` +
    "Field names can only contain non-control ASCII characters"
  );
}

/** @param {string} text */
function halfText(text) {
  return `String ${quoted(text)} is not valid Unicode: it has a lone surrogate`;
}

/** A string as Python shows it in ASCII, since the engine's own sentence does. @param {string} text */
function quoted(text) {
  const mark = includes(text, "'") && !includes(text, '"') ? '"' : "'";
  let shown = "";
  for (let i = 0; i < text.length; i++) {
    if (i >= SHOWN) return `${mark}${shown}${mark}...`;
    const code = /** @type {number} */ (text.codePointAt(i));
    const character = String.fromCodePoint(code);
    if (character.length === 2) i += 1;
    if (character === mark || character === "\\") shown += `\\${character}`;
    else if (code === 9) shown += "\\t";
    else if (code === 10) shown += "\\n";
    else if (code === 13) shown += "\\r";
    else if (code >= 32 && code < 127) shown += character;
    else if (code < 256) shown += `\\x${code.toString(16).padStart(2, "0")}`;
    else if (code < 65536) shown += `\\u${code.toString(16).padStart(4, "0")}`;
    else shown += `\\U${code.toString(16).padStart(8, "0")}`;
  }
  return `${mark}${shown}${mark}`;
}

// ---- measures -------------------------------------------------------------------------------------------------

/**
 * Levels of lists and objects; level by level, since what it is asked about may be too deep for recursion.
 * @param {UserValue} value
 */
function nestingOf(value) {
  const isContainer = (/** @type {UserValue} */ one) => typeof one === "object" && one !== null;
  let depth = 0;
  for (let level = isContainer(value) ? [value] : []; level.length > 0; depth++) {
    /** @type {object[]} */
    const next = [];
    for (const container of level) {
      for (const member of Object.values(container)) if (isContainer(member)) next.push(member);
    }
    level = next;
  }
  return depth;
}

/**
 * Bytes that a value counts for (semantics 1.1). Its depth has been checked.
 * @param {UserValue} value
 * @returns {number}
 */
function sizeOf(value) {
  if (typeof value === "string") return 2 + Buffer.byteLength(value);
  if (typeof value === "number") return 9;
  if (typeof value !== "object" || value === null) return 1;
  let size = 2;
  if (isArray(value)) {
    for (let i = 0; i < value.length; i++) size += sizeOf(value[i]);
    return size;
  }
  const names = keys(value);
  if (names.length === 1 && names[0][0] === "$") {
    const item = value[names[0]];
    if (names[0] === "$bytes" && typeof item === "string") return 2 + Math.floor((item.length / 4) * 3);
    if (typeof item !== "object" || item === null) return 9;
  }
  for (let i = 0; i < names.length; i++) size += names[i].length + 1 + sizeOf(value[names[i]]);
  return size;
}
