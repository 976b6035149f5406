/** Evaluates one module for analysis: to its end, within a time limit, with what it logged at hand if it fails. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { CallError } from "../function_path.mjs";
import { ModuleError } from "../modules/module_set.mjs";
import { UnsendableValue } from "../outgoing_values.mjs";
import { Realm } from "../realm.mjs";
import { TimeLimitExceeded, withTimeLimit } from "../executions/time_limit.mjs";
/** @import { Execution } from "../executions/execution.mjs" */
/** @import { ModuleSet } from "../modules/module_set.mjs" */
/** @import { UserValue } from "../types/protocol" */

const SHOWN_LOG_LINES = 100;
const TOP_LEVEL_AWAIT = "Uncaught Error: Top-level awaits in source files are unsupported";

/** A refusal of an analysis, in the words for the developer. */
export class AnalysisError extends Error {
  /** @param {string} message @param {string} [code] */
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/** The realm of the module before, which costs less to clean than to make anew. @type {Realm|null} */
let used = null;

function takeRealm() {
  const realm = used;
  used = null;
  return realm?.clean() ? realm : new Realm();
}

/** Forgets the last module that was evaluated. */
export function forgetModule() {
  used = null;
}

/**
 * @param {ModuleSet} modules
 * @param {string} path
 * @param {Execution} execution  what the module may do meanwhile
 * @param {{prefix: string, seconds: number}} options  how a failure begins; the limit of user time
 * @param {(namespace: UserValue, realm: Realm) => T} use  reads the namespace; may run code of the module
 * @returns {Promise<T>}
 * @template T
 */
export async function evaluateModule(modules, path, execution, { prefix, seconds }, use) {
  const realm = takeRealm();
  realm.execution = execution;
  execution.moduleSet = modules;
  /** @param {string} text */
  const fail = (text) => new AnalysisError(`${prefix}${text}${logTail(execution)}`, execution.failureCode);
  try {
    const { namespace: made, isPending } = withTimeLimit(seconds, () =>
      modules.instantiate(realm, path, modules.newInstances()),
    );
    let namespace = isPending ? undefined : made;
    if (isPending)
      made.then(
        (/** @type {UserValue} */ value) => (namespace = value),
        (/** @type {UserValue} */ reason) => (execution.unhandled ??= { reason }),
      );
    // Microtasks drain, and unhandled rejections are reported.
    await nextTurn();
    if (execution.unhandled !== null) throw execution.unhandled.reason;
    if (namespace === undefined) throw new CallError(TOP_LEVEL_AWAIT);
    const found = withTimeLimit(seconds, () => use(namespace, realm));
    if (execution.fatalFailure !== null) throw new CallError(execution.fatalFailure.message);
    if (!isPending) used = realm;
    return found;
  } catch (error) {
    if (error instanceof AnalysisError) throw error;
    if (execution.fatalFailure !== null) throw fail(execution.fatalFailure.message);
    if ([CallError, ModuleError, TimeLimitExceeded, UnsendableValue].some((known) => error instanceof known))
      throw fail(/** @type {Error} */ (error).message);
    const { message, frames = [] } = realm.describe(error);
    throw fail([message, ...frames.map((frame) => `    at ${frame}`), ""].join("\n"));
  }
}

/** @param {Execution} execution */
function logTail(execution) {
  const lines = execution.logs.take().slice(-SHOWN_LOG_LINES);
  return lines.length === 0
    ? ""
    : `\n\n${lines.map((line) => `[${line.level}] ${line.messages.join(" ")}`).join("\n")}`;
}
