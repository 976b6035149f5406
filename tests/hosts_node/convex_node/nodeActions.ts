"use node";
import { actionGeneric as action } from "convex/server";
import { ConvexError, v } from "convex/values";
import fs from "node:fs";
import * as os from "os";

let count = 0;
export const counter = action({ handler: async () => ++count });
export const platform = action({
  handler: async () => [os.platform(), fs.existsSync("/"), typeof Buffer, typeof require, typeof __dirname],
});
export const calls = action({ handler: async (ctx: any) => (await ctx.runQuery("documents:list", {})).length });
export const boom = action({
  handler: async () => {
    console.log("before\n", { a: 1 });
    throw new Error("boom");
  },
});
export const environment = action({
  handler: async () => [process.env.GREETING, process.env.PARABOLA_HOST_FD ?? null],
});
export const variables = action({ handler: async () => Object.keys(process.env).sort() });
export const ask = action({
  handler: async (_ctx: any, { url }: any) => {
    const plain = await (await fetch(url)).json();
    const own = await (await fetch(new Request(url, { method: "POST", headers: { traceparent: "mine" } }))).json();
    return [plain.traceparent ?? null, plain.tracestate ?? null, own.traceparent];
  },
});
export const refuse = action({
  handler: async () => {
    throw new ConvexError({ code: 7n });
  },
});
export const echo = action({ handler: async (_ctx: any, { text }: any) => text.length });
export const together = action({
  handler: async (ctx: any) => {
    const calls = Array.from({ length: 1001 }, () => ctx.runQuery("documents:list", {}));
    const ended = await Promise.allSettled(calls);
    const refused = ended.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
    return [ended.length - refused.length, ...refused.map(({ reason }) => reason.message)];
  },
});
export const dangling = action({
  handler: async (ctx: any) => {
    void ctx.scheduler.cancel("job");
    return "done";
  },
});
export const crash = action({
  args: { how: v.string() },
  handler: async (_ctx, { how }) => {
    if (how === "exit") process.exit(3);
    if (how === "rejection") void Promise.reject(new Error("floating"));
    if (how === "exception")
      setTimeout(() => {
        throw new Error("thrown later");
      }, 1);
    await new Promise((resolve) => setTimeout(resolve, 10_000));
  },
});
export const database = action({
  handler: async (ctx: any) => await (globalThis as any).Convex.asyncSyscall("1.0/get", '{"id":"x"}'),
});
