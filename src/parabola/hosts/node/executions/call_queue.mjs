/**
 * The asynchronous calls of one query or mutation: executed in the order of issue, settled batch by batch.
 *
 * A batch is what the official host would take at once: adjacent reads (at most 16), adjacent file URLs, or one call
 * of any other kind. The calls of several batches may travel together, because the engine executes them one by one in
 * order; their answers are still handed out one batch to a step, so the program sees the same order of events.
 */
import { writeText } from "../plain_json.mjs";
/** @import { AnswersAhead } from "./answers_ahead.mjs" */
/** @import { QueryStream } from "./query_streams.mjs" */
/** @import { EngineError, EngineReply, Raised, UserValue } from "../types/protocol" */

const MAX_BATCH = 16;
/** @type {Record<string, string|undefined>} */
const MERGED = { "1.0/get": "read", "1.0/queryStreamNext": "read", "1.0/storageGetUrl": "url" };

/** @typedef {{value: string, failure?: undefined}|{value?: undefined, failure: Raised}} Answer */
/** @typedef {Call & {answer: Answer}} AnsweredCall */

/**
 * @typedef {object} Call
 * @property {string} op
 * @property {string} args  JSON text
 * @property {UserValue} parsed  the same, parsed
 * @property {(json: string) => void} resolve
 * @property {(failure: Raised) => void} reject
 * @property {QueryStream|null} stream  of a `queryStreamNext`
 * @property {number} number  0 until sent
 * @property {Answer|null} answer
 */

export class CallQueue {
  /** @type {Call[]} */
  #waiting = [];
  /** @type {Call[]|null} the batch whose answers are due next */
  #current = null;
  /** @type {Map<number, Call>} */
  #sent = new Map();
  #numbers = 0;
  /** Calls for which nobody waits, as JSON texts: cleanups, and what has been answered already. @type {string[]} */
  #unawaited = [];
  #ahead;

  /** @param {AnswersAhead|null} ahead */
  constructor(ahead = null) {
    this.#ahead = ahead;
  }

  /** @param {Pick<Call, "op"|"args"|"parsed"|"resolve"|"reject"> & {stream?: QueryStream|null}} call */
  push({ op, args, parsed, resolve, reject, stream = null }) {
    this.#waiting.push({ op, args, parsed, resolve, reject, stream, number: 0, answer: null });
  }

  get isEmpty() {
    return this.#waiting.length === 0 && this.#current === null;
  }

  /** Whether the engine still owes answers. */
  get isOutstanding() {
    return this.#sent.size > 0;
  }

