/** One query or mutation: from `run` to `done` or `failed`. */
import { CallQueue } from "./call_queue.mjs";
import { normalizeId } from "./document_ids.mjs";
import { Execution, Refusal } from "./execution.mjs";
import { CallError, findFunction, parseFunctionPath } from "./function_path.mjs";
import { ModuleError } from "./module_set.mjs";
import { QueryStreams } from "./query_streams.mjs";

const USER_TIME_LIMIT = 1_000_000_000n;
const TIMEOUT = "Function execution timed out (maximum duration: 1s)";
const TOP_LEVEL_AWAIT = "Top-level awaits in source files are unsupported";
const NEVER = "Returned promise will never resolve";

export class TransactionalExecution extends Execution {
  /** Nanoseconds of user time in finished steps. */
  userTime = 0n;
  #message;
  #path;
  #host;
  #realm = null;
  #calls = new CallQueue();
  #streams;
  #tables;
  #startedAt = performance.now();
  #localDrain = false;
  #operations = 0;
  #phase = "import";
  #namespace = null;
  /** What the handler's promise became: {value} or {reason}. */
  #outcome = null;
  #ended = false;

  /**
   * @param {object} deployment
   * @param {object} message  the `run` message
   * @param {{steps: object, channel: object, realms: object, onEnd: (id: number) => void}} host
   */
  constructor(deployment, message, host) {
    super(deployment, { now: message.now, seed: message.seed });
    this.id = message.id;
    this.#message = message;
    this.#path = parseFunctionPath(message.path);
    this.#host = host;
    this.#streams = new QueryStreams(message.kind === "query");
    this.#tables = new Map(Object.entries(message.tables ?? {}));
    this.userTime = BigInt(Math.round((message.userMsUsed ?? 0) * 1e6));
  }

  start() {
    this.#host.steps.enqueue(this, () => this.#begin());
  }

  cancel() {
    this.#end();
  }

