/** Random cases that are the same at every run: for what must hold of any input. */

export class Random {
  #state;

  constructor(seed) {
    this.#state = seed;
  }

  /** A whole number from 0 up to, and without, `end` (mulberry32). */
  below(end) {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * end);
  }

  oneOf(list) {
    return list[this.below(list.length)];
  }

  /** A list of up to `most` of what `make` makes. */
  list(most, make) {
    return Array.from({ length: this.below(most + 1) }, () => make());
  }

  text(most, characters) {
    return this.list(most, () => this.oneOf(characters)).join("");
  }
}

/** Calls `check` with `count` sources of randomness; a failure says which one it was. */
export function forAll(count, check) {
  for (let seed = 1; seed <= count; seed++) {
    try {
      check(new Random(seed));
    } catch (error) {
      error.message = `with seed ${seed}: ${error.message}`;
      throw error;
    }
  }
}
