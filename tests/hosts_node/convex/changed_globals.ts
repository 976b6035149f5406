import { actionGeneric as action, mutationGeneric as mutation, queryGeneric as query } from "convex/server";
import { v } from "convex/values";

const EMPTY_MODULE = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);

/** The names of all globals with their types, and whether some of them do their work. */
const look = async () => {
  const whole = globalThis as any;
  const names = Object.getOwnPropertyNames(whole).sort();
  const WebAssembly = whole.WebAssembly;
  return [
    names.map((name) => `${name} ${typeof whole[name]}`),
    Math.abs(Date.now() - new Date().getTime()) < 1000,
    new Date(5).getUTCMilliseconds(),
    process.env.NOTHING === undefined,
    crypto instanceof Crypto,
    crypto.randomUUID().length,
    Math.max(1, 2),
    typeof Math.random(),
    new Map([[1, 2]]).get(1),
    (await WebAssembly.instantiate(EMPTY_MODULE)).module instanceof WebAssembly.Module,
    structuredClone({ a: 1 }).a,
    new URL("http://h/p").pathname,
    await Promise.resolve(3),
    "a-b".split("-"),
  ];
};
export const lookQuery = query({ handler: look });
export const lookMutation = mutation({ handler: look });
export const lookAction = action({ handler: look });

/** What nothing works without, neither here nor in npm's library. */
const SPARED = ["Object", "JSON", "Promise", "globalThis", "undefined", "NaN", "Infinity"];
const { defineProperty, freeze, getOwnPropertyNames, setPrototypeOf } = Object;
const ways: Record<string, (whole: any, name: string) => void> = {
  deleted: (whole, name) => delete whole[name],
  assigned: (whole, name) => (whole[name] = 7),
  accessor: (whole, name) => defineProperty(whole, name, { get: () => 7, configurable: true }),
  pinned: (whole, name) => defineProperty(whole, name, { value: 7, writable: false, configurable: false }),
  emptied: (whole, name) => {
    const { prototype } = whole[name];
    for (const own of typeof prototype === "object" ? getOwnPropertyNames(prototype) : []) delete prototype[own];
  },
};
const change = async (_ctx: unknown, { way }: { way: string }) => {
  const whole = globalThis as any;
  if (way === "frozen") freeze(whole);
  if (way === "reparented") setPrototypeOf(whole, null);
  const failed: string[] = [];
  const apply = ways[way];
  for (const name of apply === undefined ? [] : getOwnPropertyNames(whole)) {
    if (SPARED.includes(name)) continue;
    try {
      apply(whole, name);
    } catch (error) {
      if (way !== "emptied") failed.push(`${name}: ${error}`);
    }
  }
  return failed.join("; ");
};
const args = { way: v.string() };
export const changeQuery = query({ args, handler: change });
export const changeMutation = mutation({ args, handler: change });
export const changeAction = action({ args, handler: change });
