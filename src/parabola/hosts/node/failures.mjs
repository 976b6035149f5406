/** What went wrong in an execution, in the words that developers see. */
import { limits } from "./limits.mjs";
import { checkValue, humanize, UnsendableValue } from "./outgoing_values.mjs";
import { wellFormed } from "./plain_json.mjs";
/** @import { Failure, UserValue } from "./types/protocol" */
/** @import { StackFrames } from "./stack_frames.mjs" */

/** Characters of all frames together. */
const MAX_FRAMES_TEXT = 64 * 1024;

/**
 * Describes a thrown value, whatever it does when it is looked at.
 * @param {UserValue} thrown
 * @param {StackFrames} stackFrames
 * @returns {Failure}
 */
export function describeThrown(thrown, stackFrames) {
  const message = limit(messageOf(thrown));
  const failure = { message, frames: limitFrames(stackFrames.of(thrown)) };
  const data = customData(thrown);
  if (data === undefined) return failure;
  try {
    const { text, size } = checkValue(data, limits.resultBytes);
    if (size === null) return { ...failure, data: text };
    const sizes = `${humanize(size)} > maximum size ${humanize(limits.resultBytes)}`;
    return { ...failure, message: limit(`ConvexError with invalid data: Value is too large (${sizes})`) };
  } catch (error) {
    if (!(error instanceof UnsendableValue)) throw error;
    return { ...failure, message: limit(`ConvexError with invalid data: ${error.message}`) };
  }
}

/** @param {UserValue} thrown @returns {string} */
function messageOf(thrown) {
  if (!isError(thrown)) return `Uncaught ${stringOf(thrown)}`;
  const name = textProperty(thrown, "name");
  const message = textProperty(thrown, "message");
  if (name && message) return `Uncaught ${name}: ${message}`;
  return name || message ? `Uncaught ${name || message}` : "Uncaught";
}

/** Errors of any realm, and what inherits from them. @param {UserValue} value */
export function isError(value) {
  if (typeof value !== "object" || value === null) return false;
  try {
    for (let proto = value; proto !== null; proto = Object.getPrototypeOf(proto)) {
      if (Object.prototype.toString.call(proto) === "[object Error]") return true;
      if (Object.hasOwn(proto, "constructor") && proto.constructor?.name === "Error") return true;
      if (Object.hasOwn(proto, "constructor") && proto.constructor?.name === "DOMException") return true;
    }
  } catch {
    // A proxy that throws is no error.
  }
  return false;
}

/** @param {UserValue} object @param {string} name */
function textProperty(object, name) {
  try {
    const value = object[name];
    return value === undefined ? "" : String(value);
  } catch {
    return "";
  }
}

/** How V8 words an uncaught value that is no error. @param {UserValue} value */
function stringOf(value) {
  try {
    if (typeof value !== "object" || value === null) return String(value);
    const name = value.constructor?.name;
    if (typeof name === "string" && name !== "" && isObjectToString(value)) return `#<${name}>`;
    return Object.prototype.toString.call(value);
  } catch {
    return "exception";
  }
}

/**
 * Whether `toString` of the value is inherited from the root of its prototype chain.
 * @param {UserValue} value
 */
function isObjectToString(value) {
  let root = value;
  for (let proto = Object.getPrototypeOf(value); proto !== null; proto = Object.getPrototypeOf(proto)) root = proto;
  return root !== value && Object.hasOwn(root, "toString") && value.toString === root.toString;
}

/**
 * The encoded data of a ConvexError, marked by the library under a symbol of the error's own.
 * @param {UserValue} thrown
 * @returns {string|undefined}
 */
function customData(thrown) {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    const symbol = thrown.ConvexErrorSymbol;
    if (symbol === undefined || thrown[symbol] !== true) return undefined;
    return typeof thrown.data === "string" ? thrown.data : String(thrown.data);
  } catch {
    return undefined;
  }
}

/** @param {string} message */
function limit(message) {
  const most = limits.errorBytes;
  const text = wellFormed(message.length > most ? message.slice(0, most + 1) : message);
  if (text.length * 3 <= most) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return text;
  let end = most;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end);
}

/**
 * Names of functions, and the number of frames, are as long as their author likes.
 * @param {string[]} frames
 */
function limitFrames(frames) {
  const kept = [];
  let room = MAX_FRAMES_TEXT;
  for (const frame of frames) {
    if (frame.length > room) break;
    room -= frame.length;
    kept.push(frame);
  }
  return kept;
}
