import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { test } from "node:test";
import { Timers } from "../../../src/parabola/hosts/node/executions/timers.mjs";

/** Sets timers and waits until `count` have fired. */
async function fired(count, begin) {
  const log = [];
  await new Promise((resolve) => {
    const timers = new Timers((callback) => {
      callback();
      if (log.length >= count) resolve();
    });
    begin(timers, log);
  });
  return log;
}

test("timers fire in the order of their times, and equal ones in that of their creation", async () => {
  const log = await fired(4, (timers, seen) => {
    timers.set(() => seen.push("late"), 20, false);
    timers.set(() => seen.push("a"), 1, false);
    timers.set(() => seen.push("b"), 1, false);
    timers.set(() => seen.push("negative"), -5, false);
  });
  assert.deepEqual(log, ["a", "b", "negative", "late"]);
});

test("a timer that is cleared fires no more, also between its time and its step", async () => {
  const log = await fired(3, (timers, seen) => {
    const cleared = timers.set(() => seen.push("cleared"), 0, false);
    timers.clear(cleared);
    const repeated = timers.set(
      () => {
        seen.push("again");
        if (seen.length === 3) timers.clear(repeated);
      },
      1,
      true,
    );
  });
  assert.deepEqual(log, ["again", "again", "again"]);
  const steps = [];
  const held = new Timers((callback) => steps.push(callback));
  const id = held.set(() => assert.fail("it was cleared"), 0, true);
  while (steps.length === 0) await new Promise((resolve) => setTimeout(resolve));
  held.clear(id);
  steps[0]();
  assert.ok(held.isEmpty);
});

test("a callback runs in the context in which its timer was set", async () => {
  const storage = new AsyncLocalStorage();
  const log = await fired(1, (timers, seen) => {
    storage.run("there", () => timers.set(() => seen.push(storage.getStore()), 0, false));
  });
  assert.deepEqual(log, ["there"]);
});

test("times beyond what Node.js takes are the largest, and clearing all leaves none", () => {
  const timers = new Timers(() => assert.fail());
  timers.set(() => {}, Infinity, false);
  timers.set(() => {}, 2 ** 40, true);
  assert.equal(timers.isEmpty, false);
  timers.clearAll();
  assert.ok(timers.isEmpty);
});
