import { v } from "convex/values";
import { mutation } from "./_generated/server";

export const keep = mutation({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    const id = await ctx.storage.store(new Blob([text], { type: "text/plain" }));
    const blob = await ctx.storage.get(id);
    const { filesWritten, fileReadBytes } = await ctx.meta.getTransactionMetrics();
    return { text: await blob!.text(), type: blob!.type, filesWritten, fileReadBytes };
  },
});
