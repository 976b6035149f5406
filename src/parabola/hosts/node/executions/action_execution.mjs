/** One action of the default runtime: the real clock, the network, timers, and calls that run beside each other. */
import { randomBytes } from "node:crypto";
import { Refusal } from "./execution.mjs";
import { fetchOverHttp } from "../fetching.mjs";
import { FunctionRun, NEVER_RESOLVES, valueOf } from "./function_run.mjs";
import { limits } from "../limits.mjs";
import { LogLines } from "../log_lines.mjs";
import { OperationQueue } from "./operation_queue.mjs";
import { writeText } from "../plain_json.mjs";
import { getBlob, storeBlob } from "./storage.mjs";
import { Timers } from "./timers.mjs";
/** @import { Deployment } from "../deployment.mjs" */
/** @import { RunHost } from "../types/host" */
/** @import { EngineAnswer, GetArguments, Raised, Reply, Run, StoreArguments, UserValue } from "../types/protocol" */
/** @import { HostOperation, Settle } from "../types/realm" */
/** @import { Instance } from "../realm_pool.mjs" */

export class ActionExecution extends FunctionRun {
  allowsDynamicImport = true;
  operations = new OperationQueue();
  /** Aborted when the action has ended: what it left running goes with it. */
  leftovers = new AbortController();
  #timers = new Timers((callback) => this.enterStep(callback));
  /** @type {Map<number, (answer: EngineAnswer) => void>} */
  #calls = new Map();
  #callNumbers = 0;
  #startedAt = performance.now();
  #deadline;

  /**
   * @param {Deployment} deployment
   * @param {Run} message
   * @param {RunHost} host
   */
  constructor(deployment, message, host) {
    const logs = new LogLines((line) => host.channel.send({ type: "log", id: message.id, lines: [line] }));
    super(deployment, { ...message, seed: randomBytes(32).toString("hex") }, host, { importPhase: "action", logs });
    const seconds = limits.actionSeconds;
    const text = `Function execution timed out (maximum duration: ${seconds}s)`;
    this.#deadline = setTimeout(() => this.fail({ message: text }, "timeout"), seconds * 1000);
  }

  get leadingArguments() {
    return [this.message.requestId];
  }

  now() {
    return Date.now();
  }

