/**
 * One call of one function: from `run` to `done` or `failed`.
 *
 * The parts that depend on the kind of function are left to the subclasses: what pending work is, and when the
 * call is over.
 */
import { Execution } from "./execution.mjs";
import { memoryText, MemoryUse } from "./memory.mjs";
import { CallError, findFunction, parseFunctionPath } from "../function_path.mjs";
import { ModuleError } from "../modules/module_set.mjs";
import { MessageTooLong } from "../channel.mjs";
import { limits } from "../limits.mjs";
import { checkValue, humanize, UnsendableValue } from "../outgoing_values.mjs";
import { writeJson, writeText } from "../plain_json.mjs";
/** @import { Deployment } from "../deployment.mjs" */
/** @import { Refusal } from "./execution.mjs" */
/** @import { ImportPhase } from "./import_execution.mjs" */
/** @import { RunHost } from "../types/host" */
/** @import { LogLines } from "../log_lines.mjs" */
/** @import { Failure, FailureKind, FunctionKind, Raised, Reply, Run, UserValue } from "../types/protocol" */
/** @import { Settle } from "../types/realm" */
/** @import { Realm } from "../realm.mjs" */
/** @import { Instance } from "../realm_pool.mjs" */

const TOP_LEVEL_AWAIT = "Top-level awaits in source files are unsupported";
export const NEVER_RESOLVES = "Returned promise will never resolve";

/** @typedef {{value: UserValue}|{reason: UserValue}} Outcome */

/** What the handler's promise has become, which has not been rejected. @param {Outcome} outcome @returns {UserValue} */
export const valueOf = (outcome) => /** @type {{value: UserValue}} */ (outcome).value;

export class FunctionRun extends Execution {
  /** Nanoseconds of user time in finished steps; of this call alone. */
  userTime = 0n;
  /** What its callers, and what it has called, have used of a time that all of them share. */
  othersTime = 0n;
  memory = new MemoryUse();
  isOverMemory = false;
  ended = false;
  /** Steps that wait for their turn. */
  stepsAhead = 0;
  /** Where it runs, from its first step on. @type {Realm} */
  realm = /** @type {any} */ (null);
  /** What the handler's promise became: {value} or {reason}. @type {Outcome|null} */
  outcome = null;
  /** Set with the realm, unless the module throws. @type {Instance|null} */
  instance = null;
  #phase = "import";
  /** @type {UserValue} */
  #namespace = null;
  /** What a call is told that has used up its time. */
  timeoutText = "";

  /**
   * @param {Deployment} deployment
   * @param {Run} message
   * @param {RunHost} host
   * @param {{importPhase: ImportPhase, logs?: LogLines}} options
   */
  constructor(deployment, message, host, { importPhase, logs }) {
    super(deployment, { now: message.now, seed: message.seed, logs });
    this.id = message.id;
    this.message = message;
    this.name = message.path;
    this.path = parseFunctionPath(message.path);
    this.isNested = message.nested === true;
    this.host = host;
    this.importPhase = importPhase;
  }

  start() {
    this.enterStep(() => this.#begin());
  }

  cancel() {
    this.end();
  }

  /**
   * Runs `action`, which may enter user code, as a step of its own. What it throws fails the call.
   * @param {() => void} action
   */
  enterStep(action) {
    this.stepsAhead += 1;
    this.host.steps.enqueue(this, () => {
      this.stepsAhead -= 1;
      if (!this.ended) this.enter(action);
    });
  }

  /** Runs `action`, which may enter user code, within a step. What it throws fails the call. @param {() => void} action */
  enter(action) {
    try {
      action();
    } catch (error) {
      this.outcome ??= { reason: error };
    }
  }

  // ---- the beginning ------------------------------------------------------------------------------------------

  #begin() {
    const { deployment, path, importPhase } = this;
    const instance = (this.instance = this.host.realms.instance(
      deployment,
      path.module,
      importPhase,
      (/** @type {Realm} */ realm) => {
        this.realm = realm;
      },
    ));
    this.logs.addAll(instance.imported.logs.take());
    for (const name of instance.imported.envRead) this.envRead.add(name);
    this.fatalFailure = instance.imported.fatalFailure;
    this.unhandled = instance.imported.unhandled;
    if (!instance.isPending) return this.#invoke(instance.namespace);
    instance.namespace.then(
      (/** @type {UserValue} */ namespace) => (this.#namespace = namespace),
      (/** @type {UserValue} */ reason) => (this.outcome = { reason }),
    );
  }

  /** @param {UserValue} namespace */
  #invoke(namespace) {
    this.#phase = "run";
    this.realm.execution = this;
    this.invoke(namespace);
  }