  /** The names of calls not settled yet. */
  get pendingOperations() {
    return [...(this.#current ?? []), ...this.#waiting].map((call) => call.op);
  }

  /** @param {QueryStream} stream */
  cleanUp({ needsCleanup, id, consumed }) {
    if (!needsCleanup) return;
    const args = `{"queryId":${id},"consumed":${consumed}}`;
    this.#unawaited.push(`{"call":${++this.#numbers},"op":"1.0/queryCleanup","args":${args}}`);
  }

  /**
   * Call when user code has run dry. Forms the next batch if none is due.
   * @returns {"idle"|"waiting"|"local"|"ready"} idle: nothing to do; waiting: the engine must answer first;
   *   local: the batch is answered from rows at hand; ready: its answers have come, or were there before it
   */
  advance() {
    if (this.#current === null) {
      if (this.#waiting.length === 0) return "idle";
      this.#current = this.#takeBatch();
    }
    if (this.#ahead !== null && !this.isOutstanding) this.#answerAhead(this.#ahead, this.#current);
    if (!this.#current.every((call) => call.answer !== null)) return "waiting";
    return this.#current.every((call) => call.stream !== null && call.number === 0) ? "local" : "ready";
  }

  /** @returns {Call[]} */
  #takeBatch() {
    const kind = MERGED[this.#waiting[0].op];
    let length = 1;
    while (kind !== undefined && length < MAX_BATCH && MERGED[this.#waiting[length]?.op] === kind) length += 1;
    const batch = this.#waiting.splice(0, length);
    if (length === 1 && batch[0].stream === null) return batch;
    const streams = new Set();
    for (const call of batch) {
      if (call.stream === null || call.answer !== null) continue;
      if (streams.has(call.stream)) call.answer = { failure: { message: "in-progress query not found" } };
      else if (call.number === 0 && call.stream.isReady && !call.stream.inFlight)
        call.answer = { value: call.stream.take() };
      streams.add(call.stream);
    }
    return batch;
  }

  /**
   * Answers calls of the batch that is due, from its beginning, which have their answers already.
   * @param {AnswersAhead} ahead
   * @param {Call[]} batch
   */
  #answerAhead(ahead, batch) {
    for (const call of batch) {
      if (call.answer !== null) continue;
      const isRead = MERGED[call.op] === "read";
      if (isRead ? !ahead.isReading : !ahead.isOpen) return;
      const text = this.#textOf(call);
      const value = isRead ? ahead.read(text) : ahead.written(call.op, call.parsed, text.length);
      if (value === undefined) return;
      if (!isRead) this.#unawaited.push(text);
      call.number = ++this.#numbers;
      call.stream?.asked();
      call.answer = this.#answerOf(call, value);
    }
  }

  /** JSON text of the next call to be sent. @param {Call} call */
  #textOf({ op, args, stream }) {
    return `{"call":${this.#numbers + 1},"op":${writeText(op)},"args":${stream === null ? args : stream.question()}}`;
  }

  /** Takes the answered batch; its calls are to be settled in this order. @returns {AnsweredCall[]} */
  takeAnswered() {
    const batch = /** @type {AnsweredCall[]} */ (this.#current);
    this.#current = null;
    return batch;
  }

  /**
   * The calls to send now, as JSON texts, of which nobody waits for the first `told`; none while the engine owes answers.
   * @returns {{texts: string[], told: number}}
   */
  takeOutgoing() {
    if (this.isOutstanding) return { texts: [], told: 0 };
    const texts = [];
    for (const call of [...(this.#current ?? []), ...this.#waiting]) {
      if (call.answer !== null || call.number !== 0) continue;
      if (call.stream !== null) {
        if (call.stream.inFlight) break;
        if (call.stream.isReady) continue;
      }
      texts.push(this.#textOf(call));
      call.number = ++this.#numbers;
      call.stream?.asked();
      this.#sent.set(call.number, call);
      this.#ahead?.close(call.op, call.parsed);
    }
    const unawaited = this.takeUnawaited();
    return { texts: [...unawaited, ...texts], told: unawaited.length };
  }

  /** What nobody waits for and is not sent yet, as JSON texts. @returns {string[]} */
  takeUnawaited() {
    const unawaited = this.#unawaited;
    if (unawaited.length > 0) this.#unawaited = [];
    return unawaited;
  }

  /**
   * Takes answers of the engine.
   * @param {EngineReply[]} replies
   * @returns {boolean} whether the batch that is due has become complete
   */
  receive(replies) {
    for (const { call: number, value, error } of replies) {
      const call = this.#sent.get(number);
      if (call === undefined) continue;
      this.#sent.delete(number);
      call.answer = error === undefined ? this.#answerOf(call, value) : failureOf(call, error);
    }
    return this.#current !== null && this.#current.every((call) => call.answer !== null);
  }

  /** @param {Call} call @param {UserValue} value */
  #answerOf(call, value) {
    if (call.stream === null) return { value: JSON.stringify(value ?? null) };
    call.stream.receive(value);
    return { value: call.stream.take() };
  }
}

/** @param {Call} call @param {EngineError} error */
function failureOf(call, { message, data }) {
  if (call.stream !== null) call.stream.inFlight = false;
  return { failure: { message, data: data === undefined ? undefined : JSON.stringify(data) } };
}
