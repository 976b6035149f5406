import { actionGeneric as action, queryGeneric as query } from "convex/server";
import { v } from "convex/values";

const caught = async (work: () => unknown) => {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return null;
};
const bytes = new Uint8Array([1, 2, 3]);

/** Objects that the host has made, or has handed back. */
async function fromTheHost(): Promise<Record<string, any>> {
  const controller = new AbortController();
  const events: Event[] = [];
  controller.signal.addEventListener("abort", (event) => events.push(event));
  controller.abort();
  const form = new FormData();
  form.append("f", new File(["x"], "n.txt"));
  const controllers: any[] = [];
  const stream = new ReadableStream({
    start(one) {
      controllers.push(one);
      one.enqueue({ chunk: [1] });
      one.close();
    },
  });
  const writers: any[] = [];
  await new WritableStream({
    write(chunk, one) {
      writers.push(chunk, one);
    },
  })
    .getWriter()
    .write({ a: [1] });
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes, hmac, true, ["sign"]);
  const encoded = new TextEncoder();
  const storage = new AsyncLocalStorage();
  return {
    events,
    controllers,
    writers,
    reason: controller.signal.reason,
    read: await stream.getReader().read(),
    blob: await new Blob([bytes]).arrayBuffer(),
    slice: new Blob([bytes]).slice(1),
    streamed: await new Response("x").body!.getReader().read(),
    headers: [...new Headers({ a: "1" }).entries()],
    params: [...new URLSearchParams("a=1").entries()],
    form: [...form.entries()],
    json: await new Response('{"a":[1]}').json(),
    encoded: encoded.encodeInto("x", new Uint8Array(2)),
    digest: await crypto.subtle.digest("SHA-256", bytes),
    jwk: await crypto.subtle.exportKey("jwk", key),
    algorithm: key.algorithm,
    usages: key.usages,
    tee: new Response("x").body!.tee(),
    snapshot: AsyncLocalStorage.snapshot(),
    run: storage.run({ a: 1 }, () => storage.getStore()),
    badUrl: await caught(() => new URL("nope")),
    badLabel: await caught(() => new TextDecoder("nope")),
    badBytes: await caught(() => new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([255]))),
    badHeader: await caught(() => new Headers({ "a b": "c" })),
    badStatus: await caught(() => new Response("", { status: 1 })),
    badRequest: await caught(() => new Request("nope")),
    badBase64: await caught(() => atob("*")),
    badBody: await caught(async () => await new Response("{").json()),
    badKey: await caught(async () => await crypto.subtle.importKey("raw", bytes, "AES-GCM", true, ["encrypt"])),
    badDigest: await caught(async () => await crypto.subtle.digest("nope", bytes)),
    badStream: await caught(() => new ReadableStream({ type: "nope" } as any)),
    badEvent: await caught(() => new EventTarget().dispatchEvent({} as any)),
    badReceiver: await caught(async () => await crypto.subtle.digest.call({} as any, "SHA-256", bytes)),
    badHttpRequest: await caught(() => Convex.jsSyscall("requestFromConvexJson", { convexJson: { url: "nope" } })),
    noHttpRequest: await caught(() => Convex.jsSyscall("requestFromConvexJson", {})),
    noHttpResponse: await caught(() => Convex.jsSyscall("convexJsonFromResponse", { response: new Response("") })),
    badRun: await caught(() => storage.run(1, undefined)),
    badExit: await caught(() => storage.exit(undefined)),
    badBind: await caught(() => AsyncLocalStorage.bind(undefined)),
    badSnapshot: await caught(() => AsyncLocalStorage.snapshot()(undefined)),
    badScope: await caught(() => new AsyncResource("x").runInAsyncScope(undefined)),
    badResource: await caught(() => new AsyncResource("x").bind(undefined)()),
    badResourceBind: await caught(() => AsyncResource.bind((() => undefined as any)())),
    locked: await caught(() => {
      const one = new ReadableStream();
      one.getReader();
      one.getReader();
    }),
  };
}
declare const AsyncLocalStorage: any;
declare const AsyncResource: any;
declare const Convex: any;

/** Paths to whatever does not belong to this realm, from the globals and from `roots`. */
function foreign(roots: Record<string, any>): string[] {
  const seen = new Set<any>();
  const found: string[] = [];
  const visit = (value: any, path: string, depth: number) => {
    if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
    seen.add(value);
    if (value === process.env || value === Function.prototype) return;
    let root = value;
    for (let next = value; next !== null; next = Object.getPrototypeOf(next)) root = next;
    const isOurs = root === Object.prototype || Object.getPrototypeOf(value) === null;
    if (!isOurs || (typeof value === "function" && !(value instanceof Function))) {
      found.push(path);
      return;
    }
    if (depth === 0) return;
    visit(Object.getPrototypeOf(value), `${path}.__proto__`, depth - 1);
    for (const name of Reflect.ownKeys(value)) {
      const descriptor = Reflect.getOwnPropertyDescriptor(value, name)!;
      for (const part of ["value", "get", "set"] as const) {
        visit(descriptor[part], `${path}.${String(name)}`, depth - 1);
      }
    }
  };
  visit(globalThis, "globalThis", 12);
  for (const [name, value] of Object.entries(roots)) visit(value, name, 12);
  return found;
}

export const inQuery = query({ handler: async () => foreign(await fromTheHost()) });
export const inAction = action({
  args: { url: v.string() },
  handler: async (ctx: any, { url }) => {
    const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
    const response = await fetch(url, { method: "POST", body: "x", headers: { "x-a": "b" } });
    return foreign({
      ...(await fromTheHost()),
      pair,
      response,
      headers: [...response.headers],
      body: await response.clone().arrayBuffer(),
      text: await response.blob(),
      refused: await caught(async () => await fetch("http://127.0.0.1:1/")),
      aborted: await caught(async () => await fetch(url, { signal: AbortSignal.abort() })),
      stored: await ctx.storage.get(await ctx.storage.store(new Blob(["x"]))),
      failed: await caught(async () => await ctx.runMutation("errors:maybe", { fail: true })),
    });
  },
});
