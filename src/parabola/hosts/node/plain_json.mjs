/**
 * JSON text of what the host itself says: names, logs, error texts, responses.
 *
 * Text of user code may hold half of a character, which no reader of JSON accepts: it is repaired with U+FFFD. Code of
 * a "use node" module shares its built-ins with the host and may have changed them, so these are kept from before; and
 * nothing here asks an object for `toJSON`.
 */
/**
 * A method as a function of its object.
 * @template {any[]} A
 * @template R
 * @param {(...args: A) => R} method
 * @returns {(self: any, ...args: A) => R}
 */
const uncurry = (method) => Function.prototype.call.bind(method);
const { stringify } = JSON;
const { isArray } = Array;
const { keys } = Object;
const { isFinite } = Number;
const repair = uncurry(String.prototype.toWellFormed);

/** Levels of lists and objects in one message; the engine's reader stops at 1,024. */
const MAX_LEVELS = 900;

/**
 * The text with U+FFFD in the place of every lone surrogate.
 * @param {string} text
 * @returns {string}
 */
export const wellFormed = (text) => repair(text);

/**
 * JSON text of one string, repaired.
 * @param {string} text
 * @returns {string}
 */
export const writeText = (text) => stringify(repair(text));

/** Data that cannot be written as a message; the message says why. */
export class UnwritableData extends Error {}

/**
 * JSON text of plain data. What JSON has no words for is written as JSON.stringify does. Throws UnwritableData for what
 * is nested too deep.
 * @param {any} value
 * @param {number} level
 * @returns {string}
 */
export function writeJson(value, level = 0) {
  switch (typeof value) {
    case "string":
      return stringify(repair(value));
    case "number":
      return isFinite(value) ? `${value}` : "null";
    case "boolean":
      return value ? "true" : "false";
    case "object":
      break;
    default:
      return "null";
  }
  if (value === null) return "null";
  if (level === MAX_LEVELS) throw new UnwritableData(`It is nested more than ${MAX_LEVELS} levels deep`);
  let text = "";
  if (isArray(value)) {
    for (let i = 0; i < value.length; i++) text += (i === 0 ? "" : ",") + writeJson(value[i], level + 1);
    return `[${text}]`;
  }
  const names = keys(value);
  for (let i = 0; i < names.length; i++) {
    const item = value[names[i]];
    if (item === undefined || typeof item === "function") continue;
    text += `${text === "" ? "" : ","}${stringify(repair(names[i]))}:${writeJson(item, level + 1)}`;
  }
  return `{${text}}`;
}
