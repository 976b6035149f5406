// What a call costs, counted: messages, realms, evaluations of modules. How long any of it takes is for `make bench`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ActivityFile } from "../../../src/parabola/hosts/node/activity.mjs";
import { StepQueue } from "../../../src/parabola/hosts/node/executions/steps.mjs";
import { IsolateHost } from "../../../src/parabola/hosts/node/isolate_host.mjs";
import { limits } from "../../../src/parabola/hosts/node/limits.mjs";

const LIBRARY = `
const call = async (op, args) => JSON.parse(await Convex.asyncSyscall("1.0/" + op, JSON.stringify(args)));
const kind = (flag, method) => (handler) =>
  Object.assign(() => handler, { [flag]: true, [method]: async (args) => JSON.stringify((await handler(...JSON.parse(args))) ?? null) });
export const query = kind("isQuery", "invokeQuery");
export const mutation = kind("isMutation", "invokeMutation");
class Reader {
  #table;
  constructor(table) { this.#table = table; }
  async unique(number) {
    const source = { type: "IndexRange", indexName: this.#table, range: [{ type: "Eq", fieldPath: "n", value: number }], order: null };
    const { queryId } = JSON.parse(Convex.syscall("1.0/queryStream", JSON.stringify({ query: { source, operators: [{ limit: 2 }] } })));
    const { value } = await call("queryStreamNext", { queryId });
    const { done } = await call("queryStreamNext", { queryId });
    return done ? value : null;
  }
}
export const accounts = (table) => new Reader(table);
export const patch = (id, value) => call("shallowMerge", { id, value });
export const run = (name) => call("runUdf", { udfType: "mutation", name, args: {} });
`;
const FUNCTIONS = `
import { accounts, mutation, patch, query, run } from "./_deps/library.js";
const seen = new Map();
export const move = mutation(async ({ payer, payee }) => {
  const all = accounts("accounts.by_number");
  const [source, target] = [await all.unique(payer), await all.unique(payee)];
  await patch(source._id, { balance: source.balance - 1 });
  await patch(target._id, { balance: target.balance + 1 });
});
export const nothing = mutation(async () => null);
export const calls = mutation(async ({ count }) => { for (let i = 0; i < count; i++) await run("functions:nothing"); });
export const remembers = query(async ({ name }) => [seen.size, seen.set(name, true).size]);
`;
const MODULES = [
  { path: "functions.js", source: FUNCTIONS },
  { path: "_deps/library.js", source: LIBRARY },
];

/** The engine and a host in one process: what runs give, and what it took. */
class Engine {
  messages = [];
  #ids = 0;
  #waiting = new Map();
  #nested = new Map();

  constructor() {
    const steps = new StepQueue(new ActivityFile(undefined));
    const channel = { send: () => {}, sendText: (text) => this.#receive(JSON.parse(text)), flush: () => {} };
    this.host = new IsolateHost({ channel, steps, compilesLater: false });
    this.host.receive({
      type: "load",
      deployment: "d",
      modules: MODULES,
      limits: LIMITS,
      importPhase: { now: 0, seed: "5" },
    });
  }

  #start(kind, path, args, nested) {
    const id = ++this.#ids;
    const run = {
      type: "run",
      id,
      kind,
      path,
      args,
      now: 1,
      seed: "5a".repeat(32),
      snapshotTs: "1",
      requestId: "r",
      nested,
    };
    // As it would come from a socket: not within a step.
    setImmediate(() => this.host.receive(run));
    return id;
  }

  run(kind, path, args = {}) {
    return new Promise((resolve) => this.#waiting.set(this.#start(kind, path, args, false), resolve));
  }

  #receive(message) {
    this.messages.push(message);
    const reply = (id, call, value) =>
      setImmediate(() => this.host.receive({ type: "reply", id, replies: [{ call, value }] }));
    if (message.type === "syscall") {
      for (const { call, op, args } of message.calls) {
        const account = { _id: "a", balance: 1, n: 1 };
        if (op === "1.0/runUdf") this.#nested.set(this.#start("mutation", args.name, {}, true), [message.id, call]);
        else reply(message.id, call, op === "1.0/queryStreamNext" ? { values: [account], done: true } : account);
      }
      return;
    }
    const caller = this.#nested.get(message.id);
    if (caller !== undefined) reply(...caller, message.result);
    else this.#waiting.get(message.id)(message);
  }

  /** What the work costs once everything is warm. */
  async cost(work) {
    for (let i = 0; i < 5; i++) await work();
    await idle();
    const before = { ...this.host.realms.work };
    this.messages = [];
    await work();
    await idle();
    const after = this.host.realms.work;
    return {
      messages: this.messages.length,
      realms: after.realms - before.realms,
      evaluated: after.evaluated - before.evaluated,
    };
  }
}

/** Lets the host do what it does ahead of calls. */
async function idle() {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const LIMITS = {
  ...limits,
  userSeconds: 1,
  callMemory: 1 << 26,
  resultBytes: 1 << 24,
  valueBytes: 1 << 25,
  valueNesting: 64,
  arrayLength: 8192,
  objectFields: 1024,
  errorBytes: 1 << 16,
  logLines: 256,
  logLineBytes: 1 << 15,
  messageBytes: 1 << 26,
};
const move = { payer: 1, payee: 2 };

test("a transfer is five messages, and no module is evaluated for it", async () => {
  const engine = new Engine();
  const cost = await engine.cost(() => engine.run("mutation", "functions.js:move", move));
  assert.deepEqual(cost, { messages: 5, realms: 0, evaluated: 0 });
});

test("transfers at the same time need a realm each, which later ones find", async () => {
  const engine = new Engine();
  const sixteen = () =>
    Promise.all(Array.from({ length: 16 }, () => engine.run("mutation", "functions.js:move", move)));
  assert.deepEqual(await engine.cost(sixteen), { messages: 80, realms: 0, evaluated: 0 });
  assert.ok(engine.host.realms.work.realms <= 20, `${engine.host.realms.work.realms} realms`);
});

test("a nested call is two messages, and no module is evaluated for it", async () => {
  const engine = new Engine();
  const cost = await engine.cost(() => engine.run("mutation", "functions.js:calls", { count: 100 }));
  assert.deepEqual(cost, { messages: 201, realms: 0, evaluated: 0 });
});

test("a module that remembers something is evaluated once a call, and is not looked at in vain for ever", async () => {
  const engine = new Engine();
  for (let i = 0; i < 20; i++) {
    const { result } = await engine.run("query", "functions.js:remembers", { name: `${i}` });
    assert.deepEqual(result, [0, 1]);
  }
  const cost = await engine.cost(() => engine.run("query", "functions.js:remembers", { name: "x" }));
  assert.equal(cost.evaluated, 1);
  assert.equal(engine.host.realms.work.remained, 0);
  // Its other functions pay for that, and no more than they would without any of this.
  const other = await engine.cost(() => engine.run("mutation", "functions.js:nothing"));
  assert.equal(other.evaluated, 1);
});
