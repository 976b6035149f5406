/**
 * When a process for actions comes to rest: an action that waits for what can never come ends, and one that has ended is
 * gone for good before the engine is told that another may come.
 */
import { count, OpenResources, ownTimer } from "./open_resources.mjs";
/** @import { Channel } from "./channel.mjs" */

/** Milliseconds between looks at what an action has left, at first and at most. */
const FIRST_LOOK = 2;
const LAST_LOOK = 100;
/** How often it is looked whether a timer that keeps no process alive has fired. */
const QUIET_LOOK = 20;

const { setImmediate } = globalThis;

export class ActionCalm {
  #channel;
  #resources = new OpenResources();
  /** @type {Map<string, number>} */
  #own = new Map();
  /** @type {(() => void)|null} */
  #onStuck = null;

  /** @param {Channel} channel */
  constructor(channel) {
    this.#channel = channel;
    // Whoever looks at them first opens them, and pipes would keep the process alive.
    for (const stream of [process.stdout, process.stderr]) stream.unref?.();
    process.on("beforeExit", () => this.#onNothingToDo());
  }

  /**
   * Imports a module, whose timers and sockets are nobody's call.
   * @template T
   * @param {() => Promise<T>} load
   */
  importing(load) {
    return this.#resources.importing(load);
  }

  /**
   * An action, or a module, runs: `onStuck` is called when nothing is left that could end it.
   * @param {() => void} onStuck
   */
  watch(onStuck) {
    this.#own = count();
    this.#onStuck = onStuck;
    this.#channel.keepsAlive = false;
  }

  /** Whether answers of the engine are waited for. @param {boolean} value */
  set expectsAnswers(value) {
    if (this.#onStuck !== null) this.#channel.keepsAlive = value;
  }

  /** It has ended. */
  unwatch() {
    this.#onStuck = null;
    this.#channel.keepsAlive = true;
  }

  /** The event loop is empty, the engine apart. */
  #onNothingToDo() {
    this.#channel.keepsAlive = true;
    const onStuck = this.#onStuck;
    if (onStuck === null) return;
    if (!this.#resources.hasQuietTimers) {
      onStuck();
      return;
    }
    ownTimer(() => {
      if (this.#onStuck === onStuck) this.#channel.keepsAlive = false;
    }, QUIET_LOOK);
  }

  /**
   * Calls `onCalm` once nothing is left of what has been watched, which may be never. `isOver` ends the wait.
   * @param {() => void} onCalm
   * @param {() => boolean} isOver
   */
  whenCalm(onCalm, isOver) {
    let wait = 0;
    const look = () => {
      if (isOver()) return;
      if (this.#channel.isFlushed && !this.#resources.isMoreThan(this.#own)) {
        onCalm();
        return;
      }
      wait = Math.min(LAST_LOOK, Math.max(FIRST_LOOK, 2 * wait));
      ownTimer(look, wait);
    };
    // Sockets are handed back, and operations end, within a turn or two.
    setImmediate(() => setImmediate(look));
  }
}
