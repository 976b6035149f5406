import { v } from "convex/values";
import { TableAggregate } from "@convex-dev/aggregate";
import { RateLimiter, MINUTE } from "@convex-dev/rate-limiter";
import { Workpool, vOnCompleteArgs } from "@convex-dev/workpool";
import { WorkflowManager } from "@convex-dev/workflow";
import { ActionRetrier } from "@convex-dev/action-retrier";
import { ActionCache } from "@convex-dev/action-cache";
import { Crons } from "@convex-dev/crons";
import { Migrations } from "@convex-dev/migrations";
import { ShardedCounter } from "@convex-dev/sharded-counter";
import { components, internal } from "./_generated/api";
import { action, internalAction, internalMutation, mutation, query } from "./_generated/server";
import type { DataModel } from "./_generated/dataModel";

const limiter = new RateLimiter(components.rateLimiter, {
  send: { kind: "token bucket", rate: 1, period: MINUTE, capacity: 1 },
});
const pool = new Workpool(components.workpool, { maxParallelism: 5 });
const flow = new WorkflowManager(components.workflow);
const retrier = new ActionRetrier(components.actionRetrier, { initialBackoffMs: 50, base: 1.2, maxFailures: 5 });
const counter = new ShardedCounter(components.shardedCounter);
const crons = new Crons(components.crons);
const scores = new TableAggregate<{ Key: number; DataModel: DataModel; TableName: "scores" }>(components.aggregate, {
  sortKey: (d) => d.score,
});
const cache = new ActionCache(components.actionCache, { action: internal.app.slow });
export const migrations = new Migrations<DataModel>(components.migrations);

export const note = internalMutation({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    await ctx.db.insert("events", { text });
  },
});
export const events = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("events").collect()).map((e) => e.text),
});
export const limited = mutation({ args: {}, handler: async (ctx) => (await limiter.limit(ctx, "send")).ok });
export const limitedThrows = mutation({
  args: {},
  handler: async (ctx) => {
    try {
      await limiter.limit(ctx, "send", { throws: true });
      return "ok";
    } catch (e: any) {
      return e.data;
    }
  },
});
export const work = internalAction({ args: { n: v.number() }, handler: async (ctx, { n }) => n * 2 });
export const done = internalMutation({
  args: vOnCompleteArgs(v.number()),
  handler: async (ctx, { context, result }) => {
    await ctx.db.insert("events", { text: `done ${context} ${result.kind}` });
  },
});
export const enqueue = mutation({
  args: { count: v.number() },
  handler: async (ctx, { count }) => {
    for (let n = 0; n < count; n++)
      await pool.enqueueAction(ctx, internal.app.work, { n }, { onComplete: internal.app.done, context: n });
  },
});
export const stepping = flow.define({
  args: { name: v.string() },
  returns: v.number(),
  handler: async (step, { name }): Promise<number> => {
    const a: number = await step.runAction(internal.app.work, { n: 1 });
    await step.runMutation(internal.app.note, { text: `flow ${name} ${a}` });
    const b: number = await step.runAction(internal.app.work, { n: a }, { runAfter: 200 });
    await step.runMutation(internal.app.note, { text: `flow ${name} ${b}` });
    return b;
  },
});
export const startFlow = mutation({
  args: { name: v.string() },
  handler: async (ctx, args): Promise<string> => await flow.start(ctx, internal.app.stepping, args),
});
export const flowStatus = query({
  args: { id: v.string() },
  handler: async (ctx, { id }) => await flow.status(ctx, id as any),
});
export const flaky = internalAction({
  args: { name: v.string() },
  handler: async (ctx, { name }): Promise<string> => {
    const seen: string[] = await ctx.runQuery(internal.app.tries, { name });
    await ctx.runMutation(internal.app.note, { text: `try ${name}` });
    if (seen.length < 2) throw new Error("not yet");
    return "finally";
  },
});
export const tries = query({
  args: { name: v.string() },
  handler: async (ctx, { name }) =>
    (await ctx.db.query("events").collect()).map((e) => e.text).filter((t) => t === `try ${name}`),
});
export const retry = action({
  args: { name: v.string() },
  handler: async (ctx, args): Promise<string> => await retrier.run(ctx, internal.app.flaky, args),
});
export const retryStatus = query({
  args: { id: v.string() },
  handler: async (ctx, { id }): Promise<any> => await retrier.status(ctx, id as any),
});
export const slow = internalAction({
  args: { n: v.number() },
  handler: async (ctx, { n }) => {
    await ctx.runMutation(internal.app.note, { text: `slow ${n}` });
    return n + 1;
  },
});
export const cached = action({
  args: { n: v.number() },
  handler: async (ctx, args): Promise<number> => await cache.fetch(ctx, args),
});
export const count = mutation({
  args: { by: v.number() },
  handler: async (ctx, { by }) => {
    await counter.add(ctx, "x", by);
  },
});
export const counted = query({ args: {}, handler: async (ctx): Promise<number> => await counter.count(ctx, "x") });
export const score = mutation({
  args: { name: v.string(), score: v.number() },
  handler: async (ctx, args) => {
    const id = await ctx.db.insert("scores", args);
    await scores.insert(ctx, (await ctx.db.get(id))!);
  },
});
export const stats = query({
  args: {},
  handler: async (ctx) => ({
    count: await scores.count(ctx),
    sum: await scores.sum(ctx),
    third: (await scores.at(ctx, 2)).key,
    max: await scores.max(ctx),
  }),
});
export const everySecond = mutation({
  args: {},
  handler: async (ctx): Promise<string> =>
    await crons.register(ctx, { kind: "interval", ms: 1000 }, internal.app.note, { text: "cron" }, "every"),
});
export const stopCron = mutation({
  args: {},
  handler: async (ctx) => {
    await crons.delete(ctx, { name: "every" });
  },
});
export const markSeen = migrations.define({ table: "scores", migrateOne: async () => ({ seen: true }), batchSize: 10 });
export const run = migrations.runner();
export const unseen = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("scores").collect()).filter((s) => !s.seen).length,
});
