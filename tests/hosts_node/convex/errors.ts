import { queryGeneric as query, mutationGeneric as mutation } from "convex/server";
import { ConvexError, v } from "convex/values";

class Custom extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Custom";
  }
  static raise(): never {
    throw new Custom("static");
  }
}

export const boom = query({
  handler: async () => {
    throw new Error("boom");
  },
});
export const convexError = query({
  handler: async () => {
    throw new ConvexError({ code: 1, big: 2n });
  },
});
export const thrown = query({
  args: { what: v.string() },
  handler: async (_ctx, { what }) => {
    const cases: Record<string, () => unknown> = {
      string: () => "str",
      object: () => ({ a: 1 }),
      instance: () => new (class Foo {})(),
      undefined: () => undefined,
      null: () => null,
      number: () => 5,
      symbol: () => Symbol("s"),
      array: () => [1, 2],
      map: () => new Map(),
      nameless: () => Object.assign(new Error("only message"), { name: "" }),
      messageless: () => new TypeError(),
      empty: () => Object.assign(new Error(""), { name: "" }),
      domException: () => new DOMException("aborted", "AbortError"),
    };
    throw cases[what]();
  },
});
const deepest = () => {
  throw new Custom("deep");
};
async function deeper() {
  await null;
  deepest();
}
export const frames = query({ handler: async () => await deeper() });
export const staticMethod = query({ handler: async () => Custom.raise() });
export const builtinFrame = query({
  handler: async () =>
    [1].map(() => {
      throw new Error("inside");
    }),
});
export const promiseAll = query({
  handler: async () =>
    await Promise.all([
      (async () => {
        await null;
        throw new Error("all");
      })(),
    ]),
});
export const long = query({
  handler: async () => {
    throw new Error("é".repeat(100_000));
  },
});
export const catchMissing = query({
  handler: async (ctx) => {
    try {
      await ctx.db.get("missing" as any);
    } catch (error: any) {
      return [error instanceof Error, error.message];
    }
    return null;
  },
});
export const maybe = mutation({
  args: { fail: v.boolean() },
  handler: async (_ctx, { fail }) => {
    if (fail) throw new ConvexError({ why: 1n });
    return "fine";
  },
});
export const never = query({ handler: async () => await new Promise(() => {}) });
export const neverAfterRead = query({
  handler: async (ctx) => {
    await ctx.db.query("tasks").collect();
    await new Promise(() => {});
  },
});
export const recursion = query({
  handler: async () => {
    const again = (): number => 1 + again();
    try {
      return again();
    } catch (error) {
      return error instanceof RangeError;
    }
  },
});
export const returnsQuery = query({ handler: (ctx) => ctx.db.query("tasks") as any });
export const unsupportedValue = query({ handler: async () => ({ a: new Set([1]) }) as any });
export const spin = query({
  handler: async () => {
    for (;;) {}
  },
});
export const slow = query({
  args: { milliseconds: v.number() },
  handler: async (ctx, { milliseconds }) => {
    // The clock stands still: burn time by work, with waits in between.
    for (let i = 0; i < milliseconds; i++) {
      for (let j = 0; j < 400_000; j++) Math.sqrt(j);
      await ctx.db.query("tasks").first();
    }
  },
});
