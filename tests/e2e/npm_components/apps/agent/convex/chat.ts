import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Agent, createThread, createTool, listMessages, saveMessage, stepCountIs } from "@convex-dev/agent";
import { syncStreams, vStreamArgs } from "@convex-dev/agent";
import { paginationOptsValidator } from "convex/server";
import { v } from "convex/values";
import { z } from "zod";
import { components, internal } from "./_generated/api";
import { action, internalAction, internalMutation, mutation, query } from "./_generated/server";

const models = () =>
  createOpenAICompatible({ name: "test", baseURL: `${process.env.MODEL_URL}/v1`, apiKey: "key", includeUsage: true });
const agent = () =>
  new Agent(components.agent, {
    name: "Helper",
    languageModel: models().chatModel("chat"),
    embeddingModel: models().embeddingModel("embedding"),
    instructions: "You are a helper.",
    tools: {
      weather: createTool({
        description: "Tells the weather",
        inputSchema: z.object({ place: z.string() }),
        execute: async (ctx, { place }): Promise<string> => {
          await ctx.runMutation(internal.chat.note, { text: `weather of ${place}` });
          return `sunny in ${place}`;
        },
      }),
    },
    stopWhen: stepCountIs(3),
    usageHandler: async (ctx, { usage }) => {
      await ctx.runMutation(internal.chat.note, { text: `used ${usage.totalTokens}` });
    },
  });

export const note = internalMutation({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    await ctx.db.insert("notes", { text });
  },
});
export const notes = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("notes").collect()).map(({ text }) => text as string),
});
export const begin = mutation({
  args: { userId: v.string(), title: v.string() },
  handler: async (ctx, args) => await createThread(ctx, components.agent, args),
});
export const ask = action({
  args: { threadId: v.string(), prompt: v.string() },
  handler: async (ctx, { threadId, prompt }) => (await agent().generateText(ctx, { threadId }, { prompt })).text,
});
export const search = action({
  args: { threadId: v.string(), prompt: v.string(), textSearch: v.boolean(), vectorSearch: v.boolean() },
  handler: async (ctx, { threadId, prompt, ...how }) => {
    const options = { limit: 2, ...how, messageRange: { before: 0, after: 0 }, vectorScoreThreshold: 0.1 };
    const found = await agent().fetchContextMessages(ctx, {
      userId: undefined,
      threadId,
      searchText: prompt,
      contextOptions: { recentMessages: 0, searchOptions: options },
    });
    return found.map(({ text }) => text);
  },
});
/** The prompt is saved at once, and answered in the background, in a stream that every client can follow. */
export const send = mutation({
  args: { threadId: v.string(), prompt: v.string() },
  handler: async (ctx, { threadId, prompt }) => {
    const { messageId } = await saveMessage(ctx, components.agent, { threadId, prompt });
    await ctx.scheduler.runAfter(0, internal.chat.answer, { threadId, promptMessageId: messageId });
  },
});
export const answer = internalAction({
  args: { threadId: v.string(), promptMessageId: v.string() },
  handler: async (ctx, { threadId, promptMessageId }) => {
    const result = await agent().streamText(
      ctx,
      { threadId },
      { promptMessageId },
      { saveStreamDeltas: { chunking: "word", throttleMs: 10 } },
    );
    await result.consumeStream();
  },
});
export const messages = query({
  args: { threadId: v.string(), paginationOpts: paginationOptsValidator, streamArgs: v.optional(vStreamArgs) },
  handler: async (ctx, args) => {
    const streams =
      args.streamArgs && (await syncStreams(ctx, components.agent, { ...args, streamArgs: args.streamArgs }));
    const { page } = await listMessages(ctx, components.agent, args);
    return { texts: page.map(({ message, text }) => `${message?.role}: ${text ?? ""}`).reverse(), streams };
  },
});
export const forget = action({
  args: { threadId: v.string() },
  handler: async (ctx, { threadId }) => await agent().deleteThreadSync(ctx, { threadId }),
});
