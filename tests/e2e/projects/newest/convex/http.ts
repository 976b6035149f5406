import { httpRouter } from "convex/server";
import { v } from "convex/values";
import { httpAction, internalMutation, query } from "./_generated/server";

export const tock = internalMutation({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    await ctx.db.insert("notes", { text });
  },
});

export const hello = query({ args: {}, handler: async () => "hello of http" });

const http = httpRouter();

http.route({ path: "/hello", method: "GET", handler: httpAction(async () => new Response("hello")) });

export default http;
