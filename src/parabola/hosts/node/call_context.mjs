/**
 * To which call belongs what runs now: what an action has set going keeps its mark, also when the action is over and
 * another one runs.
 */
import { AsyncLocalStorage } from "node:async_hooks";

/** The mark of what modules set going while they were imported. */
export const MODULES = Symbol("modules");

export class CallContext {
  /** @type {AsyncLocalStorage<object|symbol>} */
  #storage = new AsyncLocalStorage();

  /** @template T @param {object|symbol} owner  a run, or MODULES @param {() => T} work @returns {T} */
  run(owner, work) {
    return this.#storage.run(owner, work);
  }

  /**
   * Whether what runs now certainly belongs to somebody else than `run`.
   * @param {object} run
   */
  isForeignTo(run) {
    const owner = this.#storage.getStore();
    return owner !== undefined && owner !== run;
  }
}
