import { v } from "convex/values";
import { defineBatchWorkerValidators, ping } from "@convex-dev/batch-worker";
import { components, internal } from "./_generated/api";
import { internalMutation, internalQuery, mutation, query } from "./_generated/server";

const BATCH_SIZE = 10;
const events = v.array(v.object({ id: v.id("events"), queue: v.string(), value: v.number() }));
const { vQueryArgs, vQueryReturns, vMutationArgs } = defineBatchWorkerValidators({ batch: { events } });

export const add = mutation({
  args: { queue: v.string(), values: v.array(v.number()) },
  handler: async (ctx, { queue, values }) => {
    for (const value of values) await ctx.db.insert("events", { queue, value, insertedAt: ctx.db.vars.commitTs });
    await ping(ctx, components.batchWorker, {
      name: queue,
      workQuery: internal.events.getBatch,
      workerMutation: internal.events.processBatch,
      config: { debounceMs: 20 },
    });
  },
});
export const getBatch = internalQuery({
  args: vQueryArgs,
  returns: vQueryReturns,
  handler: async (ctx, { name, cursor }) => {
    const found = await ctx.db
      .query("events")
      .withIndex("by_time", (q) => q.eq("queue", name).gte("insertedAt", cursor ?? 0n))
      .take(BATCH_SIZE);
    if (found.length === 0) return { kind: "idle" as const, cooldownMs: 0 };
    return {
      kind: "work" as const,
      batch: { events: found.map(({ _id, queue, value }) => ({ id: _id, queue, value })) },
      cursor: found.at(-1)!.insertedAt,
    };
  },
});
export const processBatch = internalMutation({
  args: vMutationArgs,
  handler: async (ctx, { events }) => {
    if (events.some(({ value }) => value < 0)) throw new Error("no negative values");
    const queue = events[0].queue;
    const sum = events.reduce((sum: number, { value }: { value: number }) => sum + value, 0);
    const row = await ctx.db
      .query("sums")
      .withIndex("by_queue", (q) => q.eq("queue", queue))
      .unique();
    if (row === null) await ctx.db.insert("sums", { queue, sum, batches: 1 });
    else await ctx.db.patch("sums", row._id, { sum: row.sum + sum, batches: row.batches + 1 });
    for (const { id } of events) await ctx.db.delete("events", id);
  },
});
export const sum = query({
  args: { queue: v.string() },
  handler: async (ctx, { queue }) => {
    const left = await ctx.db
      .query("events")
      .withIndex("by_time", (q) => q.eq("queue", queue))
      .collect();
    const row = await ctx.db
      .query("sums")
      .withIndex("by_queue", (q) => q.eq("queue", queue))
      .unique();
    return { left: left.length, sum: row?.sum ?? 0, batches: row?.batches ?? 0 };
  },
});
export const forget = mutation({
  args: { queue: v.string() },
  handler: async (ctx, { queue }) => {
    for await (const event of ctx.db.query("events").withIndex("by_time", (q) => q.eq("queue", queue)))
      if (event.value < 0) await ctx.db.delete("events", event._id);
  },
});
const queue = { queue: v.string() };
export const status = query({
  args: queue,
  handler: async (ctx, { queue }) => await ctx.runQuery(components.batchWorker.lib.status, { name: queue }),
});
export const start = mutation({
  args: queue,
  handler: async (ctx, { queue }) => await ctx.runMutation(components.batchWorker.lib.start, { name: queue }),
});
export const stop = mutation({
  args: queue,
  handler: async (ctx, { queue }) => await ctx.runMutation(components.batchWorker.lib.stop, { name: queue }),
});
export const kick = mutation({
  args: queue,
  handler: async (ctx, { queue }) => await ctx.runMutation(components.batchWorker.lib.kick, { name: queue }),
});