  performanceNow() {
    if (this.#message.kind === "query") return super.performanceNow();
    return super.performanceNow() + Math.floor((performance.now() - this.#startedAt) * 10) / 10;
  }

  // ---- steps --------------------------------------------------------------------------------------------------

  #begin() {
    if (this.#ended) return;
    try {
      const instance = this.#host.realms.instance(this.deployment, this.#path.module, (realm) => {
        this.#realm = realm;
      });
      this.logs.addAll(instance.imported.logs.take());
      for (const name of instance.imported.envRead) this.envRead.add(name);
      this.fatalFailure = instance.imported.fatalFailure;
      this.unhandled = instance.imported.unhandled;
      if (typeof instance.namespace.then === "function" && !Object.hasOwn(instance.namespace, "then")) {
        instance.namespace.then(
          (namespace) => (this.#namespace = namespace),
          (reason) => (this.#outcome = { reason }),
        );
      } else {
        this.#invoke(instance.namespace);
      }
    } catch (error) {
      this.#outcome = { reason: error };
    }
  }

  #invoke(namespace) {
    this.#phase = "run";
    this.#realm.execution = this;
    const { target, method } = findFunction(namespace, this.#path, this.#message.kind);
    this.#realm.api.settle(
      target,
      method,
      [JSON.stringify([this.#message.args])],
      (value) => (this.#outcome ??= { value }),
      (reason) => (this.#outcome ??= { reason }),
    );
  }

  /** Called when a step's microtasks have drained and unhandled rejections have been reported. */
  settle() {
    if (this.#ended) return;
    if (this.fatalFailure !== null) return this.#fail(this.fatalFailure);
    if (this.unhandled !== null) return this.#failWith(this.unhandled.reason);
    if (this.#outcome !== null && "reason" in this.#outcome) return this.#failWith(this.#outcome.reason);
    if (this.userTime > USER_TIME_LIMIT) return this.#fail({ message: TIMEOUT }, "timeout");
    if (this.#phase === "import") return this.#leaveImport();
    this.#proceed();
  }

  #leaveImport() {
    if (this.#namespace === null) return this.#fail({ message: `Uncaught Error: ${TOP_LEVEL_AWAIT}`, frames: [] });
    this.#host.steps.enqueue(this, () => {
      try {
        this.#invoke(this.#namespace);
      } catch (error) {
        this.#outcome = { reason: error };
      }
    });
  }

  #proceed() {
    const state = this.#calls.advance();
    if (state === "waiting") {
      this.#sendCalls(this.#calls.takeOutgoing());
    } else if (state !== "idle") {
      this.#host.steps.enqueue(this, () => this.#deliver());
    } else if (this.#operations === 0) {
      if (this.#outcome === null) this.#fail({ message: NEVER });
      else this.#succeed(this.#outcome.value);
    }
  }

  #deliver() {
    if (this.#ended) return;
    for (const call of this.#calls.takeAnswered()) {
      const { value, failure } = call.answer;
      if (failure !== undefined) {
        if (call.stream !== null) this.#streams.drop(call.stream.id);
        call.reject(failure);
        continue;
      }
      if (call.stream?.isDone && value.startsWith('{"value":null,"done":true')) this.#streams.drop(call.stream.id);
      call.resolve(value);
    }
  }

  /** Answers calls from rows at hand within the running step, once its microtasks have drained. */
  #drainLocally() {
    this.#localDrain = false;
    if (this.#ended || this.fatalFailure !== null || this.unhandled !== null || this.#calls.isOutstanding) return;
    if (this.#outcome !== null && "reason" in this.#outcome) return;
    if (this.#calls.advance() === "local") this.#deliver();
  }

  // ---- the engine's answers -----------------------------------------------------------------------------------

  receive({ replies, tables }) {
    if (this.#ended) return;
    for (const [name, number] of Object.entries(tables ?? {})) this.#tables.set(name, number);
    const complete = this.#calls.receive(replies);
    if (complete) this.#host.steps.enqueue(this, () => this.#deliver());
  }

  #sendCalls(texts) {
    if (texts.length > 0) this.#host.channel.sendText(`{"type":"syscall","id":${this.id},"calls":[${texts.join(",")}]}`);
  }

  // ---- what the realm's globals ask ---------------------------------------------------------------------------

  syscall(count, op, text) {
    const args = this.#parse(count, text);
    switch (op) {
      case "1.0/queryStream":
        return JSON.stringify({ queryId: this.#streams.open(args.query) });
      case "1.0/queryCleanup":
        return JSON.stringify(this.#cleanUp(args.queryId));
      case "1.0/db/normalizeId":
        return JSON.stringify({ id: this.#normalizeId(args) });
      case "1.0/getSnapshotTs":
        return this.#snapshotTs();
      case "1.0/componentArgument":
        throw new Refusal("Component arguments are not available within the app");
      default:
        throw new Refusal(`Unknown operation ${op}`);
    }
  }

  #parse(count, text) {
    if (count !== 2) throw new Refusal(this.fatal("A syscall takes an operation and its arguments").message);
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Refusal(`Received invalid json: ${error.message}`);
    }
  }

  #cleanUp(queryId) {
    const stream = this.#streams.get(queryId);
    if (stream === undefined) return false;
    this.#streams.drop(queryId);
    this.#calls.cleanUp(stream);
    return true;
  }

  #normalizeId({ table, idString }) {
    if (typeof table !== "string" || typeof idString !== "string") {
      throw new Refusal("Invalid arguments for `db.normalizeId`: expected two strings");
    }
    const number = this.#tables.get(table);
    return number === undefined ? null : normalizeId(number, idString);
  }

  #snapshotTs() {
    this.usedClock = true;
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(this.#message.snapshotTs));
    return JSON.stringify({ $integer: bytes.toString("base64") });
  }

  asyncSyscall(count, op, text, resolve, reject) {
    if (this.#ended) return;
    let args;
    try {
      args = this.#parse(count, text);
    } catch (error) {
      reject({ message: error.message });
      return;
    }
    if (op !== "1.0/queryStreamNext") {
      // One line is one message: text with line breaks between its tokens is written anew.
      const line = text.includes("\n") ? JSON.stringify(args) : text;
      this.#calls.push({ op: String(op), args: line, resolve, reject });
      return;
    }
    const stream = this.#streams.get(args.queryId);
    if (stream === undefined) {
      reject({ message: "in-progress query not found" });
      return;
    }
    this.#calls.push({ op, args: text, resolve, reject, stream });
    if (!this.#localDrain && stream.isReady) {
      this.#localDrain = true;
      queueMicrotask(() => process.nextTick(() => this.#drainLocally()));
    }
  }

  refusal(what) {
    return {
      type: "Error",
      message:
        `Can't use ${what} in queries and mutations. Please consider using an action. ` +
        "See https://docs.convex.dev/functions/actions for more details.",
    };
  }

  beginOperation() {
    this.#operations += 1;
    return {
      finish: (deliver) => {
        if (this.#ended) return;
        this.#operations -= 1;
        this.#host.steps.enqueue(this, deliver);
      },
    };
  }

  // ---- the end ------------------------------------------------------------------------------------------------

  #succeed(value) {
    if (typeof value !== "string") {
      this.#fail({ message: `Function ${this.#message.path} return value invalid: expected JSON text` });
      return;
    }
    const result = value.includes("\n") ? JSON.stringify(JSON.parse(value)) : value;
    this.#sendCalls(this.#calls.takeCleanups());
    this.#finish(`{"type":"done","id":${this.id},"result":${result},${this.#report()}}`);
  }

  #failWith(reason) {
    if (reason instanceof CallError || reason instanceof ModuleError) this.#fail({ message: reason.message });
    else this.#fail(this.#realm.describe(reason));
  }

  /** @param {import("./failures.mjs").Failure} failure */
  #fail({ message, frames = [], data }, kind = "user") {
    const error = `{"message":${JSON.stringify(message)},"frames":${JSON.stringify(frames)}${data === undefined ? "" : `,"data":${data}`}}`;
    this.#sendCalls(this.#calls.takeCleanups());
    this.#finish(`{"type":"failed","id":${this.id},"error":${error},"kind":"${kind}",${this.#report()}}`);
  }

  #report() {
    const usage = {
      userMs: Math.round(Number(this.userTime) / 1e3) / 1e3,
      usedClock: this.usedClock,
      usedRandom: this.usedRandom,
      envRead: [...this.envRead],
      unawaited: [],
    };
    return `"logs":${JSON.stringify(this.logs.take())},"usage":${JSON.stringify(usage)}`;
  }

  #finish(text) {
    this.#host.channel.sendText(text);
    this.#end();
  }

  #end() {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#realm !== null) {
      if (this.#operations > 0 || this.#phase === "import") this.#realm.tainted = true;
      this.#host.realms.release(this.#realm, this.deployment, this.#path.module);
    }
    this.#host.onEnd(this.id);
  }
}
