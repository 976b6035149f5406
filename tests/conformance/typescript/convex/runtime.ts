/** The surroundings of a function: console, clock, randomness, environment, what is forbidden, loose ends. */
import {
  actionGeneric as action,
  anyApi as api,
  mutationGeneric as mutation,
  queryGeneric as query,
} from "convex/server";
import { v } from "convex/values";

let calls = 0;

const inQueries: Record<string, (ctx: any) => any> = {
  levels: () => {
    console.debug("d");
    console.info("i");
    console.log("l");
    console.warn("w");
    console.error("e");
  },
  scalars: () => console.log("a'b\n", 1, -0, NaN, 5n, true, null, undefined),
  arrays: () => console.log([], [1, 2, "x"], [1, [2]], [{ a: 1 }]),
  objects: () => console.log({}, { a: 1, "c-d": [1], e: { f: null } }),
  collections: () => console.log(new Map([["k", 1]]), new Set([1])),
  functions: () =>
    console.log(
      function named() {},
      () => {},
      class Klass {},
    ),
  errors: () => console.log(new Error("boom")),
  buffers: () => console.log(new Uint8Array([1, 2])),
  no_substitution: () => console.log("%s", "x"),
  many_lines: () => {
    for (let n = 0; n < 300; n++) console.log(n);
  },
  long_line: () => console.log("x".repeat(40000)),
  frozen_clock: async (ctx) => {
    const before = Date.now();
    for (let n = 0; n < 1e5; n++) Math.sqrt(n);
    await ctx.db.query("items").collect();
    return before === Date.now() && before > 1.7e12;
  },
  utc: () => new Date(0).getTimezoneOffset(),
  random: () => {
    const drawn = [Math.random(), Math.random()];
    return drawn[0] !== drawn[1] && drawn.every((one) => one >= 0 && one < 1);
  },
  random_uuid: () => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-/.test(crypto.randomUUID()),
  environment: () => [process.env.GREETING, process.env.NOT_SET ?? null],
  system_environment: () => typeof process.env.CONVEX_CLOUD_URL,
  environment_is_closed: () => Object.keys(process.env),
  network: async () => await fetch("http://127.0.0.1:1/"),
  timer: async () => await new Promise((resolve) => setTimeout(resolve, 1)),
  key_generation: async () => await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]),
  digest: async () => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("abc"));
    return new Uint8Array(digest)[0];
  },
  no_node: () => ["require", "Buffer", "window"].map((name) => typeof (globalThis as any)[name]),
  floating_rejection: () => {
    void Promise.reject(new Error("floating"));
    return "value";
  },
  handled_late: async (ctx) => {
    const promise = ctx.db.get("garbage");
    await ctx.db.query("items").paginate({ numItems: 1, cursor: null });
    await ctx.db.query("items").collect();
    try {
      await promise;
    } catch {}
    return "survived";
  },
  handled_in_time: async (ctx) => {
    const promise = ctx.db.get("garbage");
    promise.catch(() => {});
    await ctx.db.query("items").collect();
    return "survived";
  },
  too_many_reads: async (ctx) => {
    for (let n = 0; n < 4200; n++) {
      await ctx.db
        .query("items")
        .withIndex("by_value", (q: any) => q.eq("value", 2 * n))
        .collect();
    }
  },
  metrics: async (ctx) => {
    await ctx.db.query("items").collect();
    const { documentsRead, bytesWritten } = await ctx.meta.getTransactionMetrics();
    return [documentsRead.used, documentsRead.remaining, bytesWritten.used];
  },
  metadata: async (ctx) => {
    const { name, type, visibility, componentPath } = await ctx.meta.getFunctionMetadata();
    return [name, type, visibility, componentPath];
  },
  identity: async (ctx) => await ctx.auth.getUserIdentity(),
};

export const inQuery = query({
  args: { what: v.string() },
  handler: async (ctx, { what }) => await inQueries[what](ctx),
});

