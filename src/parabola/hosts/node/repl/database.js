/** `ctx.db` of a query: documents by id, and queries (js-runtime 1.6, 1.7, 3). */
import { filterJson, rangeJson, searchJson } from "./expressions.js";
import { call, callNow, versioned } from "./syscalls.js";
import { fromJson } from "./values.js";
/** @import { UserValue } from "../types/protocol" */

/** A query being put together: each step answers a new one, and the last runs it. */
class Query {
  /** @type {UserValue} */
  #source;
  /** @type {object[]} */
  #operators;
  /** @type {{queryId: number, isDone: boolean}|null} */
  #stream = null;

  /** @param {object} source @param {object[]} [operators] */
  constructor(source, operators = []) {
    this.#source = source;
    this.#operators = operators;
  }

  /** @param {string} name @param {(q: any) => unknown} [range] */
  withIndex(name, range = () => {}) {
    const indexName = `${this.#source.tableName}.${name}`;
    return new Query({ type: "IndexRange", indexName, range: rangeJson(range), order: null }, this.#operators);
  }

  /** @param {string} name @param {(q: any) => unknown} filters */
  withSearchIndex(name, filters) {
    const indexName = `${this.#source.tableName}.${name}`;
    return new Query({ type: "Search", indexName, filters: searchJson(filters) }, this.#operators);
  }

  fullTableScan() {
    return this;
  }

  /** @param {"asc"|"desc"} order */
  order(order) {
    return new Query({ ...this.#source, order }, this.#operators);
  }

  /** @param {(q: any) => unknown} predicate */
  filter(predicate) {
    return new Query(this.#source, [...this.#operators, { filter: filterJson(predicate) }]);
  }

  /** @param {number} limit */
  limit(limit) {
    return new Query(this.#source, [...this.#operators, { limit }]);
  }

  /** @param {number} count */
  take(count) {
    return this.limit(count).collect();
  }

  async collect() {
    /** @type {UserValue[]} */
    const documents = [];
    for await (const document of this) documents.push(document);
    return documents;
  }

  async first() {
    const [document = null] = await this.take(1);
    return document;
  }

  async unique() {
    const [document = null, another] = await this.take(2);
    if (another !== undefined)
      throw new Error(`unique() found more than one document: ${document._id}, ${another._id}, ...`);
    return document;
  }

  async count() {
    return fromJson(await call("1.0/count", { table: this.#source.tableName }));
  }

  /** @param {UserValue} options */
  async paginate({ numItems, cursor, endCursor = null, maximumRowsRead = null, maximumBytesRead }) {
    const limits = { pageSize: numItems, maximumRowsRead, maximumBytesRead };
    const page = await versioned("1.0/queryPage", { query: this.#json(), cursor, endCursor, ...limits });
    return { ...page, page: page.page.map(fromJson) };
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  async next() {
    if (this.#stream === null) {
      const { queryId } = callNow("1.0/queryStream", { query: this.#json(), version: "1.48.0" });
      this.#stream = { queryId, isDone: false };
    }
    const stream = this.#stream;
    if (stream.isDone) return { value: undefined, done: true };
    const { value, done } = await call("1.0/queryStreamNext", { queryId: stream.queryId });
    if (done) await this.return();
    return done ? { value: undefined, done } : { value: fromJson(value), done };
  }

  async return() {
    if (this.#stream !== null && !this.#stream.isDone) {
      this.#stream.isDone = true;
      callNow("1.0/queryCleanup", { queryId: this.#stream.queryId });
    }
    return { value: undefined, done: true };
  }

  #json() {
    return { source: this.#source, operators: this.#operators };
  }
}

/** @param {boolean} isSystem */
function reader(isSystem) {
  return {
    /** @param {string[]} given */
    async get(...given) {
      const [table, id] = given.length > 1 ? given : [undefined, given[0]];
      return fromJson(await call("1.0/get", { id, isSystem, version: "1.48.0", table }));
    },
    /** @param {string} tableName */
    query: (tableName) => new Query({ type: "FullTableScan", tableName, order: null }),
    /** @param {string} table @param {string} idString */
    normalizeId: (table, idString) => callNow("1.0/db/normalizeId", { table, idString }).id,
  };
}

export const database = { ...reader(false), system: reader(true) };
