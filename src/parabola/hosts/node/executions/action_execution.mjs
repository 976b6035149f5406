/** One action of the default runtime: the real clock, the network, timers, and calls that run beside each other. */
import { randomBytes } from "node:crypto";
import { Refusal } from "./execution.mjs";
import { fetchOverHttp } from "../fetching.mjs";
import { Invocation, NEVER_RESOLVES } from "./invocation.mjs";
import { limits } from "../limits.mjs";
import { LogLines } from "../log_lines.mjs";
import { OperationQueue } from "./operation_queue.mjs";
import { writeText } from "../plain_json.mjs";
import { getBlob, storeBlob } from "./storage.mjs";
import { Timers } from "./timers.mjs";

export class ActionExecution extends Invocation {
  allowsDynamicImport = true;
  operations = new OperationQueue();
  /** Aborted when the action has ended: what it left running goes with it. */
  leftovers = new AbortController();
  #timers = new Timers((callback) => this.enterStep(callback));
  #calls = new Map();
  #callNumbers = 0;
  #startedAt = performance.now();
  #deadline;

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
    if (this.outcome !== null) this.succeed(this.outcome.value);
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
   */
  queueOperation(name, start) {
    this.operations.add(name, (operation) => {
      start((deliver) => {
        this.operations.finish(operation);
        if (!this.ended) this.enterStep(deliver);
      });
    });
  }

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

  #deliver(deliver) {
    if (this.ended) return;
    if (this.host.steps.active === this) deliver();
    else this.enterStep(deliver);
  }

  setTimer(callback, delay, repeat) {
    return this.#timers.set(callback, delay, repeat);
  }

  clearTimer(id) {
    this.#timers.clear(id);
  }

  timerRefusal() {
    return undefined;
  }

  refusal() {
    return undefined;
  }

  fetch(input, init, resolve, reject) {
    this.queueOperation("fetch", (finish) => {
      fetchOverHttp(input, init, this.leftovers.signal).then(
        (response) => finish(() => resolve(response)),
        (error) => finish(() => reject(error)),
      );
    });
  }

  storeBlob(args, blob, resolve, reject) {
    this.#useStorage("storage.store", () => storeBlob(this.#call, args, blob), resolve, reject);
  }

  getBlob(args, resolve, reject) {
    this.#useStorage("storage.get", () => getBlob(this.#call, args), resolve, reject);
  }

  #useStorage(name, work, resolve, reject) {
    this.queueOperation(name, (finish) => {
      work().then(
        (value) => finish(() => resolve(value)),
        (error) => finish(() => reject({ message: error.message, data: error.data })),
      );
    });
  }

  #call = (op, args) =>
    new Promise((resolve, reject) => {
      this.callEngine(op, args, ({ value, error }) => {
        if (error === undefined) resolve(value ?? null);
        else reject(Object.assign(new Error(error.message), { data: error.data && JSON.stringify(error.data) }));
      });
    });

  importModule(path) {
    return this.modules.instantiate(this.realm, path, this.instance.instances).namespace;
  }

  // ---- syscalls -----------------------------------------------------------------------------------------------

  syscall(count, op, text) {
    this.parseArguments(count, op, text);
    throw new Refusal(`Unknown operation ${op}`);
  }

  startCall(op, call, resolve, reject) {
    this.queueOperation(op, (finish) => {
      this.callEngine(op, call.text, (reply) => finish(() => settle(reply, resolve, reject)));
    });
  }

  /** Sends one call. `onReply` gets {value} or {error}. */
  callEngine(op, args, onReply) {
    const number = ++this.#callNumbers;
    this.#calls.set(number, onReply);
    this.host.channel.sendText(
      `{"type":"syscall","id":${this.id},"calls":[{"call":${number},"op":${writeText(op)},"args":${args}}]}`,
    );
  }

  receive({ replies }) {
    for (const reply of replies) {
      const onReply = this.#calls.get(reply.call);
      this.#calls.delete(reply.call);
      if (!this.ended) onReply?.(reply);
    }
  }
}

function settle({ value, error }, resolve, reject) {
  if (error === undefined) resolve(JSON.stringify(value ?? null));
  else reject({ message: error.message, data: error.data === undefined ? undefined : JSON.stringify(error.data) });
}
