/**
 * What may still happen in this process: timers, sockets, files being read, child processes, threads.
 *
 * Node.js counts what keeps a process from ending. What modules have opened while they were imported is theirs, and no
 * call's; timers that do not keep the process alive are found by themselves, since somebody may wait for one.
 */
import { createHook } from "node:async_hooks";

/** Timers to remember before those that are over are forgotten. */
const MANY_TIMERS = 256;

/** @typedef {NodeJS.Timeout & {_destroyed: boolean}} Timer */

const { setTimeout } = globalThis;
let isOwn = false;

/**
 * A timer of the host's own, which keeps nothing alive and is not counted.
 * @param {() => void} callback
 * @param {number} milliseconds
 */
export function ownTimer(callback, milliseconds) {
  isOwn = true;
  try {
    return setTimeout(callback, milliseconds).unref();
  } finally {
    isOwn = false;
  }
}

export class OpenResources {
  /** @type {Map<string, number>} */
  #ofModules = new Map();
  /** @type {Set<Timer>} */
  #timers = new Set();
  #forgetAt = MANY_TIMERS;

  constructor() {
    createHook({
      init: (_id, type, _trigger, resource) => {
        if (type === "Timeout" && !isOwn) this.#remember(/** @type {Timer} */ (resource));
      },
    }).enable();
  }

  /** @param {Timer} timer */
  #remember(timer) {
    this.#timers.add(timer);
    if (this.#timers.size < this.#forgetAt) return;
    this.#forgetTimers();
    this.#forgetAt = Math.max(MANY_TIMERS, 2 * this.#timers.size);
  }

  #forgetTimers() {
    for (const timer of this.#timers) if (timer._destroyed) this.#timers.delete(timer);
  }

  /**
   * Imports a module; what is open afterwards, and was not before, belongs to the modules.
   * @template T
   * @param {() => Promise<T>} load
   */
  async importing(load) {
    const before = count();
    const namespace = await load();
    for (const [type, number] of count()) {
      const more = number - (before.get(type) ?? 0);
      if (more > 0) this.#ofModules.set(type, (this.#ofModules.get(type) ?? 0) + more);
    }
    return namespace;
  }

  /**
   * Whether there is more than what modules have opened. `own` is what the host itself has open now.
   * @param {Map<string, number>} own
   */
  isMoreThan(own) {
    for (const [type, number] of count()) {
      if (number > (own.get(type) ?? 0) + (this.#ofModules.get(type) ?? 0)) return true;
    }
    return false;
  }

  /** Whether a timer runs that does not keep the process alive: somebody may wait for it. */
  get hasQuietTimers() {
    this.#forgetTimers();
    for (const timer of this.#timers) if (!timer.hasRef()) return true;
    return false;
  }
}

/**
 * What keeps the process alive: how many of each type.
 * @returns {Map<string, number>}
 */
export function count() {
  const found = new Map();
  for (const type of process.getActiveResourcesInfo()) found.set(type, (found.get(type) ?? 0) + 1);
  return found;
}
