import { actionGeneric as action } from "convex/server";
import { v } from "convex/values";

export const calls = action({
  handler: async (ctx: any) => {
    const id = await ctx.runMutation("documents:create", { text: "from action" });
    const rows = await ctx.runQuery("documents:list", {});
    return [id, rows.length];
  },
});
export const childError = action({
  handler: async (ctx: any) => {
    try {
      await ctx.runMutation("errors:maybe", { fail: true });
    } catch (error: any) {
      return [error.name, error.data.why === 1n];
    }
    return null;
  },
});
export const timers = action({
  handler: async () => {
    const order: number[] = [];
    await new Promise<void>((resolve) => {
      setTimeout(() => order.push(2), 100);
      setTimeout(() => order.push(1), 0);
      const cancelled = setTimeout(() => order.push(99), 1);
      clearTimeout(cancelled);
      let ticks = 0;
      const interval = setInterval(() => {
        if (++ticks >= 3 && order.length === 2) {
          clearInterval(interval);
          resolve();
        }
      }, 5);
    });
    return order;
  },
});
declare const AsyncLocalStorage: any;
export const contexts = action({
  handler: async () => {
    const storage = new AsyncLocalStorage();
    const timers = Array.from({ length: 8 }, (_, n) =>
      storage.run(n, () => new Promise((resolve) => setTimeout(() => resolve(storage.getStore()), 1))),
    );
    return await Promise.all(timers);
  },
});
export const timerError = action({
  handler: async () => {
    setTimeout(() => {
      throw new Error("in a timer");
    }, 1);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  },
});
export const fetchText = action({
  args: { url: v.string() },
  handler: async (_ctx, { url }) => {
    const response = await fetch(url, { method: "POST", body: "ping", headers: { "x-a": "b" } });
    const copy = response.clone();
    return [response.status, await response.text(), copy instanceof Response, response.headers.get("content-type")];
  },
});
export const askHeaders = action({
  args: { url: v.string() },
  handler: async (_ctx, { url }) => {
    const { traceparent = null, tracestate = null } = await (await fetch(url)).json();
    return [traceparent, tracestate];
  },
});
const streamed = () => new ReadableStream({ start: (one) => (one.enqueue(new Uint8Array(1)), one.close()) });
const OPTIONS: Record<string, () => any> = {
  plain: () => ({}),
  abort: () => ({ signal: AbortSignal.abort() }),
  noRedirect: () => ({ redirect: "error" }),
  streamed: () => ({ method: "PUT", body: streamed() }),
};
export const fetchFailure = action({
  args: { url: v.string(), how: v.string() },
  handler: async (_ctx, { url, how }) => {
    try {
      await fetch(url, OPTIONS[how]());
    } catch (error: any) {
      return [error.name, error instanceof Error, error.message];
    }
    return null;
  },
});
export const dangling = action({
  handler: async (ctx: any) => {
    void ctx.runQuery("documents:list", {});
    void ctx.scheduler.runAfter(0, "documents:create", { text: "x" });
    setTimeout(() => {}, 100_000);
    return "done";
  },
});
export const leaves = action({
  args: { url: v.string() },
  handler: async (_ctx: any, { url }) => {
    void fetch(`${url}/left`);
    setInterval(() => console.log("tick"), 1);
    void (async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      console.log("never");
    })();
    await fetch(`${url}/awaited`);
    return "done";
  },
});
export const many = action({
  handler: async (ctx: any) =>
    (await Promise.all(Array.from({ length: 20 }, () => ctx.runQuery("documents:list", {})))).length,
});
export const never = action({ handler: async () => await new Promise(() => {}) });
export const files = action({
  handler: async (ctx: any) => {
    const id = await ctx.storage.store(new Blob(["content"], { type: "text/plain" }), { sha256: "zz" });
    const blob = await ctx.storage.get(id);
    const missing = await ctx.storage.get("missing");
    let refused;
    try {
      await ctx.storage.store("text");
    } catch (error: any) {
      refused = error.message;
    }
    return [id, blob instanceof Blob, blob.type, blob.size, await blob.text(), missing, refused];
  },
});
export const clocks = action({
  handler: async () => {
    const before = [Date.now(), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, 3));
    return [Date.now() > before[0], performance.now() > before[1], Math.random() !== Math.random()];
  },
});
export const lazily = action({
  handler: async () => {
    const { value } = await import("./lazy_part");
    return value;
  },
});
export const database = action({ handler: async (ctx: any) => ctx.db.query("tasks") });
export const logs = action({
  handler: async () => {
    console.log("working");
    await new Promise((resolve) => setTimeout(resolve, 1));
    console.warn("still");
  },
});
export const cryptography = action({
  handler: async () => {
    const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"]);
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, new TextEncoder().encode("secret"));
    return new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed));
  },
});
let count = 0;
export const counter = action({ handler: async () => ++count });
export const form = action({
  handler: async () => {
    const sent = new FormData();
    sent.append("a", "1");
    sent.append("f", new File(["text"], "f.txt"));
    const received = await new Response(sent).formData();
    const file = received.get("f") as File;
    return [received instanceof FormData, received.get("a"), file instanceof File, file.name, await file.text()];
  },
});
