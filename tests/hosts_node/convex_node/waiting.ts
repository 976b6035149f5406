"use node";
import { actionGeneric as action } from "convex/server";
import { v } from "convex/values";

declare const AbortSignal: any;

export const awaits = action({
  args: { what: v.string() },
  handler: async (ctx: any, { what }) => {
    if (what === "nothing") await new Promise(() => {});
    if (what === "call and then nothing") {
      await ctx.runQuery("documents:list", {});
      await new Promise(() => {});
    }
    if (what === "quiet timer") await new Promise((resolve) => setTimeout(resolve, 300).unref());
    if (what === "signal") {
      const signal = AbortSignal.timeout(300);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }
    return what;
  },
});
