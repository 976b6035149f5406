/** What the library asks of its host: calls by their names, batches, handles, files, limits, failures of callees. */
import {
  actionGeneric as action,
  anyApi as api,
  createFunctionHandle,
  mutationGeneric as mutation,
  queryGeneric as query,
} from "convex/server";
import { v } from "convex/values";

const { Convex } = globalThis as any;
const { contract, nesting } = api;

const raw = async (op: string, args: unknown) => {
  try {
    return JSON.parse(await Convex.asyncSyscall(op, JSON.stringify(args)));
  } catch (error) {
    return (error as Error).message;
  }
};
const failure = async (promise: Promise<unknown>) => {
  try {
    return await promise;
  } catch (error) {
    return (error as Error).message;
  }
};
const scan = { source: { type: "FullTableScan", tableName: "items", order: null }, operators: [] };
const stream = (): { queryId: number } =>
  JSON.parse(Convex.syscall("1.0/queryStream", JSON.stringify({ query: scan })));

export const floating = query({
  args: {},
  handler: async () => {
    void Promise.reject(new Error("floating"));
    return "value";
  },
});
export const notImplemented = query({ args: {}, handler: async () => String(new Request("http://h/").cache) });
export const neverSettles = query({ args: {}, handler: async () => await new Promise(() => {}) });
export const seven = query({ args: {}, handler: async () => 7 });
export const large = query({ args: { size: v.number() }, handler: async (_, { size }) => "x".repeat(size) });
export const takes = query({ args: v.any(), handler: async () => null });
export const scheduleAndFail = mutation({
  args: {},
  handler: async ({ db, scheduler }) => {
    await db.query("items").collect();
    await scheduler.runAfter(1e9, api.calling.change, {});
    throw new Error("child failed");
  },
});

const everywhere: Record<string, (ctx: any) => any> = {
  unknown_operation: () => raw("1.0/nope", {}),
  missing_argument: () => raw("1.0/get", {}),
  bad_argument: () => raw("1.0/get", { id: 5 }),
  nobody_named: () => raw("1.0/runUdf", { udfType: "query", args: {} }),
  database_operation: () => raw("1.0/get", { id: "x" }),
  virtual_table: () => raw("1.0/insert", { table: "_storage", value: {} }),
  request_metadata: () => raw("1.0/getRequestMetadata", {}),
  next_twice: async () => {
    const { queryId } = stream();
    return await Promise.all([raw("1.0/queryStreamNext", { queryId }), raw("1.0/queryStreamNext", { queryId })]);
  },
  next_of_nothing: () => raw("1.0/queryStreamNext", { queryId: 99 }),
  cleanups: () => {
    const { queryId } = stream();
    return [queryId, queryId, 99].map((id) => Convex.syscall("1.0/queryCleanup", JSON.stringify({ queryId: id })));
  },
  order_of_batches: async ({ db }) => {
    const events: string[] = [];
    const note = (name: string) => () => void events.push(name);
    await Promise.all([
      db.query("items").first().then(note("first")),
      db.insert("items", { name: "a" }).then(note("insert a")),
      db
        .query("items")
        .collect()
        .then((rows: any[]) => void events.push(`${rows.length} rows`)),
      db.insert("items", { name: "b" }).then(note("insert b")),
      Promise.resolve().then(note("microtask")),
    ]);
    return events;
  },
  race_is_decided_by_issue: async ({ db }) =>
    await Promise.race([
      db.insert("items", { name: "a" }).then(() => "first"),
      db.get("garbage").catch(() => "second"),
    ]),
  unknown_table: async ({ db }) => await db.get("j57000820c20a1g7104gm2rc1m70ynr8"),
  user_table_of_system: async ({ db }) => await db.system.get(await db.insert("items", {})),
  handle: async (ctx) => {
    const handle = await createFunctionHandle(contract.seven as any);
    return [handle.startsWith("function://"), await ctx.runQuery(handle as any, {})];
  },
  unknown_handle: async (ctx) => await ctx.runQuery("function://nowhere" as any, {}),
  handle_of_nothing: async () => await createFunctionHandle((api as any).contract.nowhere),
  file_garbage: async ({ storage }) => await storage.getUrl("garbage"),
  file_of_another_table: async ({ db, storage }) => await storage.getUrl(await db.insert("items", {})),
  missing_file: async ({ storage }) => {
    const id = "123e4567-e89b-12d3-a456-426614174000";
    return [await storage.getUrl(id), await storage.getMetadata(id)];
  },
  delete_missing_file: async ({ storage }) => await storage.delete("123e4567-e89b-12d3-a456-426614174000"),
  too_many_jobs: async ({ scheduler }) => {
    for (let n = 0; n < 1001; n++) await scheduler.runAfter(1e9, api.calling.change, {});
  },
  direct_call: async (ctx) => await (seven as any)(ctx, {}),
  floating_callee: async (ctx) => (await failure(ctx.runQuery(contract.floating, {}))) as string,
  unimplemented_callee: async (ctx) => await failure(ctx.runQuery(contract.notImplemented, {})),
  stuck_callee: async (ctx) => await failure(ctx.runQuery(contract.neverSettles, {})),
  limit_is_catchable: async (ctx) => {
    await ctx.db.insert("items", {});
    await ctx.db.insert("items", {});
    return await failure(ctx.runQuery(nesting.names, {}, { transactionLimits: { documentsRead: 1 } }));
  },
  counters_of_a_failed_callee: async (ctx) => {
    await ctx.db.insert("items", { name: "mine" });
    await failure(ctx.runMutation(contract.scheduleAndFail, {}));
    const { documentsRead, functionsScheduled } = await ctx.meta.getTransactionMetrics();
    const jobs = await ctx.db.system.query("_scheduled_functions").collect();
    return [
      documentsRead.used,
      functionsScheduled.used,
      jobs.filter((job: any) => job.state.kind === "pending").length,
    ];
  },
  large_result: async (ctx) => await ctx.runQuery(contract.large, { size: 17 * 2 ** 20 }),
  large_arguments: async (ctx) => await ctx.runQuery(contract.takes, { text: "x".repeat(17 * 2 ** 20) }),
};

const args = { what: v.string() };
const handler = async (ctx: any, { what }: { what: string }) => await everywhere[what](ctx);
export const inQuery = query({ args, handler });
export const inMutation = mutation({ args, handler });
export const inAction = action({ args, handler });
