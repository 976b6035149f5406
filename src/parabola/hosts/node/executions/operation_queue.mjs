/** The operations of an action: some at once, others wait their turn. */
import { limits } from "../limits.mjs";

/** @typedef {{name: string}} Operation */
/** @typedef {Operation & {start: (operation: Operation) => void}} Waiting */

export class OperationQueue {
  /** @type {Waiting[]} */
  #waiting = [];
  /** @type {Set<Operation>} */
  #running = new Set();
  /** @type {Set<Operation>} */
  #tracked = new Set();
  #limit;

  constructor(limit = limits.operationsAtOnce) {
    this.#limit = limit;
  }

  /**
   * @param {string} name  as users are told of it
   * @param {(operation: {name: string}) => void} start  called when it is the operation's turn
   */
  add(name, start) {
    this.#waiting.push({ name, start });
    this.#startNext();
  }

  /** Counts an operation that is under way already, beside the limit. @param {Operation} operation */
  track(operation) {
    this.#tracked.add(operation);
  }

  #startNext() {
    while (this.#waiting.length > 0 && this.#running.size < this.#limit) {
      const operation = /** @type {Waiting} */ (this.#waiting.shift());
      this.#running.add(operation);
      operation.start(operation);
    }
  }

  /** @param {Operation} operation */
  finish(operation) {
    this.#running.delete(operation);
    this.#tracked.delete(operation);
    this.#startNext();
  }

  /** The names of operations that have not finished, in the order of their start. */
  get pending() {
    return [...this.#running, ...this.#tracked, ...this.#waiting].map((operation) => operation.name);
  }

  get isEmpty() {
    return this.#running.size === 0 && this.#tracked.size === 0 && this.#waiting.length === 0;
  }

  /** Forgets what has not started. */
  clear() {
    this.#waiting = [];
  }
}
