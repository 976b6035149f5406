import assert from "node:assert/strict";
import { test } from "node:test";
import { ActivityFile } from "../../../src/parabola/hosts/node/activity.mjs";
import { MemoryUse } from "../../../src/parabola/hosts/node/executions/memory.mjs";
import { IN_A_ROW, StepQueue } from "../../../src/parabola/hosts/node/executions/steps.mjs";

/** A call of which nothing is known but its name. */
const call = (name, isNested = false) => ({
  id: 1,
  name,
  isNested,
  ended: false,
  memory: new MemoryUse(),
  userTime: 0n,
  othersTime: 0n,
  isOverMemory: false,
  goOn: () => false,
  settle() {},
  abort(error) {
    throw error;
  },
});

/** The names of calls in the order of their steps, where `begin` says what comes of the step of each. */
async function order(begin) {
  const steps = new StepQueue(new ActivityFile(undefined));
  const taken = [];
  const enqueue = (one, then = () => {}) =>
    steps.enqueue(one, () => {
      taken.push(one.name);
      then();
    });
  const idle = new Promise((resolve) => (steps.onIdle = resolve));
  begin(enqueue);
  await idle;
  return taken;
}

test("a call that has begun goes on before others begin", async () => {
  const first = call("first");
  const taken = await order((enqueue) => {
    enqueue(first, () => enqueue(first));
    for (const name of ["second", "third"]) enqueue(call(name));
  });
  assert.deepEqual(taken, ["first", "first", "second", "third"]);
});

test("what a call waits for begins before others do", async () => {
  const taken = await order((enqueue) => {
    enqueue(call("first"), () => enqueue(call("nested", true)));
    enqueue(call("second"));
  });
  assert.deepEqual(taken, ["first", "nested", "second"]);
});

test("calls begin although others have always something to do", async () => {
  const busy = call("busy");
  const taken = await order((enqueue) => {
    let left = 3 * IN_A_ROW;
    const again = () => {
      if (left-- > 0) enqueue(busy, again);
    };
    enqueue(busy, again);
    for (const name of ["second", "third"]) enqueue(call(name));
  });
  assert.deepEqual(
    ["second", "third"].map((name) => taken.indexOf(name)),
    [IN_A_ROW + 1, 2 * (IN_A_ROW + 1)],
  );
});

test("a call whose client has gone has its step all the same, so that it ends", async () => {
  const gone = { ...call("gone"), ended: true };
  assert.deepEqual(await order((enqueue) => enqueue(gone)), ["gone"]);
});

const MILLISECOND = 1_000_000n;

/** What happens, in order, to calls of which `begin` makes the steps, by a clock that only they move. */
async function events(context, begin) {
  let now = 1_000n * MILLISECOND;
  context.mock.method(process.hrtime, "bigint", () => now);
  const seen = [];
  const steps = new StepQueue({ begin: (id) => seen.push(`active ${id}`), idle: () => {} });
  for (const name of ["begin", "end"]) {
    const method = steps.memory[name];
    context.mock.method(steps.memory, name, (...args) => {
      seen.push(`memory ${name}`);
      return method.apply(steps.memory, args);
    });
  }
  const idle = new Promise((resolve) => (steps.onIdle = resolve));
  begin(steps, seen, (nanoseconds) => (now += nanoseconds));
  await idle;
  return seen;
}

/** A call that goes on as often as `goOn` says, with all that is noted of it. */
function noted(seen, name, goOn) {
  const one = call(name);
  let userTime = 0n;
  Object.defineProperty(one, "userTime", {
    get: () => userTime,
    set: (value) => {
      seen.push(`${name} is charged ${(value - userTime) / 1000n}`);
      userTime = value;
    },
  });
  one.goOn = () => {
    const has = goOn();
    if (has) seen.push(`${name} goes on`);
    return has;
  };
  one.settle = () => seen.push(`${name} is settled`);
  return one;
}

test("a step that goes on is one step", async (context) => {
  const seen = await events(context, (steps, notes, pass) => {
    let left = 3;
    const first = noted(notes, "first", () => {
      if (left === 0) return false;
      left -= 1;
      pass(MILLISECOND / 4n);
      return true;
    });
    const second = noted({ push: () => {} }, "second", () => false);
    steps.enqueue(first, () => notes.push("first begins"));
    steps.enqueue(second, () => notes.push("second begins"));
  });
  assert.deepEqual(seen.slice(0, 10), [
    "memory begin",
    "active 1",
    "first begins",
    ...Array(3).fill("first goes on"),
    "first is charged 750",
    "memory end",
    "first is settled",
    "memory begin",
  ]);
  assert.equal(seen[11], "second begins");
});

test("microtasks of a step have drained, and each of its turns is one of the event loop, before it goes on", async () => {
  const seen = [];
  const steps = new StepQueue(new ActivityFile(undefined));
  const idle = new Promise((resolve) => (steps.onIdle = resolve));
  const enter = (name) => {
    seen.push(name);
    Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => process.nextTick(() => seen.push(`ticks of ${name}`)));
  };
  let left = 2;
  const goOn = () => {
    if (left > 0) enter(`turn ${left}`);
    return left-- > 0;
  };
  steps.enqueue({ ...call("first"), goOn, settle: () => seen.push("settled") }, () => {
    assert.equal(steps.active.name, "first");
    enter("beginning");
  });
  await idle;
  const turns = ["beginning", "turn 2", "turn 1"].flatMap((name) => [name, `ticks of ${name}`]);
  assert.deepEqual(seen, [...turns, "settled"]);
});

test("a step that has been long is settled before it goes on", async (context) => {
  const seen = await events(context, (steps, notes, pass) => {
    const first = noted(notes, "first", () => assert.fail("it has been long"));
    first.settle = () => {
      notes.push("first is settled");
      first.goOn = () => false;
      first.settle = () => {};
      steps.enqueue(first, () => notes.push("first has another step"));
    };
    steps.enqueue(first, () => pass(2n * MILLISECOND));
  });
  const times = seen.filter((one) => !one.includes("charged"));
  assert.deepEqual(times.slice(2, 4), ["memory end", "first is settled"]);
  assert.equal(times.indexOf("first has another step"), 6);
});

test("a step goes on until it has been long", async (context) => {
  const seen = await events(context, (steps, notes, pass) => {
    const first = noted(notes, "first", () => {
      pass(MILLISECOND / 2n);
      return true;
    });
    steps.enqueue(first, () => {});
  });
  assert.equal(seen.filter((one) => one === "first goes on").length, 4);
  assert.equal(seen.filter((one) => one === "first is settled").length, 1);
});

test("what the host does for itself does not make a step long", async (context) => {
  const seen = await events(context, (steps, notes, pass) => {
    let left = 1;
    const first = noted(notes, "first", () => left-- > 0);
    steps.enqueue(first, () => steps.onTheHouse(() => pass(20n * MILLISECOND)));
  });
  assert.deepEqual(seen.slice(2, 4), ["first goes on", "first is charged 0"]);
});

test("a call that cannot go on is given up, and others have their turn", async (context) => {
  context.mock.method(process.hrtime, "bigint", () => 0n); // no step is long, however busy the machine is
  const given = [];
  const first = { ...call("first"), abort: (error) => given.push(error.message) };
  first.goOn = () => {
    throw new Error("no");
  };
  const taken = await order((enqueue) => {
    enqueue(first);
    enqueue(call("second"));
  });
  assert.deepEqual(taken, ["first", "second"]);
  assert.deepEqual(given, ["no"]);
});
