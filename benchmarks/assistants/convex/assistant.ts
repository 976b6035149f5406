// One assistant of a hundred. Its model is asked nothing: the answer is at hand.
import { createOpenAI } from "@ai-sdk/openai";
import { actionGeneric as action, mutationGeneric as mutation, queryGeneric as query } from "convex/server";
import { v } from "convex/values";
import { generateText, stepCountIs, tool } from "ai";
import { z } from "zod";

const NAME = "assistant";
const completion = {
  id: "1",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "Yes." }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
};
const models = createOpenAI({ apiKey: "none", fetch: async () => Response.json(completion) });
const weather = tool({
  description: "The weather in a place.",
  inputSchema: z.object({ place: z.string() }),
  execute: async ({ place }) => `Fair in ${place}.`,
});

export const ask = action({
  args: { prompt: v.string() },
  handler: async (_ctx, { prompt }) => {
    const { text } = await generateText({
      model: models.chat("m"),
      prompt,
      tools: { weather },
      stopWhen: stepCountIs(2),
    });
    return text;
  },
});

export const remember = mutation({
  args: { text: v.string() },
  handler: async (ctx, { text }) => await ctx.db.insert("answers", { assistant: NAME, text }),
});

export const newest = query({
  args: {},
  handler: async (ctx) => {
    const own = ctx.db.query("answers").withIndex("by_assistant", (q) => q.eq("assistant", NAME));
    return await own.order("desc").take(5);
  },
});
