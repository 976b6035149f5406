// What the client scripts share: the deployment they are pointed at, and waiting for a condition on live data.
import assert from "node:assert/strict";

export { assert };

export const url = process.env.DEPLOYMENT_URL;

/** A value that is replaced over time, and promises for the first one that satisfies a condition. */
export class Latest {
  #waiting = new Set();
  values = [];

  set = (value) => {
    this.values.push(value);
    for (const entry of this.#waiting) {
      if (entry.condition(value)) {
        this.#waiting.delete(entry);
        entry.resolve(value);
      }
    }
  };

  get current() {
    return this.values.at(-1);
  }

  /** The first value, past or to come, for which `condition` is true. */
  until(condition, what = condition.toString()) {
    if (this.values.length > 0 && condition(this.current)) return Promise.resolve(this.current);
    return new Promise((resolve, reject) => {
      const entry = { condition, resolve };
      this.#waiting.add(entry);
      setTimeout(() => reject(new Error(`never saw ${what}; last: ${JSON.stringify(this.current)}`)), 20_000).unref();
    });
  }
}

/** A text that no other test uses. */
export function unique(text) {
  return `${text} ${crypto.randomUUID().slice(0, 8)}`;
}
