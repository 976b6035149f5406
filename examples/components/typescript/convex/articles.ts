import { WorkflowManager } from "@convex-dev/workflow";
import { v } from "convex/values";
import { components, internal } from "./_generated/api";
import { internalMutation, mutation, query } from "./_generated/server";

const workflow = new WorkflowManager(components.workflow);

export const submit = mutation({
  args: { title: v.string(), text: v.string() },
  returns: v.id("articles"),
  handler: async (ctx, args) => {
    const article = await ctx.db.insert("articles", { ...args, state: "submitted" });
    await workflow.start(ctx, internal.articles.publishing, { article, text: args.text });
    return article;
  },
});

/** Each step is done once, whatever becomes of the server meanwhile. */
export const publishing = workflow.define({
  args: { article: v.id("articles"), text: v.string() },
  handler: async (step, { article, text }): Promise<void> => {
    const score: number = await step.runMutation(components.readability.texts.score, { subject: article, text });
    await step.runMutation(internal.articles.decide, { article, isReadable: score >= 60 });
  },
});

export const decide = internalMutation({
  args: { article: v.id("articles"), isReadable: v.boolean() },
  handler: async (ctx, { article, isReadable }) => {
    await ctx.db.patch(article, { state: isReadable ? "published" : "returned" });
  },
});

/** Every article with its score, which the component keeps. */
export const list = query({
  args: {},
  handler: async (ctx) => {
    const articles = await ctx.db.query("articles").collect();
    return await Promise.all(
      articles.map(async ({ _id, title, state }) => {
        const score = await ctx.runQuery(components.readability.texts.scoreOf, { subject: _id });
        return { title, state, score };
      }),
    );
  },
});
