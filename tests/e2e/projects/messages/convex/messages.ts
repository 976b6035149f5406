import { v } from "convex/values";
import { api, internal } from "./_generated/api";
import { action, internalMutation, internalQuery, mutation, query } from "./_generated/server";
import { shout } from "./lib/text";

export const list = query({
  args: { channel: v.string() },
  handler: async (ctx, { channel }) => {
    const messages = await ctx.db
      .query("messages")
      .withIndex("by_channel", (q) => q.eq("channel", channel))
      .collect();
    return messages.map((message) => message.body);
  },
});

export const send = mutation({
  args: { channel: v.string(), body: v.string() },
  returns: v.id("messages"),
  handler: async (ctx, args) => {
    console.log("sending to", args.channel);
    return await ctx.db.insert("messages", args);
  },
});

export const like = mutation({
  args: { id: v.id("messages") },
  handler: async (ctx, { id }) => {
    const message = await ctx.db.get(id);
    await ctx.db.patch(id, { likes: (message?.likes ?? 0n) + 1n });
  },
});

export const clear = internalMutation({
  args: {},
  handler: async (ctx) => {
    const messages = await ctx.db.query("messages").collect();
    for (const message of messages) await ctx.db.delete(message._id);
    return messages.length;
  },
});

export const count = internalQuery({
  args: {},
  handler: async (ctx) => (await ctx.db.query("messages").collect()).length,
});

export const announce = action({
  args: { channel: v.string(), body: v.string() },
  handler: async (ctx, { channel, body }): Promise<number> => {
    console.warn("announcing", body);
    await ctx.runMutation(api.messages.send, { channel, body: shout(body) });
    return await ctx.runQuery(internal.messages.count, {});
  },
});

export const whoami = query({
  args: {},
  handler: async (ctx) => (await ctx.auth.getUserIdentity())?.name ?? null,
});

export const greeting = query({
  args: {},
  handler: async () => `${process.env.GREETING ?? "no greeting"}`,
});

export const values = query({
  args: {},
  handler: async () => ({ big: 5n, bytes: new Uint8Array([1, 2]).buffer, negative: -0, list: [null, true] }),
});

export const fail = query({
  args: {},
  handler: async () => {
    throw new Error("this one fails");
  },
});
