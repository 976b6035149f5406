import assert from "node:assert/strict";
import { test } from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import { MemoryMeter, MemoryUse } from "../../../src/parabola/hosts/node/executions/memory.mjs";
import { limits } from "../../../src/parabola/hosts/node/limits.mjs";

const MEBIBYTE = 1024 * 1024;
limits.callMemory = 64 * MEBIBYTE;

/** A process whose heap is what the test says: `live` is what stays when garbage is collected. */
function measured(context) {
  const heap = { used: 100 * MEBIBYTE, live: 100 * MEBIBYTE, collections: 0 };
  const { heap_size_limit } = v8.getHeapStatistics();
  context.mock.method(v8, "getHeapStatistics", () => ({
    used_heap_size: heap.used,
    external_memory: 0,
    heap_size_limit,
  }));
  context.mock.method(v8, "setFlagsFromString", () => {});
  context.mock.method(vm, "runInNewContext", () => () => {
    heap.collections += 1;
    heap.used = heap.live;
  });
  return { heap, meter: new MemoryMeter() };
}

const step = ({ heap, meter }, call, garbage, kept) => {
  const others = meter.begin(call);
  heap.used += (garbage + kept) * MEBIBYTE;
  heap.live += kept * MEBIBYTE;
  return { others, isOver: meter.end(call) };
};

test("a call is charged with what its own steps took, and told apart from others", (context) => {
  const process = measured(context);
  const [a, b] = [{ memory: new MemoryUse() }, { memory: new MemoryUse() }];
  process.meter.inFlight = () => [a, b];
  assert.deepEqual(step(process, a, 1, 10), { others: 100 * MEBIBYTE, isOver: false });
  assert.deepEqual(step(process, b, 0, 20), { others: 111 * MEBIBYTE, isOver: false });
  assert.deepEqual(step(process, a, 2, 3), { others: 120 * MEBIBYTE, isOver: false });
  assert.equal(a.memory.charged, 16 * MEBIBYTE);
  assert.equal(b.memory.charged, 20 * MEBIBYTE);
});

test("a step in which the heap shrinks gives nothing back", (context) => {
  const process = measured(context);
  const call = { memory: new MemoryUse() };
  process.meter.inFlight = () => [call];
  step(process, call, 0, 5);
  step(process, call, -8, 0);
  assert.equal(call.memory.charged, 5 * MEBIBYTE);
});

test("what others hold is no call's, and a call that holds too much is told after a collection", (context) => {
  const process = measured(context);
  const call = { memory: new MemoryUse() };
  process.meter.inFlight = () => [call];
  step(process, call, 0, 60);
  assert.equal(call.memory.base, null);
  assert.equal(step(process, call, 0, 10).isOver, false);
  assert.equal(call.memory.base, 100 * MEBIBYTE);
  assert.equal(step(process, call, 0, 65).isOver, true);
});

test("garbage is no call's, and is only collected when a call has made much of it", (context) => {
  const process = measured(context);
  const call = { memory: new MemoryUse() };
  process.meter.inFlight = () => [call];
  for (let i = 0; i < 20; i++) assert.equal(step(process, call, 30, 1).isOver, false);
  assert.ok(process.heap.collections > 5 && process.heap.collections < 10, `${process.heap.collections}`);
});

test("there is room for another call while half of the heap is free", (context) => {
  const { heap, meter } = measured(context);
  assert.equal(meter.hasRoom(), true);
  heap.used = heap.live = v8.getHeapStatistics().heap_size_limit;
  assert.equal(meter.hasRoom(), false);
  assert.equal(meter.hasPlenty(), false);
});
