/** Calls to the engine (js-runtime 1.1 to 1.3). */
import { fromJson, toJson } from "./values.js";

const VERSION = "1.48.0";
const CONVEX_ERROR = Symbol.for("ConvexError");

/** An error with data of the author's: the host recognises it by its symbol (js-runtime 2.3). */
class DataError extends Error {
  name = "ConvexError";
  [CONVEX_ERROR] = true;

  constructor(message, data) {
    super(message);
    this.data = data;
  }
}

/** @returns the parsed answer. Rejects with an error of this realm, with the author's data where there is some. */
export async function call(op, args) {
  let answer;
  try {
    answer = await Convex.asyncSyscall(op, JSON.stringify(args));
  } catch (error) {
    throw error.data === undefined ? new Error(error.message) : new DataError(error.message, fromJson(error.data));
  }
  return JSON.parse(answer);
}

/** Like `call`, for operations that know the version of their caller. */
export function versioned(op, args) {
  return call(op, { ...args, version: VERSION });
}

export function callNow(op, args) {
  return JSON.parse(Convex.syscall(op, JSON.stringify(args)));
}

/** Makes what user code threw readable for the host. */
export function marked(error) {
  if (typeof error === "object" && error !== null && CONVEX_ERROR in error) {
    error.data = JSON.stringify(toJson(error.data === undefined ? null : error.data));
    error.ConvexErrorSymbol = CONVEX_ERROR;
  }
  return error;
}
