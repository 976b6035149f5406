import { AsyncResource } from "node:async_hooks";

/** The timers of one action. Equal deadlines fire in the order of their creation, as Node's own do. */
const MAX_DELAY = 2 ** 31 - 1;

export class Timers {
  /** @type {Map<number, NodeJS.Timeout>} */
  #timers = new Map();
  #nextId = 1;
  #enter;

  /** @param {(callback: () => void) => void} enter  runs a callback as a step of the action */
  constructor(enter) {
    this.#enter = enter;
  }

  get isEmpty() {
    return this.#timers.size === 0;
  }

  /** @param {() => void} callback @param {number} delay @param {boolean} repeat */
  set(callback, delay, repeat) {
    const id = this.#nextId++;
    // The step belongs to whatever asked for a turn first; the callback to the context in which the timer was set.
    const bound = AsyncResource.bind(callback);
    const milliseconds = Math.min(Math.max(delay, 0), MAX_DELAY);
    const fire = () => {
      if (!repeat) this.#timers.delete(id);
      this.#enter(() => {
        if (!repeat || this.#timers.has(id)) bound();
      });
    };
    this.#timers.set(id, repeat ? setInterval(fire, milliseconds) : setTimeout(fire, milliseconds));
    return id;
  }

  /** @param {number} id */
  clear(id) {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  clearAll() {
    for (const id of [...this.#timers.keys()]) this.clear(id);
  }
}
