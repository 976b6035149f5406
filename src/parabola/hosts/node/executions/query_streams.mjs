/**
 * Query streams on the host's side: rows come from the engine in batches, and go to user code one by one.
 *
 * The engine counts a row as read when user code has got it; rows fetched in vain are given back by a cleanup.
 */
/** @import { UserValue } from "../types/protocol" */
const FIRST_BATCH = 100;
const MAX_BATCH = 1024;

/** What the library is told at the end of a stream. */
export const STREAM_END = '{"value":null,"done":true}';

export class QueryStreams {
  /** @type {Map<number, QueryStream>} */
  #streams = new Map();
  #nextId = 0;
  #grows;

  /** @param {boolean} grows  whether batches may grow: not where later writes must be seen by later batches */
  constructor(grows) {
    this.#grows = grows;
  }

  /** @returns {number} the id of a new stream; nothing is read yet @param {UserValue} query */
  open(query) {
    const id = this.#nextId++;
    this.#streams.set(id, new QueryStream(id, query, this.#grows));
    return id;
  }

  /** @returns {QueryStream|undefined} @param {number} id */
  get(id) {
    return this.#streams.get(id);
  }

  /** Whether user code may yet leave one of them with rows that it never gets. */
  get areUnderWay() {
    for (const stream of this.#streams.values()) if (stream.isUnderWay) return true;
    return false;
  }

  /** @param {number} id */
  drop(id) {
    this.#streams.delete(id);
  }
}

export class QueryStream {
  #query;
  #limit;
  /** @type {UserValue[]} */
  #rows = [];
  #position = 0;
  #exhausted = false;
  #batch = FIRST_BATCH;
  #grows;
  #fetched = 0;
  consumed = 0;
  started = false;
  /** A fetch is under way. */
  inFlight = false;

  /** @param {number} id @param {UserValue} query @param {boolean} grows */
  constructor(id, query, grows) {
    this.id = id;
    this.#query = query;
    this.#grows = grows;
    /** @type {{limit: number}[]} */
    const limits = (query?.operators ?? []).filter((/** @type {UserValue} */ one) => typeof one?.limit === "number");
    this.#limit = Math.min(Infinity, ...limits.map((operator) => operator.limit));
  }

  /** Whether the next row, or the end, is known without asking. */
  get isReady() {
    return this.#position < this.#rows.length || this.isDone;
  }

  get isDone() {
    return this.#position >= this.#rows.length && (this.#exhausted || (this.started && this.consumed >= this.#limit));
  }

  /** The answer to one `queryStreamNext` of the library. */
  take() {
    if (this.isDone) return STREAM_END;
    const row = this.#rows[this.#position];
    this.#rows[this.#position++] = undefined;
    this.consumed += 1;
    return `{"value":${JSON.stringify(row)},"done":false}`;
  }

  /** The arguments of the engine's `1.0/queryStreamNext` for the next batch, as JSON text. */
  question() {
    const batch = Math.max(1, Math.min(this.#batch, this.#limit - this.#fetched));
    /** @type {{queryId: number, batch: number, consumed: number, query?: UserValue}} */
    const args = { queryId: this.id, batch, consumed: this.consumed };
    if (!this.started) args.query = this.#query;
    return JSON.stringify(args);
  }

  /** The question is on its way. */
  asked() {
    this.inFlight = true;
    if (this.#grows) this.#batch = Math.min(this.#batch * 2, MAX_BATCH);
    this.started = true;
  }

  /** @param {{values: UserValue[], done: boolean}} batch */
  receive({ values, done }) {
    this.inFlight = false;
    this.#rows = values;
    this.#position = 0;
    this.#fetched += values.length;
    this.#exhausted = done || values.length === 0;
  }

  /** Whether rows were asked for, and not all of them taken. */
  get isUnderWay() {
    return this.inFlight || this.needsCleanup;
  }

  /** Whether the engine holds rows as read that user code never got. */
  get needsCleanup() {
    return this.started && this.consumed < this.#fetched;
  }
}
