import { queryGeneric as query, mutationGeneric as mutation } from "convex/server";

export const clock = query({
  handler: async () => [
    Date.now(),
    new Date().getTime(),
    Date(),
    new Date(5).getTime(),
    new Date().toISOString(),
    performance.now(),
    performance.timeOrigin,
  ],
});
export const clockStandsStill = query({
  handler: async (ctx) => {
    const before = [Date.now(), performance.now()];
    for (let i = 0; i < 1e6; i++) Math.sqrt(i);
    await ctx.db.query("tasks").collect();
    return JSON.stringify(before) === JSON.stringify([Date.now(), performance.now()]);
  },
});
export const dateClass = query({
  handler: async () => {
    class Mine extends Date {}
    const mine = new Mine();
    return [
      mine instanceof Mine && mine instanceof Date,
      new Date().constructor === Date,
      Date.name,
      Date.length,
      Date.UTC(2020, 0),
      new Intl.DateTimeFormat("en", { timeZone: "UTC" }).format(),
      new Intl.DateTimeFormat("en").resolvedOptions().timeZone,
      new Date(2020, 0, 1).toISOString(),
    ];
  },
});
export const randomness = query({
  handler: async () => [
    Math.random(),
    Math.random(),
    crypto.randomUUID(),
    Array.from(crypto.getRandomValues(new Uint8Array(4))),
    Array.from(crypto.getRandomValues(new Uint32Array(2))),
  ],
});
export const envNames = query({
  handler: async () => [
    process.env.GREETING ?? null,
    process.env.ABSENT ?? null,
    process.env.CONVEX_CLOUD_URL ?? null,
    Object.keys(process.env),
    "GREETING" in process.env,
    typeof (process as any).versions,
    ((process.env.GREETING = "changed"), process.env.GREETING),
  ],
});
export const badEnvName = query({ handler: async () => process.env["not-a-name"] ?? null });
export const nothingUsed = query({ handler: async () => 1 });
export const weakReferences = query({
  handler: async () => {
    const target = { a: 1 };
    const registry = new FinalizationRegistry(() => {});
    registry.register(target, 1);
    return [new WeakRef(target).deref() === target, registry instanceof FinalizationRegistry];
  },
});
export const mutationClock = mutation({
  handler: async () => {
    const before = performance.now();
    let advanced = false;
    for (let i = 0; i < 1e8 && !advanced; i++) advanced = performance.now() > before;
    return [Date.now(), advanced];
  },
});
export const order = query({
  handler: async (ctx) => {
    const events: string[] = [];
    const note = (name: string) => (value: unknown) => (events.push(name), value);
    await Promise.all([
      ctx.db.get("missingA" as any).then(note("get 1"), note("get 1 failed")),
      ctx.db.query("tasks").first().then(note("first")),
      Promise.resolve().then(note("microtask")),
      ctx.db.query("tasks").collect().then(note("collect")),
    ]);
    return events;
  },
});
