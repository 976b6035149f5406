/** What "use node" modules find beyond Node's own globals: the Convex object, a captured console, CommonJS names. */
import { createRequire } from "node:module";
import { inspect } from "node:util";
import { checkArguments, checkName } from "./outgoing_values.mjs";
import { wellFormed } from "./plain_json.mjs";
import { getBlob, storeBlob } from "./executions/storage.mjs";
import { traced } from "./fetching.mjs";
/** @import { NodeRun } from "./executions/node_run.mjs" */
/** @import { Level, UserValue } from "./types/protocol" */

// Before user code can change them.
const { parse, stringify } = JSON;
const plainFetch = globalThis.fetch;

const KEPT_VARIABLES = ["PATH", "PWD", "LANG", "NODE_PATH", "TZ", "UTC"];
const MAX_LOGGED = 1_000_000;
/** @type {["debug"|"error"|"info"|"log"|"warn", Level][]} */
const LEVELS = [
  ["debug", "DEBUG"],
  ["error", "ERROR"],
  ["info", "INFO"],
  ["log", "LOG"],
  ["warn", "WARN"],
];
const NO_DATABASE =
  "The Convex database object is being used outside of a Convex query or mutation. " +
  "Database access is only available in queries and mutations; call them with `ctx.runQuery` or `ctx.runMutation`.";
const DATABASE_OPERATION = /^1\.0\/(?:(?:get|insert|shallowMerge|replace|remove|count|query\w*)$|db\/)/;

/**
 * From now on requests say which trace they belong to. Nothing is replaced before the first call that is in one.
 *
 * @param {() => NodeRun|null} current  the run that runs now
 */
export function traceRequests(current) {
  if (globalThis.fetch !== plainFetch) return;
  globalThis.fetch = async function fetch(input, init) {
    const trace = current()?.message.trace;
    return trace === undefined ? plainFetch(input, init) : plainFetch(traced(new Request(input, init), trace));
  };
}

/** @param {() => NodeRun|null} current  the run that runs now */
export function installConvex(current) {
  /** @param {UserValue} requestId */
  const run = (requestId) => {
    const running = current();
    if (running === null || (requestId !== undefined && requestId !== "" && requestId !== running.requestId)) {
      throw new Error(
        "Leftover state detected. This typically happens if there are dangling promises from a previous request. " +
          "Did you forget to await your promises?",
      );
    }
    return running;
  };
  /** @type {Record<string, (input: UserValue) => Promise<unknown>>} */
  const jsSyscalls = {
    /** @param {UserValue} input */
    async "storage/storeBlob"(input) {
      if (!(input.blob instanceof Blob)) {
        throw new Error(
          "store() expects a Blob. If you are trying to store a Request, `await request.blob()` will give you the correct input.",
        );
      }
      const running = run(input.requestId);
      return storeBlob((op, args) => running.call(op, args), input, input.blob);
    },
    /** @param {UserValue} input */
    async "storage/getBlob"(input) {
      if (typeof input.storageId !== "string") {
        throw new Error(`storage.get requires a string storageId but received ${String(input.storageId)}`);
      }
      const running = run(input.requestId);
      return getBlob((op, args) => running.call(op, args), input);
    },
  };
  /** @type {any} */ (globalThis).Convex = {
    /** @param {UserValue} op */
    syscall(op) {
      throw new Error(DATABASE_OPERATION.test(op) ? NO_DATABASE : `Unknown operation ${op}`);
    },
    /** @param {UserValue} op @param {UserValue} text */
    async asyncSyscall(op, text) {
      if (typeof op !== "string" || typeof text !== "string") throw new TypeError("A syscall takes two strings");
      const args = parse(text);
      if (typeof args !== "object" || args === null) throw new TypeError("The arguments of a syscall are an object");
      if (DATABASE_OPERATION.test(op)) throw new Error(NO_DATABASE);
      return stringify(await run(args.requestId).call(checkName(op), checkArguments(text, args)));
    },
    /** @param {string} op @param {UserValue} input */
    jsSyscall(op, input) {
      if (!Object.hasOwn(jsSyscalls, op)) throw new Error(`Unknown JS syscall: ${op}`);
      return jsSyscalls[op](input);
    },
  };
}

/**
 * Sends what user code logs to the run that runs now.
 * @param {() => NodeRun|null} current
 */
export function captureConsole(current) {
  let logged = 0;
  /** @param {Level} level @param {unknown[]} args */
  const write = (level, args) => {
    const messages = args.map((value) => wellFormed(inspect(value)));
    logged += messages.reduce((sum, message) => sum + message.length, 0);
    if (logged <= MAX_LOGGED) current()?.logs.add(level, messages);
  };
  for (const [name, level] of LEVELS) console[name] = (...args) => write(level, args);
  console.trace = (...args) => {
    const { stack } = new Error();
    write("LOG", [...args, `\n${String(stack).split("\n").slice(2).join("\n")}`]);
  };
  const timers = new Map();
  console.time = (label = "default") => {
    if (timers.has(label)) current()?.logs.add("WARN", [`Timer '${label}' already exists`]);
    else timers.set(label, performance.now());
  };
  /** @param {string} label @param {unknown[]} rest */
  const report = (label, rest) => {
    if (!timers.has(label)) current()?.logs.add("WARN", [`Timer '${label}' does not exist`]);
    else
      current()?.logs.add("INFO", [
        `${label}: ${Math.round(performance.now() - timers.get(label))}ms`,
        ...rest.map((value) => inspect(value)),
      ]);
  };
  console.timeLog = (label = "default", ...rest) => report(label, rest);
  console.timeEnd = (label = "default") => {
    report(label, []);
    timers.delete(label);
  };
  return { reset: () => (logged = 0) };
}

/**
 * Names that CommonJS-style dependencies expect to be global.
 * @param {string} file
 * @param {string} folder
 */
export function installCommonJs(file, folder) {
  globalThis.require = createRequire(file);
  globalThis.module = /** @type {any} */ ({ exports: {} });
  globalThis.exports = globalThis.module.exports;
  globalThis.__dirname = folder;
  globalThis.__filename = file;
}

/** Reduces the environment to what user code may see. @param {Record<string, string>} variables */
export function replaceEnvironment(variables) {
  for (const name of Object.keys(process.env)) {
    if (!KEPT_VARIABLES.includes(name)) delete process.env[name];
  }
  Object.assign(process.env, variables);
}
