/** Every way by which something leaves a function: throws `NoSuchDoor` where this kind of function has not got it. */
import { ConvexError, v } from "convex/values";
import { CONTENTS, misshapen, unreadable } from "./hostile";

declare const Convex: {
  asyncSyscall(op: string, args: string): Promise<string>;
  syscall(op: string, args: string): string;
};

/** What is to be sent: a named content, or the text or value that the test made. */
export const contentOf = ({ content, value }: { content?: string; value?: any }) =>
  content === undefined ? value : CONTENTS[content]();

export const DOORS: Record<string, (ctx: any, content: any) => any> = {
  value: (_, it) => it,
  within: (_, it) => ({ a: [it] }),
  log: (_, it) => void console.log(it, "beside"),
  errorLog: (_, it) => void console.error(new Error(it)),
  label: (_, it) => (console.time(it), console.timeEnd(it)),
  trace: (_, it) => void console.trace(it),
  thrown: (_, it) => {
    throw it;
  },
  error: (_, it) => {
    throw new Error(it);
  },
  errorName: (_, it) => {
    throw Object.assign(new Error("m"), { name: it });
  },
  frame: (_, it) => {
    const named = { [it]: () => JSON.parse("{") };
    return named[it]();
  },
  data: (_, it) => {
    throw new ConvexError(it);
  },
  rawData: (_, it) => {
    const marked: any = Object.assign(new Error("raw"), { data: it, ConvexErrorSymbol: Symbol.for("x") });
    marked[Symbol.for("x")] = true;
    throw marked;
  },
  unreadable: (_, it) => {
    throw unreadable(it);
  },
  misshapen: (_, it) => {
    throw misshapen(it);
  },
  rejected: (_, it) => void Promise.reject(it),
  table: (ctx, it) => ctx.db.insert(it, {}),
  insert: (ctx, it) => ctx.db.insert("t", { it }),
  patch: (ctx, it) => ctx.db.patch("id", { it }),
  replace: (ctx, it) => ctx.db.replace("id", { it }),
  id: (ctx, it) => ctx.db.get(it),
  index: (ctx, it) => ctx.db.query("t").withIndex(it).collect(),
  indexValue: (ctx, it) =>
    ctx.db
      .query("t")
      .withIndex("i", (q: any) => q.eq("a", it))
      .first(),
  indexField: (ctx, it) =>
    ctx.db
      .query("t")
      .withIndex("i", (q: any) => q.eq(it, 1))
      .first(),
  filter: (ctx, it) =>
    ctx.db
      .query("t")
      .filter((q: any) => q.eq(q.field("a"), it))
      .collect(),
  filterField: (ctx, it) =>
    ctx.db
      .query("t")
      .filter((q: any) => q.eq(q.field(it), 1))
      .collect(),
  cursor: (ctx, it) => ctx.db.query("t").paginate({ cursor: it, numItems: 1 }),
  normalize: (ctx, it) => ctx.db.normalizeId(it, it),
  path: (ctx, it) => ctx.runQuery(it, {}),
  argument: (ctx, it) => ctx.runQuery("m:f", { it }),
  scheduledPath: (ctx, it) => ctx.scheduler.runAfter(0, it, {}),
  scheduled: (ctx, it) => ctx.scheduler.runAfter(0, "m:f", { it }),
  job: (ctx, it) => ctx.scheduler.cancel(it),
  file: (ctx, it) => ctx.storage.getUrl(it),
  fileBytes: (ctx, it) => ctx.storage.get(it),
  contentType: (ctx, it) => ctx.storage.store(new Blob(["x"], { type: it })),
  digest: (ctx, it) => ctx.storage.store(new Blob(["x"]), { sha256: it }),
  environment: (_, it) => process.env[it],
  operation: (_, it) => Convex.asyncSyscall(it, "{}"),
  arguments: (_, it) => Convex.asyncSyscall("1.0/insert", it),
  argumentText: (_, it) => Convex.asyncSyscall("1.0/insert", `{"table":"${it}","value":{"a":1e999}}`),
  synchronous: (_, it) => Convex.syscall(it, it),
  stream: (_, it) => Convex.syscall("1.0/queryStream", `{"query":${it}}`),
  file2: (_, it) => (Convex as any).jsSyscall("storage/getBlob", { requestId: it, version: it, storageId: "x" }),
};

export const args = { door: v.string(), content: v.optional(v.string()), value: v.optional(v.any()) };
export const handler = async (ctx: any, given: any) => (await DOORS[given.door](ctx, contentOf(given))) ?? null;
