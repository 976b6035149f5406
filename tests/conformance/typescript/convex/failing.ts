/** Errors thrown by functions. */
import { actionGeneric as action, mutationGeneric as mutation, queryGeneric as query } from "convex/server";
import { ConvexError, v } from "convex/values";

class Special extends Error {
  name = "Special";
}

const thrown: Record<string, () => any> = {
  error: () => new Error("boom"),
  type_error: () => new TypeError("bad type"),
  special: () => new Special("very"),
  without_message: () => new Error(),
  string: () => "just text",
  object: () => ({ a: 1 }),
  convex_text: () => new ConvexError("plain"),
  convex_object: () => new ConvexError({ code: 1, big: 2n }),
};

const handler = async (_: any, { what }: { what: string }) => {
  throw thrown[what]();
};

const args = { what: v.string() };
export const inQuery = query({ args, handler });
export const inMutation = mutation({ args, handler });
export const inAction = action({ args, handler });
export const deep = query({ args: {}, handler: async () => outer() });

function outer(): never {
  return inner();
}

function inner(): never {
  throw new Error("from below");
}

export const recursion = query({
  args: {},
  handler: async () => {
    const down = (n: number): number => 1 + down(n + 1);
    try {
      return down(0);
    } catch (error) {
      return (error as Error).name;
    }
  },
});

export const endless = query({
  args: {},
  handler: async () => {
    for (;;);
  },
});

export const never = query({ args: {}, handler: async () => await new Promise(() => {}) });
