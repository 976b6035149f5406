import { queryGeneric as query, mutationGeneric as mutation } from "convex/server";
import { v } from "convex/values";

const PRESENT =
  "URL URLSearchParams crypto Crypto SubtleCrypto CryptoKey DOMException console Event EventTarget structuredClone setTimeout " +
  "setInterval clearTimeout clearInterval AbortController AbortSignal AsyncLocalStorage AsyncResource ReadableStream " +
  "ReadableStreamBYOBReader ReadableStreamDefaultReader TransformStream WritableStream WritableStreamDefaultWriter atob btoa " +
  "TextEncoder TextDecoder TextEncoderStream TextDecoderStream Blob File Headers FormData Request Response fetch performance " +
  "Performance PerformanceEntry PerformanceMark PerformanceMeasure self process Intl WebAssembly SharedArrayBuffer Proxy";
const ABSENT =
  "navigator queueMicrotask Buffer setImmediate CustomEvent MessageChannel BroadcastChannel WebSocket EventSource XMLHttpRequest " +
  "require module CompressionStream window document global __dirname";

export const names = query({
  handler: async () => {
    const has = (name: string) => typeof (globalThis as any)[name] !== "undefined";
    return {
      missing: PRESENT.split(" ").filter((name) => !has(name)),
      extra: ABSENT.split(" ").filter(has),
      enumerable: Object.keys(globalThis),
    };
  },
});
export const instances = query({
  handler: async () => {
    const blob = new Blob(["hello"], { type: "text/plain" });
    const buffer = await blob.arrayBuffer();
    const response = new Response("hi", { headers: { "x-a": "b" } });
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("abc"));
    const form = new FormData();
    form.append("f", new File(["x"], "x.txt"));
    const url = new URL("http://h/a?b=1");
    let invalid: any;
    try {
      new URL("not a url");
    } catch (error) {
      invalid = error;
    }
    let aborted: any;
    try {
      AbortSignal.abort().throwIfAborted();
    } catch (error) {
      aborted = error;
    }
    return {
      arrayBuffer: buffer instanceof ArrayBuffer && buffer.byteLength === 5,
      bytes: new TextEncoder().encode("é") instanceof Uint8Array,
      digest: digest instanceof ArrayBuffer,
      response: response instanceof Response && response.headers instanceof Headers,
      text: await response.text(),
      header: response.headers.get("x-a"),
      entries: [...response.headers],
      entry: [...url.searchParams.entries()][0] instanceof Array,
      params: url.searchParams instanceof URLSearchParams,
      file: form.get("f") instanceof File && form.get("f") instanceof Blob,
      slice: blob.slice(0, 2) instanceof Blob && (await blob.slice(0, 2).text()),
      invalid: invalid instanceof TypeError && invalid instanceof Error,
      aborted: [aborted instanceof DOMException, aborted instanceof Error, aborted.name],
      promise: blob.text() instanceof Promise,
      json: (await Response.json({ a: 1 }).json()).constructor === Object,
      clone: structuredClone({ a: [new Date(0), new Map([[1, 2]])] }).a[1] instanceof Map,
      subclass: new (class Mine extends Request {})("http://h/").url,
      tag: Object.prototype.toString.call(response),
      noLeak: Object.getPrototypeOf(Response.prototype) === Object.prototype,
    };
  },
});
export const events = query({
  handler: async () => {
    const log: string[] = [];
    class Bus extends EventTarget {}
    const bus = new Bus();
    const listener = (event: Event) => void log.push(`${event.type} ${event.target === bus} ${event instanceof Event}`);
    bus.addEventListener("ping", listener);
    bus.dispatchEvent(new Event("ping"));
    bus.removeEventListener("ping", listener);
    bus.dispatchEvent(new Event("ping"));
    const controller = new AbortController();
    controller.signal.addEventListener("abort", () => log.push(`aborted ${controller.signal.reason}`));
    controller.abort("why");
    return log;
  },
});
export const streams = query({
  handler: async () => {
    const source = new ReadableStream({
      start(controller) {
        controller.enqueue({ n: 1 });
        controller.enqueue({ n: 2 });
        controller.close();
      },
    });
    const doubled = source.pipeThrough(
      new TransformStream({
        transform(chunk: any, controller) {
          controller.enqueue(chunk.n * 2);
        },
      }),
    );
    const seen = [];
    for await (const chunk of doubled as any) seen.push(chunk);
    const body = new Response(new Blob(["abc"]).stream()).body!.getReader();
    const { value } = await body.read();
    return [seen, value instanceof Uint8Array, value!.length];
  },
});
export const localStorage = query({
  handler: async (ctx) => {
    const storage = new AsyncLocalStorage();
    return await storage.run("inside", async () => {
      await ctx.db.query("tasks").collect();
      return [storage.getStore(), await new Blob(["x"]).text().then(() => storage.getStore())];
    });
  },
});
export const text = query({
  handler: async () => [
    atob(btoa("hi")),
    new TextDecoder().decode(new TextEncoder().encode("héé")),
    new URL("../b", "http://h/a/c").href,
    URL.canParse("nope"),
  ],
});
declare const AsyncLocalStorage: any;

export const forbidden = mutation({
  args: { what: v.string() },
  handler: async (ctx: any, { what }) => {
    const cases: Record<string, () => unknown> = {
      fetch: () => fetch("http://localhost"),
      setTimeout: () => setTimeout(() => {}, 1),
      setInterval: () => setInterval(() => {}, 1),
      formData: () =>
        new Response("a=1", { headers: { "content-type": "application/x-www-form-urlencoded" } }).formData(),
      generateKey: () => crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]),
      eval: () => (0, eval)("1"),
      newFunction: () => new Function("return 1")(),
      dynamicImport: () => import("./documents"),
      atomicsWait: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
      requestCache: () => new Request("http://h/").cache,
      urlHost: () => (new URL("http://h/").host = "x"),
      wrapKey: () => (crypto.subtle as any).wrapKey(),
      transfer: () => structuredClone(new ArrayBuffer(1), { transfer: [new ArrayBuffer(1)] }),
      randomQuota: () => crypto.getRandomValues(new Uint8Array(65537)),
      jsSyscall: () => (globalThis as any).Convex.jsSyscall("nope", {}),
      syscall: () => (globalThis as any).Convex.syscall("1.0/nope", "{}"),
      asyncSyscall: () => (globalThis as any).Convex.asyncSyscall("1.0/insert", "not json"),
      store: () => (globalThis as any).Convex.jsSyscall("storage/storeBlob", { blob: new Blob() }),
    };
    return String(await cases[what]());
  },
});
export const caught = mutation({
  args: { what: v.string() },
  handler: async (_ctx, { what }) => {
    try {
      if (what === "uncatchable") return String(new Request("http://h/").cache);
      await fetch("http://localhost");
    } catch (error: any) {
      return [error instanceof Error, error.message];
    }
    return null;
  },
});
export const allowedCrypto = query({
  handler: async () => {
    const key = await crypto.subtle.importKey(
      "raw",
      new TextEncoder().encode("k"),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
    const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode("m"));
    return [key instanceof CryptoKey, signature.byteLength];
  },
});
export const wasm = query({
  handler: async () => {
    const module = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
    return new WebAssembly.Instance(module) instanceof WebAssembly.Instance;
  },
});
