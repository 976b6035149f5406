// What the scripts share: the client library of npm from PARABOLA_NODE_MODULES, the server's address, and waiting.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const load = createRequire(`${process.env.PARABOLA_NODE_MODULES}/parabola.cjs`);

export { assert };
export const url = process.env.DEPLOYMENT_URL;
export const { BaseConvexClient, ConvexClient, ConvexHttpClient } = load("convex/browser");
export const { anyApi: api, makeFunctionReference } = load("convex/server");
export const { ConvexError } = load("convex/values");
export const WebSocket = load("ws");

process.on("uncaughtException", (error) => {
  console.error("uncaught:", error);
  process.exit(1);
});

/** Values as they come, and a promise for the first one that satisfies a condition. */
export class Seen {
  values = [];
  #waiting = [];

  push = (value) => {
    this.values.push(value);
    this.#waiting = this.#waiting.filter(({ condition, resolve }) => !(condition(value) && (resolve(value), true)));
  };

  get last() {
    return this.values.at(-1);
  }

  until(condition) {
    if (this.values.length && condition(this.last)) return Promise.resolve(this.last);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ condition, resolve });
      const give_up = () =>
        reject(new Error(`never saw ${condition}; saw ${JSON.stringify(this.values)}`.slice(0, 2000)));
      setTimeout(give_up, 15_000).unref();
    });
  }
}

/** A client with all the machinery of React's one and no React: queries by path, every change of them recorded. */
export class Base {
  constructor(options = {}) {
    this.seen = new Map();
    this.client = new BaseConvexClient(
      url,
      (changed) => {
        for (const token of changed) {
          const query = this.seen.get(token);
          if (query) query.seen.push(this.result(query));
        }
      },
      { webSocketConstructor: WebSocket, unsavedChangesWarning: false, logger: false, ...options },
    );
  }

  result({ path, args }) {
    try {
      return this.client.localQueryResult(path, args);
    } catch (error) {
      return { error };
    }
  }

  subscribe(path, args = {}, options = {}) {
    const { queryToken, unsubscribe } = this.client.subscribe(path, args, options);
    const query = { path, args, seen: new Seen() };
    this.seen.set(queryToken, query);
    return Object.assign(query.seen, { unsubscribe, journal: () => this.client.queryJournal(path, args) });
  }
}
