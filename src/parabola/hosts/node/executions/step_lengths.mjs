/** Which functions have taken long steps lately: what waits to be sent does not wait for those. */

/** Short steps in a row after which a function is expected to go on like that. */
const ENOUGH = 32;
/** Functions that are remembered. */
const MOST = 10_000;

export class StepLengths {
  /** Short steps since the last long one, by the names of functions. @type {Map<string, number>} */
  #short = new Map();

  /** Whether the next step of a function may well be long; so may be the first ones of every function. @param {string} name */
  mayBeLong(name) {
    return (this.#short.get(name) ?? 0) < ENOUGH;
  }

  /** A step has been taken. @param {string} name @param {boolean} isLong */
  note(name, isLong) {
    const short = this.#short.get(name) ?? 0;
    if (isLong ? short === 0 : short >= ENOUGH) return;
    if (this.#short.size >= MOST) this.#short.clear();
    this.#short.set(name, isLong ? 0 : short + 1);
  }
}
