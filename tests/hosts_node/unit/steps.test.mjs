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