  performanceNow() {
    return Math.floor((performance.now() - this.#startedAt) * 10) / 10;
  }

  // ---- between steps ------------------------------------------------------------------------------------------

  proceed() {
    if (this.outcome !== null) this.succeed(valueOf(this.outcome));
    else if (this.isStuck()) this.fail({ message: NEVER_RESOLVES }, "stuck");
  }

  /** Whether nothing can happen any more that the handler might wait for. */
  isStuck() {
    return this.stepsAhead === 0 && !this.isDangling();
  }

  unawaited() {
    return this.operations.pending;
  }

  isDangling() {
    return !this.operations.isEmpty || !this.#timers.isEmpty;
  }

  end() {
    if (this.ended) return;
    clearTimeout(this.#deadline);
    super.end();
    this.operations.clear();
    this.#timers.clearAll();
    this.leftovers.abort();
  }

  // ---- operations ---------------------------------------------------------------------------------------------

  /**
   * Queues work that ends by calling `finish(deliver)`; `deliver` then runs as a step.
   * @param {(finish: (deliver: () => void) => void) => void} start
   * @param {string} name
   */
  queueOperation(name, start) {
    this.operations.add(name, (operation) => {
      start((deliver) => {
        this.operations.finish(operation);
        if (!this.ended) this.enterStep(deliver);
      });
    });
  }

  /** @param {string} name @param {boolean} isCounted @returns {HostOperation} */
  beginOperation(name, isCounted) {
    if (!isCounted) return { finish: (deliver) => this.#deliver(deliver) };
    const begun = { name };
    this.operations.track(begun);
    return {
      finish: (deliver) => {
        this.operations.finish(begun);
        this.#deliver(deliver);
      },
    };
  }

  /** @param {() => void} deliver */
  #deliver(deliver) {
    if (this.ended) return;
    if (this.host.steps.active === this) deliver();
    else this.enterStep(deliver);
  }

  /** @param {() => void} callback @param {number} delay @param {boolean} repeat */
  setTimer(callback, delay, repeat) {
    return this.#timers.set(callback, delay, repeat);
  }

  /** @param {number} id */
  clearTimer(id) {
    this.#timers.clear(id);
  }

  timerRefusal() {
    return undefined;
  }

  refusal() {
    return undefined;
  }

  /**
   * @param {UserValue} input
   * @param {UserValue} init
   * @param {Settle<Response>} resolve
   * @param {Settle<unknown>} reject
   */
  fetch(input, init, resolve, reject) {
    this.queueOperation("fetch", (finish) => {
      fetchOverHttp(input, init, this.leftovers.signal, this.message.trace).then(
        (response) => finish(() => resolve(response)),
        (error) => finish(() => reject(error)),
      );
    });
  }

  /**
   * @param {StoreArguments} args
   * @param {Blob} blob
   * @param {Settle<UserValue>} resolve
   * @param {Settle<Raised>} reject
   */
  storeBlob(args, blob, resolve, reject) {
    this.#useStorage("storage.store", () => storeBlob(this.#call, args, blob), resolve, reject);
  }

  /**
   * @param {GetArguments} args
   * @param {Settle<Blob|null>} resolve
   * @param {Settle<Raised>} reject
   */
  getBlob(args, resolve, reject) {
    this.#useStorage("storage.get", () => getBlob(this.#call, args), resolve, reject);
  }

  /**
   * @template T
   * @param {string} name
   * @param {() => Promise<T>} work
   * @param {Settle<T>} resolve
   * @param {Settle<Raised>} reject
   */
  #useStorage(name, work, resolve, reject) {
    this.queueOperation(name, (finish) => {
      work().then(
        (value) => finish(() => resolve(value)),
        (error) => finish(() => reject({ message: error.message, data: error.data })),
      );
    });
  }

  /** @param {string} op @param {string} args @returns {Promise<UserValue>} */
  #call = (op, args) =>
    new Promise((resolve, reject) => {
      this.callEngine(op, args, ({ value, error }) => {
        if (error === undefined) resolve(value ?? null);
        else reject(Object.assign(new Error(error.message), { data: error.data && JSON.stringify(error.data) }));
      });
    });

  /** @param {string} path */
  importModule(path) {
    return this.modules.instantiate(this.realm, path, /** @type {Instance} */ (this.instance).instances).namespace;
  }

  // ---- syscalls -----------------------------------------------------------------------------------------------

  /** @param {number} count @param {UserValue} op @param {UserValue} text @returns {string} */
  syscall(count, op, text) {
    this.parseArguments(count, op, text);
    throw new Refusal(`Unknown operation ${op}`);
  }

  /**
   * @param {string} op
   * @param {{args: UserValue, text: string}} call
   * @param {Settle<string>} resolve
   * @param {Settle<Raised>} reject
   */
  startCall(op, call, resolve, reject) {
    this.queueOperation(op, (finish) => {
      this.callEngine(op, call.text, (reply) => finish(() => settle(reply, resolve, reject)));
    });
  }

  /**
   * Sends one call. `onReply` gets {value} or {error}.
   * @param {string} op
   * @param {string} args
   * @param {(answer: EngineAnswer) => void} onReply
   */
  callEngine(op, args, onReply) {
    const number = ++this.#callNumbers;
    this.#calls.set(number, onReply);
    this.host.channel.sendText(
      `{"type":"syscall","id":${this.id},"calls":[{"call":${number},"op":${writeText(op)},"args":${args}}]}`,
    );
  }

  /** @param {Reply} message */
  receive({ replies }) {
    for (const reply of replies) {
      const onReply = this.#calls.get(reply.call);
      this.#calls.delete(reply.call);
      if (!this.ended) onReply?.(reply);
    }
  }
}

/** @param {EngineAnswer} answer @param {Settle<string>} resolve @param {Settle<Raised>} reject */
function settle({ value, error }, resolve, reject) {
  if (error === undefined) resolve(JSON.stringify(value ?? null));
  else reject({ message: error.message, data: error.data === undefined ? undefined : JSON.stringify(error.data) });
}
