"use node";
import { actionGeneric as action } from "convex/server";
import { v } from "convex/values";
import http from "node:http";

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

// A module may keep something open for good: it is no call's.
setInterval(() => {}, 1000);

export const sleep = action({
  args: { ms: v.number() },
  handler: async (_ctx, { ms }) => {
    await wait(ms);
    return "slept";
  },
});
/** Returns at once; what it leaves behind throws `ms` later. */
export const later = action({
  args: { ms: v.number(), quiet: v.boolean() },
  handler: async (_ctx, { ms, quiet }) => {
    const timer = setTimeout(() => {
      throw new Error("late");
    }, ms);
    if (quiet) timer.unref();
    return "returned";
  },
});
export const leaves = action({
  args: { what: v.string() },
  handler: async (_ctx, { what }) => {
    if (what === "timer") setTimeout(() => {}, 50);
    if (what === "rejection") void wait(50).then(() => Promise.reject(new Error("late")));
    if (what === "exit") setTimeout(() => process.exit(7), 50).unref();
    if (what === "server") http.createServer().listen(0);
    return what;
  },
});
export const timed = action({
  handler: async () => {
    console.time("work");
    await wait(3);
    console.timeLog("work");
    console.timeEnd("work");
  },
});

type Site = { getFileName(): string; getLineNumber(): number; toString(): string };
const takeSites = (): Site[] => {
  // As `depd` and `callsites` do.
  const before = (Error as any).prepareStackTrace;
  (Error as any).prepareStackTrace = (_error: Error, sites: Site[]) => sites;
  const holder: any = {};
  (Error as any).captureStackTrace(holder);
  const sites = holder.stack.slice(1);
  (Error as any).prepareStackTrace = before;
  return sites;
};
export const sites = action({
  handler: async () => takeSites().map((site) => [site.getFileName(), String(site).includes("convex:/user/")]),
});
export const throwing = action({
  args: { how: v.string() },
  handler: async (_ctx, { how }) => {
    takeSites();
    if (how === "sites") (Error as any).prepareStackTrace = (_error: Error, list: Site[]) => list;
    if (how === "own text")
      // As `source-map-support` does, for good.
      (Error as any).prepareStackTrace = (error: Error, list: Site[]) =>
        `${error}${list.map((site) => `\n    at ${site}`).join("")}`;
    if (how === "failing")
      (Error as any).prepareStackTrace = () => {
        throw new Error("no stack");
      };
    if (how === "callback") setTimeout(() => fail(), 1);
    else fail();
    await wait(10_000);
  },
});
function fail() {
  throw new Error("on purpose");
}
