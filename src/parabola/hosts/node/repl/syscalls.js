/** Calls to the engine (js-runtime 1.1 to 1.3). */
import { fromJson, toJson } from "./values.js";
/** @import { UserValue } from "../types/protocol" */

const VERSION = "1.48.0";
const CONVEX_ERROR = Symbol.for("ConvexError");

/** An error with data of the author's: the host recognises it by its symbol (js-runtime 2.3). */
class DataError extends Error {
  name = "ConvexError";
  [CONVEX_ERROR] = true;

  /** @param {string} message @param {unknown} data */
  constructor(message, data) {
    super(message);
    this.data = data;
  }
}

/**
 * @param {string} op
 * @param {object} args
 * @returns the parsed answer. Rejects with an error of this realm, with the author's data where there is some.
 */
export async function call(op, args) {
  let answer;
  try {
    answer = await Convex.asyncSyscall(op, JSON.stringify(args));
  } catch (error) {
    const { message, data } = /** @type {Error & {data?: unknown}} */ (error);
    throw data === undefined ? new Error(message) : new DataError(message, fromJson(data));
  }
  return JSON.parse(answer);
}

/**
 * Like `call`, for operations that know the version of their caller.
 * @param {string} op
 * @param {object} args
 */
export function versioned(op, args) {
  return call(op, { ...args, version: VERSION });
}

/** @param {string} op @param {object} args */
export function callNow(op, args) {
  return JSON.parse(Convex.syscall(op, JSON.stringify(args)));
}

/** Makes what user code threw readable for the host. @param {UserValue} error */
export function marked(error) {
  if (typeof error === "object" && error !== null && CONVEX_ERROR in error) {
    error.data = JSON.stringify(toJson(error.data === undefined ? null : error.data));
    error.ConvexErrorSymbol = CONVEX_ERROR;
  }
  return error;
}
