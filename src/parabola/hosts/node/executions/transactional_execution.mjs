/** One query or mutation: frozen clock, calls in order, nothing that reaches beyond the transaction. */
import { AnswersAhead } from "./answers_ahead.mjs";
import { CallQueue } from "./call_queue.mjs";
import { normalizeId } from "../document_ids.mjs";
import { Refusal } from "./execution.mjs";
import { FunctionRun, NEVER_RESOLVES, valueOf } from "./function_run.mjs";
import { limits } from "../limits.mjs";
import { writeJson } from "../plain_json.mjs";
import { QueryStreams, STREAM_END } from "./query_streams.mjs";
/** @import { Deployment } from "../deployment.mjs" */
/** @import { RunHost } from "../types/host" */
/** @import { Raised, Reply, Run, UserValue } from "../types/protocol" */
/** @import { HostOperation, Settle } from "../types/realm" */

const ACTION_HINT = "Please consider using an action. See https://docs.convex.dev/functions/actions for more details.";

/** @param {string} what */
export const transactionalRefusal = (what) => `Can't use ${what} in queries and mutations. ${ACTION_HINT}`;

export class TransactionalExecution extends FunctionRun {
  timeoutText = `Function execution timed out (maximum duration: ${limits.userSeconds}s)`;
  #userTimeLimit = BigInt(Math.round(limits.userSeconds * 1e9));
  /** @type {AnswersAhead|null} */
  #ahead;
  /** How many of its reads have been told to be used. */
  #usedAsTold = 0;
  #calls;
  #streams;
  /** The numbers of tables as they have come, of which the later ones count. @type {Record<string, number>[]} */
  #tables = [];
  #startedAt = performance.now();
  #localDrain = false;
  #operations = 0;
  /** @type {string[]|null} */
  #unawaited = null;

  /**
   * @param {Deployment} deployment
   * @param {Run} message
   * @param {RunHost} host
   */
  constructor(deployment, message, host) {
    super(deployment, message, host, { importPhase: "transaction" });
    this.#ahead = message.ahead === undefined ? null : new AnswersAhead(message.ahead);
    this.#calls = new CallQueue(this.#ahead);
    this.#streams = new QueryStreams(message.kind === "query");
    if (message.tables) this.#tables.push(message.tables);
    this.#othersHaveUsed(message.userMsUsed);
  }

