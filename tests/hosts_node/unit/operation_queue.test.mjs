import assert from "node:assert/strict";
import { test } from "node:test";
import { OperationQueue } from "../../../src/parabola/hosts/node/executions/operation_queue.mjs";
import { forAll } from "./random_cases.mjs";

test("operations start in order, as many at a time as may be", () => {
  forAll(300, (random) => {
    const most = 1 + random.below(4);
    const queue = new OperationQueue(most);
    const waiting = [];
    const running = [];
    const started = [];
    let count = 0;
    for (let i = 0; i < 40; i++) {
      if (random.below(2) === 0) {
        const name = `${count++}`;
        waiting.push(name);
        queue.add(name, (operation) => started.push(operation));
      } else if (running.length > 0) {
        const [name] = running.splice(random.below(running.length), 1);
        queue.finish(started.find((one) => one.name === name));
      }
      while (waiting.length > 0 && running.length < most) running.push(waiting.shift());
      assert.deepEqual(
        started.map(({ name }) => name),
        Array.from({ length: started.length }, (_, n) => `${n}`),
      );
      assert.deepEqual(queue.pending, [...running, ...waiting]);
      assert.equal(queue.isEmpty, running.length + waiting.length === 0);
    }
  });
});

test("an operation that is only tracked counts as pending and takes no turn", () => {
  const queue = new OperationQueue(1);
  const tracked = { name: "tracked" };
  queue.track(tracked);
  const started = [];
  queue.add("first", (operation) => started.push(operation));
  queue.add("second", (operation) => started.push(operation));
  assert.deepEqual(
    started.map(({ name }) => name),
    ["first"],
  );
  assert.deepEqual(queue.pending, ["first", "tracked", "second"]);
  queue.clear();
  queue.finish(started[0]);
  queue.finish(tracked);
  assert.ok(queue.isEmpty);
});
