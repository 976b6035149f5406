// Forget what is old, and its files with it.
import { v } from "convex/values";
import { internal } from "./_generated/api";
import { internalMutation } from "./_generated/server";

const BATCH = 200;
const DAY_MS = 24 * 3600 * 1000;

/** Delete the messages older than so many days, some at a time; how many went now. */
export const old = internalMutation({
  args: { days: v.number() },
  returns: v.number(),
  handler: async (ctx, { days }) => {
    const before = Date.now() - days * DAY_MS;
    const messages = await ctx.db
      .query("messages")
      .withIndex("by_creation_time", (q) => q.lt("_creationTime", before))
      .take(BATCH);
    for (const message of messages) {
      if (message.file) await ctx.storage.delete(message.file.id);
      await ctx.db.delete(message._id);
    }
    if (messages.length === BATCH) await ctx.scheduler.runAfter(0, internal.cleanup.old, { days });
    return messages.length;
  },
});
