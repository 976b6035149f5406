// What is said in a channel.
import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import { internalMutation, mutation, query } from "./_generated/server";
import { named } from "./channels";
import { obey } from "./commands";
import { memberName } from "./members";
import { clear } from "./presence";

/** The newest messages of a channel, page by page, with the addresses of their files. */
export const list = query({
  args: { channel: v.id("channels"), paginationOpts: paginationOptsValidator },
  handler: async (ctx, args) => {
    await memberName(ctx);
    const result = await ctx.db
      .query("messages")
      .withIndex("by_channel", (q) => q.eq("channel", args.channel))
      .order("desc")
      .paginate(args.paginationOpts);
    const page = result.page.map(async ({ file, ...message }) =>
      file === undefined ? message : { ...message, file: { name: file.name, url: await ctx.storage.getUrl(file.id) } },
    );
    return { ...result, page: await Promise.all(page) };
  },
});

/** Say something, show a file, or give a command. */
export const send = mutation({
  args: {
    channel: v.id("channels"),
    text: v.string(),
    file: v.optional(v.object({ id: v.id("_storage"), name: v.string() })),
  },
  handler: async (ctx, { channel, file, ...args }) => {
    const author = await memberName(ctx);
    const text = args.text.trim();
    await ctx.db.insert("messages", { channel, author, kind: "person", text, file });
    await clear(ctx, channel, author);
    if (text.startsWith("/")) await obey(ctx, channel, author, text);
  },
});

/** What a command answers. */
export const post = internalMutation({
  args: { channel: v.id("channels"), author: v.string(), text: v.string() },
  handler: async (ctx, args) => {
    await ctx.db.insert("messages", { ...args, kind: "command" });
  },
});

/** What a webhook says in the channel of that name; whether there is one. */
export const receive = internalMutation({
  args: { channel: v.string(), author: v.string(), text: v.string() },
  returns: v.boolean(),
  handler: async (ctx, { channel, author, text }) => {
    const found = await named(ctx, channel);
    if (found !== null) await ctx.db.insert("messages", { channel: found._id, author, text, kind: "webhook" });
    return found !== null;
  },
});