  /**
   * Calls the function of the namespace. Subclasses may find and call it otherwise.
   * @param {UserValue} namespace
   */
  invoke(namespace) {
    const kind = /** @type {FunctionKind} */ (this.message.kind);
    const { target, method } = findFunction(namespace, this.path, kind);
    this.callMethod(target, method, [...this.leadingArguments, JSON.stringify([this.message.args])]);
  }

  /** What the entry of the function's kind takes before its arguments. @returns {string[]} */
  get leadingArguments() {
    return [];
  }

  /** @param {UserValue} target @param {string} method @param {unknown[]} args */
  callMethod(target, method, args) {
    this.realm.api.settle(
      target,
      method,
      args,
      (value) => (this.outcome ??= { value }),
      (reason) => (this.outcome ??= { reason }),
    );
  }

  // ---- between steps ------------------------------------------------------------------------------------------

  /**
   * Called before `settle`: enters user code again if it can go on at once, within the same step.
   * @returns {boolean} whether it has
   */
  goOn() {
    return false;
  }

  /** Called when a step's microtasks have drained and unhandled rejections have been reported. */
  settle() {
    if (this.ended) return;
    if (this.isOverMemory) this.failForMemory();
    else if (this.fatalFailure !== null) this.fail(this.fatalFailure);
    else if (this.unhandled !== null) this.failWith(this.unhandled.reason);
    else if (this.outcome !== null && "reason" in this.outcome) this.failWith(this.outcome.reason);
    else if (this.isOverTime()) this.fail({ message: this.timeoutText }, "timeout");
    else if (this.#phase === "run") this.proceed();
    else if (this.#namespace === null) this.fail({ message: `Uncaught Error: ${TOP_LEVEL_AWAIT}` });
    else this.enterStep(() => this.#invoke(this.#namespace));
  }

  isOverTime() {
    return false;
  }

  failForMemory() {
    this.fail({ message: memoryText() }, "memory");
  }

  /** Decides what is next: wait, hand out answers, or end. */
  proceed() {}

  /**
   * Begins a call of the engine.
   * @param {string} op
   * @param {{args: UserValue, text: string}} _call
   * @param {Settle<string>} _resolve
   * @param {Settle<Raised>} reject
   */
  startCall(op, _call, _resolve, reject) {
    reject({ message: `Unknown operation ${op}` });
  }

  /** Answers of the engine have come. @param {Reply} _message */
  receive(_message) {}

  // ---- the end ------------------------------------------------------------------------------------------------

  /** @param {UserValue} value */
  succeed(value) {
    try {
      this.finish("done", `"result":${resultText(value, this.message.path)}`);
    } catch (error) {
      if (!(error instanceof UnsendableValue)) throw error;
      this.fail({ message: error.message });
    }
  }

  /** @param {UserValue} reason */
  failWith(reason) {
    if (reason instanceof CallError || reason instanceof ModuleError) this.fail({ message: reason.message });
    else this.fail(this.realm.describe(reason));
  }

  /** @param {Failure} failure @param {FailureKind} kind */
  fail(failure, kind = "user") {
    this.finish("failed", failureFields(failure, kind));
  }

  /**
   * Ends the call although something of the host's own went wrong on the way to its answer.
   * @param {UserValue} error
   */
  abort(error) {
    if (this.ended) return;
    const message = `The function's answer could not be written: ${textOf(error)}`;
    this.host.channel.send({ type: "failed", id: this.id, kind: "user", error: { message }, logs: [], usage: {} });
    this.end();
  }

  /**
   * The last message. `fields` is JSON text of what is particular to it.
   * @param {"done"|"failed"} type
   * @param {string} fields
   */
  finish(type, fields) {
    const usage = writeJson({
      userMs: this.userMs,
      usedClock: this.usedClock,
      usedRandom: this.usedRandom,
      usedSnapshotTs: this.usedSnapshotTs,
      envRead: [...this.envRead],
      unawaited: this.unawaited(),
    });
    const lines = this.logs.take();
    /** @param {string} logs */
    const message = (logs) => `{"type":"${type}","id":${this.id},${fields},"logs":${logs},"usage":${usage}}`;
    try {
      this.host.channel.sendText(message(writeJson(lines)));
    } catch (error) {
      if (!(error instanceof MessageTooLong)) throw error;
      // The lines may take as much as the rest.
      for (const line of lines) this.host.channel.send({ type: "log", id: this.id, lines: [line] });
      this.#sendAlone(message("[]"), usage);
    }
    this.end();
  }

  /** @param {string} message @param {string} usage */
  #sendAlone(message, usage) {
    try {
      this.host.channel.sendText(message);
    } catch (error) {
      if (!(error instanceof MessageTooLong)) throw error;
      const text = `Function ${this.message.path} return value is too large to be sent (limit: ${humanize(limits.messageBytes)} of JSON)`;
      this.host.channel.sendText(
        `{"type":"failed","id":${this.id},${failureFields({ message: text }, "user")},"logs":[],"usage":${usage}}`,
      );
    }
  }

  /** User time of this call in milliseconds. */
  get userMs() {
    return Math.round(Number(this.userTime) / 1e3) / 1e3;
  }

  /** Names of operations that the call leaves behind. @returns {string[]} */
  unawaited() {
    return [];
  }

  /** Whether something may still enter the realm after the end. */
  isDangling() {
    return false;
  }

  end() {
    if (this.ended) return;
    this.ended = true;
    if (this.instance !== null && this.#phase === "run") {
      this.realm.tainted ||= this.isDangling() || this.isOverMemory;
      this.host.realms.release(this.instance);
    } else if (this.realm !== null) {
      this.realm.execution = null;
    }
    this.host.onEnd(this);
  }

  /**
   * A call of the engine: refused here when it is none, else begun by `startCall` with its parsed arguments.
   * @param {number} count
   * @param {UserValue} op
   * @param {UserValue} text
   * @param {Settle<string>} resolve
   * @param {Settle<Raised>} reject
   */
  asyncSyscall(count, op, text, resolve, reject) {
    if (this.ended) return;
    let call;
    try {
      call = this.parseArguments(count, op, text);
    } catch (error) {
      const { type, message } = /** @type {Refusal} */ (error);
      reject({ type, message });
      return;
    }
    this.startCall(op, call, resolve, reject);
  }
}

/**
 * JSON text of what a function returned. Throws UnsendableValue with the sentence for its author.
 * @param {unknown} value
 * @param {string} path
 */
export function resultText(value, path) {
  if (typeof value !== "string") throw new UnsendableValue(`Function ${path} return value invalid: expected JSON text`);
  let checked;
  try {
    checked = checkValue(value, limits.resultBytes);
  } catch (error) {
    if (error instanceof UnsendableValue) error.message = `Function ${path} return value invalid: ${error.message}`;
    throw error;
  }
  if (checked.size === null) return checked.text;
  throw new UnsendableValue(
    `Function ${path} return value is too large (actual: ${humanize(checked.size)}, limit: ${humanize(limits.resultBytes)})`,
  );
}

/**
 * JSON text of what `failed` says of a failure, whose data is JSON text that has been checked.
 * @param {Failure} failure
 * @param {FailureKind} kind
 */
export function failureFields({ message, frames = [], data }, kind) {
  const more = data === undefined ? "" : `,"data":${data}`;
  return `"error":{"message":${writeText(message)},"frames":${writeJson(frames)}${more}},"kind":"${kind}"`;
}

/** @param {UserValue} error */
function textOf(error) {
  try {
    return String(error?.message ?? error);
  } catch {
    return "an exception without a text";
  }
}