  performanceNow() {
    if (this.message.kind === "query") return super.performanceNow();
    return super.performanceNow() + Math.floor((performance.now() - this.#startedAt) * 10) / 10;
  }

  /**
   * Milliseconds of user time of the calls that share one transaction with this one.
   * @param {number} milliseconds
   */
  #othersHaveUsed(milliseconds = 0) {
    this.othersTime = BigInt(Math.round(milliseconds * 1e6));
  }

  isOverTime() {
    return this.userTime + this.othersTime > this.#userTimeLimit;
  }

  // ---- between steps ------------------------------------------------------------------------------------------

  proceed() {
    // What is still under way when the handler has returned happens all the same, with a warning.
    if (this.outcome !== null) this.#unawaited ??= this.#calls.pendingOperations;
    const state = this.#calls.advance();
    if (state === "waiting") this.#sendCalls();
    else if (state !== "idle") this.enterStep(() => this.#deliver());
    else if (this.#operations > 0 || this.stepsAhead > 0) return;
    else if (this.outcome === null) this.fail({ message: NEVER_RESOLVES }, "stuck");
    else this.succeed(valueOf(this.outcome));
  }

  /** Goes on with answers that came with the run. @returns {boolean} whether there were some */
  goOn() {
    if (this.#ahead === null || this.ended || this.stepsAhead > 0) return false;
    if (this.fatalFailure !== null || this.unhandled !== null || this.outcome !== null) return false;
    if (this.#calls.isOutstanding || this.#calls.advance() !== "ready") return false;
    this.enter(() => this.#deliver());
    return true;
  }

  /** Hands the answers of the batch that is due to user code. */
  #deliver() {
    for (const { answer, stream, resolve, reject } of this.#calls.takeAnswered()) {
      if (stream !== null && (answer.failure !== undefined || answer.value === STREAM_END))
        this.#streams.drop(stream.id);
      if (answer.failure === undefined) resolve(answer.value);
      else reject(answer.failure);
    }
  }

  /** Answers calls from rows at hand within the running step, once its microtasks have drained. */
  #drainLocally() {
    this.#localDrain = false;
    if (this.ended || this.fatalFailure !== null || this.unhandled !== null || this.#calls.isOutstanding) return;
    if (this.outcome !== null && "reason" in this.outcome) return;
    if (this.#calls.advance() === "local") this.#deliver();
  }

  // ---- the engine ---------------------------------------------------------------------------------------------

  /** @param {Reply} message */
  receive({ replies, tables, userMsUsed, ahead }) {
    if (this.ended) return;
    if (ahead) this.#ahead?.reopen();
    if (userMsUsed !== undefined) this.#othersHaveUsed(userMsUsed);
    if (tables) this.#tables.unshift(tables);
    if (this.#calls.receive(replies)) this.enterStep(() => this.#deliver());
  }

  #sendCalls() {
    const { texts, told } = this.#calls.takeOutgoing();
    if (texts.length > 0) this.#send(texts, told);
  }

  /** @param {string[]} calls @param {number} told  how many of them nobody waits for */
  #send(calls, told) {
    let more = "";
    if (this.#ahead !== null) {
      this.#usedAsTold = this.#ahead.used;
      more = `,"ahead":${this.#usedAsTold},"told":${told}`;
    }
    if (calls.some((call) => call.includes('"1.0/runUdf"'))) {
      more += `,"userMs":${this.userMs}`;
      // What was logged before a nested call stands before what the callee logs. Not in a message of its own: whoever
      // executes the transaction may yet find that the run has to be made again.
      const lines = this.logs.take();
      if (lines.length > 0) more += `,"logs":${writeJson(lines)}`;
    }
    // A transaction that is run elsewhere cannot be handed over in the middle of a query.
    if (this.#streams.areUnderWay) more += ',"isReading":true';
    this.host.channel.sendText(`{"type":"syscall","id":${this.id},"calls":[${calls.join(",")}]${more}}`);
  }

  /** @param {"done"|"failed"} type @param {string} fields */
  finish(type, fields) {
    const calls = this.#calls.takeUnawaited();
    if (calls.length > 0 || (this.#ahead !== null && this.#ahead.used > this.#usedAsTold))
      this.#send(calls, calls.length);
    super.finish(type, fields);
  }

  unawaited() {
    return this.#unawaited ?? [];
  }

  isDangling() {
    return this.#operations > 0;
  }

  // ---- what the realm's globals ask ---------------------------------------------------------------------------

  /** @param {number} count @param {UserValue} op @param {UserValue} text @returns {string} */
  syscall(count, op, text) {
    const { args } = this.parseArguments(count, op, text);
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

  /** @param {number} queryId */
  #cleanUp(queryId) {
    const stream = this.#streams.get(queryId);
    if (stream === undefined) return false;
    this.#streams.drop(queryId);
    this.#calls.cleanUp(stream);
    return true;
  }

  /** @param {UserValue} args */
  #normalizeId({ table, idString }) {
    if (typeof table !== "string" || typeof idString !== "string") {
      throw new Refusal("Invalid arguments for `db.normalizeId`: expected two strings");
    }
    const found = this.#tables.find((tables) => Object.hasOwn(tables, table));
    return found === undefined ? null : normalizeId(found[table], idString);
  }

  #snapshotTs() {
    this.usedClock = true;
    this.usedSnapshotTs = true;
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(this.message.snapshotTs));
    return JSON.stringify({ $integer: bytes.toString("base64") });
  }

  /**
   * @param {string} op
   * @param {{args: UserValue, text: string}} call
   * @param {Settle<string>} resolve
   * @param {Settle<Raised>} reject
   */
  startCall(op, call, resolve, reject) {
    if (op !== "1.0/queryStreamNext") {
      this.#calls.push({ op, args: call.text, parsed: call.args, resolve, reject });
      return;
    }
    const stream = this.#streams.get(call.args.queryId);
    if (stream === undefined) {
      reject({ message: "in-progress query not found" });
      return;
    }
    this.#calls.push({ op, args: call.text, parsed: call.args, resolve, reject, stream });
    if (!this.#localDrain && stream.isReady) {
      this.#localDrain = true;
      // A tick asked for by a microtask runs when all microtasks have.
      queueMicrotask(() => process.nextTick(() => this.#drainLocally()));
    }
  }

  /** @param {string} what */
  refusal(what) {
    return { type: "Error", message: transactionalRefusal(what) };
  }

  /** @returns {HostOperation} */
  beginOperation() {
    this.#operations += 1;
    return {
      finish: (deliver) => {
        if (this.ended) return;
        this.#operations -= 1;
        if (this.host.steps.active === this) deliver();
        else this.enterStep(deliver);
      },
    };
  }
}
