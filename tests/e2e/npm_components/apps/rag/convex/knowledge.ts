import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { RAG, type EntryId, vSearchType } from "@convex-dev/rag";
import { v } from "convex/values";
import { components, internal } from "./_generated/api";
import type { DataModel } from "./_generated/dataModel";
import { action, query } from "./_generated/server";

const models = createOpenAICompatible({
  name: "test",
  baseURL: `${process.env.MODEL_URL ?? "http://nowhere"}/v1`,
  apiKey: "key",
});
const rag = new RAG<{ category: string }, { storageId?: string }>(components.rag, {
  textEmbeddingModel: models.embeddingModel("embedding"),
  embeddingDimension: 128,
  filterNames: ["category"],
});

export const add = action({
  args: { key: v.string(), text: v.string(), category: v.string() },
  handler: async (ctx, { key, text, category }) => {
    const { entryId, status, replacedEntry } = await rag.add(ctx, {
      namespace: "global",
      key,
      title: key,
      chunks: text.split("\n\n"),
      filterValues: [{ name: "category", value: category }],
    });
    if (replacedEntry) await rag.delete(ctx, { entryId: replacedEntry.entryId });
    return { entryId, status, replaced: replacedEntry?.entryId ?? null };
  },
});
/** A file is cut into chunks, and these are embedded, in the background. */
export const addFile = action({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    const storageId = await ctx.storage.store(new Blob([text]));
    const { entryId } = await rag.addAsync(ctx, {
      namespace: "global",
      key: "file",
      metadata: { storageId },
      filterValues: [{ name: "category", value: "file" }],
      chunkerAction: internal.knowledge.chunk,
      onComplete: internal.knowledge.done,
    });
    return entryId;
  },
});
export const chunk = rag.defineChunkerAction(async (ctx, { entry }) => {
  const file = await ctx.storage.get(entry.metadata!.storageId!);
  const text = await file!.text();
  if (text === "broken") throw new Error("a file that cannot be read");
  return { chunks: text.split("\n\n").map((text) => ({ text })) };
});
export const done = rag.defineOnComplete<DataModel>(async (ctx, { entry, error, replacedEntry }) => {
  const what = error ? "failed" : replacedEntry ? "replaced" : "ready";
  await ctx.db.insert("done", { entryId: entry.entryId, what });
});
export const finished = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("done").collect()).map(({ entryId, what }) => [entryId, what]),
});
export const search = action({
  args: {
    query: v.string(),
    categories: v.optional(v.array(v.string())),
    searchType: v.optional(vSearchType),
    context: v.optional(v.number()),
  },
  handler: async (ctx, { query, categories, searchType, context }) => {
    const { results, text, entries } = await rag.search(ctx, {
      namespace: "global",
      query,
      searchType,
      limit: 3,
      vectorScoreThreshold: 0.2,
      filters: (categories ?? []).map((value) => ({ name: "category" as const, value })),
      chunkContext: { before: context ?? 0, after: 0 },
    });
    return {
      chunks: results.map(({ content }) => content.map(({ text }) => text)),
      titles: entries.map(({ title }) => title ?? null),
      text,
    };
  },
});
export const answer = action({
  args: { prompt: v.string() },
  handler: async (ctx, { prompt }) =>
    (
      await rag.generateText(ctx, {
        search: { namespace: "global", limit: 1 },
        prompt,
        model: models.chatModel("chat"),
      })
    ).text,
});
export const entry = query({
  args: { entryId: v.string() },
  handler: async (ctx, { entryId }) => (await rag.getEntry(ctx, { entryId: entryId as EntryId }))?.status ?? null,
});
export const remove = action({
  args: { entryId: v.string() },
  handler: async (ctx, { entryId }) => await rag.delete(ctx, { entryId: entryId as EntryId }),
});