const inMutations: Record<string, (ctx: any) => any> = {
  fresh_state: () => ++calls,
  dangling_write: (ctx) => {
    void ctx.db.insert("items", { name: "dangling" });
    return "value";
  },
  dangling_sequence: (ctx) => {
    void (async () => {
      await ctx.db.insert("items", { name: "first" });
      await ctx.db.insert("items", { name: "second" });
    })();
  },
  dangling_failure: (ctx) => {
    void ctx.db.insert("items", { name: "undone" });
    void ctx.db.get("garbage");
    return "value";
  },
  rejected_main: async (ctx) => {
    void ctx.db.insert("items", { name: "never" });
    throw new Error("main");
  },
  too_many_writes: async (ctx) => {
    for (let n = 0; n < 161; n++) {
      await Promise.all(Array.from({ length: 100 }, () => ctx.db.insert("items", {})));
    }
  },
  schedule: async (ctx) => {
    const id = await ctx.scheduler.runAfter(1e9, api.calling.change, {});
    const job = await ctx.db.system.get(id);
    await ctx.scheduler.cancel(id);
    return [job.state.kind, job.args, (await ctx.db.system.get(id)).state.kind];
  },
  schedule_nowhere: async (ctx) => await ctx.scheduler.runAfter(0, (api as any).nowhere.f, {}),
  schedule_missing_export: async (ctx) => await ctx.scheduler.runAfter(0, (api as any).calling.nowhere, {}),
  schedule_late: async (ctx) => await ctx.scheduler.runAfter(6 * 366 * 86400e3, api.calling.change, {}),
  schedule_negative: async (ctx) => await ctx.scheduler.runAfter(-1, api.calling.change, {}),
  schedule_infinite: async (ctx) => await ctx.scheduler.runAfter(Infinity, api.calling.change, {}),
  schedule_early: async (ctx) => await ctx.scheduler.runAt(0, api.calling.change, {}),
  schedule_text_delay: async (ctx) => await ctx.scheduler.runAfter("soon" as any, api.calling.change, {}),
  schedule_text_time: async (ctx) => await ctx.scheduler.runAt("noon" as any, api.calling.change, {}),
  schedule_date: async (ctx) => {
    const id = await ctx.scheduler.runAt(new Date(Date.UTC(2026, 10, 1)), api.calling.typed, { nonsense: 1 });
    const job = await ctx.db.system.get(id);
    await ctx.scheduler.cancel(id);
    return [job.name.split(".")[0], job.scheduledTime];
  },
  files_elsewhere: async (ctx) => await ctx.storage.getUrl(await ctx.db.insert("items", {})),
  files_nonsense: async (ctx) => await ctx.storage.getUrl("nonsense"),
  files_missing: async (ctx) => {
    const missing = "11111111-2222-4333-8444-555555555555";
    return [await ctx.storage.getUrl(missing), await ctx.storage.getMetadata(missing)];
  },
  files_delete_missing: async (ctx) => await ctx.storage.delete("11111111-2222-4333-8444-555555555555"),
  schedule_wrong_arguments: async (ctx) => {
    const id = await ctx.scheduler.runAfter(1e9, api.calling.typed, { nonsense: 1 });
    await ctx.scheduler.cancel(id);
    return "accepted";
  },
  cancel_wrong_id: async (ctx) => await ctx.scheduler.cancel(await ctx.db.insert("items", {})),
};

export const inMutation = mutation({
  args: { what: v.string() },
  handler: async (ctx, { what }) => await inMutations[what](ctx),
});

const inActions: Record<string, (ctx: any) => any> = {
  clock_runs: async () => {
    const before = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 5));
    return Date.now() > before;
  },
  dangling: (ctx) => {
    void ctx.runQuery(api.queries.all, {});
    return "value";
  },
  floating_rejection: async () => {
    void Promise.reject(new Error("floating"));
    return "value";
  },
  walk: async (ctx) => {
    const pages = [];
    let cursor = null;
    for (;;) {
      const page: any = await ctx.runQuery(api.queries.page, { paginationOpts: { numItems: 2, cursor } });
      pages.push(page.page);
      if (page.isDone) return pages;
      cursor = page.continueCursor;
    }
  },
  walk_filtered: async (ctx) => {
    const paginationOpts = { numItems: 5, cursor: null, maximumRowsRead: 2 };
    const page = await ctx.runQuery(api.queries.page, { above: 100, paginationOpts });
    return [page.page, page.isDone, page.pageStatus];
  },
  cursor_of_another_query: async (ctx) => {
    const { continueCursor } = await ctx.runQuery(api.queries.page, {
      paginationOpts: { numItems: 2, cursor: null },
    });
    await ctx.runQuery(api.queries.page, {
      index: "by_value",
      paginationOpts: { numItems: 2, cursor: continueCursor },
    });
  },
  page_grows: async (ctx) => {
    const first = await ctx.runQuery(api.queries.page, {
      index: "by_value",
      paginationOpts: { numItems: 2, cursor: null },
    });
    await ctx.runMutation((api as any).tables.fill, { documents: [{ name: "between", value: 0.5 }] });
    const again = await ctx.runQuery(api.queries.page, {
      index: "by_value",
      paginationOpts: { numItems: 2, cursor: null, endCursor: first.continueCursor },
    });
    return [again.page, again.continueCursor === first.continueCursor];
  },
};

export const inAction = action({
  args: { what: v.string() },
  handler: async (ctx, { what }) => await inActions[what](ctx),
});
