import { queryGeneric as query, mutationGeneric as mutation } from "convex/server";

/** The promise is rejected while nobody is attached: it fails although it looks handled. */
export const handledLate = query({
  handler: async (ctx) => {
    const p = ctx.db.get("missing" as any);
    await ctx.db.query("tasks").paginate({ numItems: 1, cursor: null });
    try {
      await p;
    } catch {}
    return "survived";
  },
});
export const handledInTime = query({
  handler: async (ctx) => {
    const p = ctx.db.get("missing" as any);
    p.catch(() => {});
    await ctx.db.query("tasks").collect();
    return "survived";
  },
});
export const floating = mutation({
  handler: async () => {
    void Promise.reject(new Error("floating"));
    return "result";
  },
});
export const floatingWrite = mutation({
  handler: async (ctx) => {
    void (async () => {
      await ctx.db.insert("tasks", { text: "x" });
      throw new Error("after the write");
    })();
    return "result";
  },
});
export const pendingWithRejection = query({
  handler: async () => {
    void Promise.reject(new Error("elsewhere"));
    await new Promise(() => {});
  },
});
