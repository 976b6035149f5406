import { queryGeneric as query, mutationGeneric as mutation } from "convex/server";
import { v } from "convex/values";

let count = 0;
const seen: string[] = [];
export const counter = query({ handler: async () => ++count });
export const memory = query({
  args: { name: v.string() },
  handler: async (_, { name }) => (seen.push(name), [...seen]),
});

/** Changes what the next execution must not find changed. */
export const pollute = mutation({
  handler: async () => {
    (globalThis as any).leak = "global";
    (Array.prototype as any).leak = "enumerable";
    Object.defineProperty(String.prototype, "leak", { value: "hidden", configurable: true });
    (Math as any).leak = 1;
    JSON.stringify = (() => '"overwritten"') as any;
    (globalThis as any).fetch = () => "overwritten";
    (URL.prototype as any).leak = 1;
    delete (Object as any).groupBy;
    "abc".replace(/b/, "x");
    const { leak } = globalThis as any;
    (globalThis as any).bare = 7;
    return [leak, ([] as any).leak, ("" as any).leak, eval.name];
  },
});
declare const bare: unknown;
export const bareGlobal = query({
  handler: async () => {
    (globalThis as any).bare = 7;
    return bare as any;
  },
});
export const inspectPollution = query({
  handler: async () => [
    typeof (globalThis as any).leak,
    typeof ([] as any).leak,
    typeof ("" as any).leak,
    typeof (Math as any).leak,
    JSON.stringify({ a: 1 }),
    typeof (globalThis as any).bare,
    typeof (URL.prototype as any).leak,
    (RegExp as any).$1,
  ],
});
