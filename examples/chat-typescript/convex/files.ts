import { v } from "convex/values";
import { mutation } from "./_generated/server";
import { memberName } from "./members";

/** An address that takes one file by POST, and answers with its id. */
export const upload = mutation({
  args: {},
  returns: v.string(),
  handler: async (ctx) => {
    await memberName(ctx);
    return await ctx.storage.generateUploadUrl();
  },
});
