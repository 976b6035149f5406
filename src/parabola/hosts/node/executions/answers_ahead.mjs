/**
 * Answers that came with a run, to calls that it will probably make (docs/explanation/executors.md, Answers ahead).
 *
 * A read is answered where it is, to the letter, the next one that was foreseen, and nothing has been written before it. A
 * write is answered as one that succeeds; whoever executes it later on has the whole run made again if it does not.
 */
/** @import { Ahead, UserValue } from "../types/protocol" */

/** Characters of writes that are answered before they are sent. */
const MOST_TEXT = 65_536;

export class AnswersAhead {
  #calls;
  #replies;
  #ids;
  #writes;
  #room = MOST_TEXT;
  /** Whether reads may still be answered, and writes. */
  isReading = true;
  isOpen = true;
  /** How many of the reads have been answered. */
  used = 0;

  /** @param {Ahead} ahead */
  constructor({ calls, replies, writes, ids }) {
    this.#calls = calls;
    this.#replies = replies;
    this.#writes = writes;
    this.#ids = ids;
  }

  /**
   * The value that a read has, undefined if it is not the one that was foreseen.
   * @param {string} text  of the call as it would be sent
   * @returns {UserValue}
   */
  read(text) {
    if (!this.isReading || this.#calls[this.used] !== text) {
      this.isReading = false;
      return undefined;
    }
    return this.#replies[this.used++];
  }

  /**
   * The value that a call has which writes, if it succeeds; undefined if it has to be waited for.
   * @param {string} op
   * @param {UserValue} args
   * @param {number} length  characters that it takes to send it
   * @returns {UserValue}
   */
  written(op, args, length) {
    if (!this.isOpen || this.#writes === 0 || length > this.#room) return undefined;
    let value = null;
    if (op === "1.0/insert") {
      const id = this.#idsOf(args.table)?.shift();
      if (id === undefined) return undefined;
      value = { _id: id };
    } else if (!SILENT.has(op)) return undefined;
    this.#writes -= 1;
    this.#room -= length;
    this.isReading = false;
    return value;
  }

  /** @param {UserValue} table @returns {string[]|undefined} */
  #idsOf(table) {
    return typeof table === "string" && Object.hasOwn(this.#ids, table) ? this.#ids[table] : undefined;
  }

  /**
   * A call has been sent that has to be waited for. Nobody knows yet who will execute what comes after it, nor which ids
   * are left where it inserts.
   * @param {string} op
   * @param {UserValue} args
   */
  close(op, args) {
    this.isReading = this.isOpen = false;
    if (op === "1.0/insert") this.#idsOf(args.table)?.splice(0);
  }

  /** Whoever gave the answers executes what comes next, too. */
  reopen() {
    this.isOpen = true;
  }
}

/** Writes of which nothing is told but that they have succeeded. */
const SILENT = new Set(["1.0/shallowMerge", "1.0/replace", "1.0/remove"]);
