import assert from "node:assert/strict";
import { test } from "node:test";
import { CallQueue } from "../../../src/parabola/hosts/node/executions/call_queue.mjs";
import { QueryStream } from "../../../src/parabola/hosts/node/executions/query_streams.mjs";
import { forAll } from "./random_cases.mjs";

const KINDS = ["1.0/get", "1.0/storageGetUrl", "1.0/insert", "1.0/runUdf"];
const MERGED = ["1.0/get", "1.0/storageGetUrl"];

/** The batches that calls form: adjacent ones of a kind that merges, at most 16. */
function batchesOf(ops) {
  const batches = [];
  for (const op of ops) {
    const last = batches.at(-1);
    if (last?.[0] === op && MERGED.includes(op) && last.length < 16) last.push(op);
    else batches.push([op]);
  }
  return batches;
}

test("calls made together travel together, and are settled batch by batch in their order", () => {
  forAll(300, (random) => {
    const queue = new CallQueue();
    const runs = random.list(6, () =>
      Array(1 + random.below(random.below(2) === 0 ? 3 : 40)).fill(random.oneOf(KINDS)),
    );
    const ops = runs.flat();
    const settled = [];
    for (const [i, op] of ops.entries()) {
      const note = (value) => settled.push([i, value]);
      queue.push({ op, args: `{"i":${i}}`, resolve: note, reject: note });
    }
    assert.deepEqual(queue.pendingOperations, ops);
    const expected = batchesOf(ops);
    const unanswered = [];
    let count = 0;
    for (;;) {
      const state = queue.advance();
      if (state === "idle") break;
      if (state === "waiting") {
        const sent = queue.takeOutgoing().map((text) => JSON.parse(text));
        if (unanswered.length > 0) assert.deepEqual(sent, []);
        unanswered.push(...sent);
        const replies = unanswered.splice(0, 1 + random.below(unanswered.length)).map(({ call, op, args }) => {
          assert.equal(op, ops[args.i]);
          const value = { of: args.i };
          return random.below(4) === 0 ? { call, error: { message: "no", data: value } } : { call, value };
        });
        queue.receive(replies);
        continue;
      }
      assert.equal(state, "ready");
      const batch = queue.takeAnswered();
      assert.deepEqual(
        batch.map(({ op }) => op),
        expected[count++],
      );
      for (const { answer, resolve, reject } of batch) {
        if (answer.failure === undefined) resolve(answer.value);
        else reject(answer.failure.data);
      }
    }
    assert.equal(count, expected.length);
    assert.deepEqual(
      settled,
      ops.map((_, i) => [i, `{"of":${i}}`]),
    );
    assert.ok(queue.isEmpty && !queue.isOutstanding);
  });
});

test("rows at hand answer without the engine, and what was fetched in vain is given back", () => {
  const queue = new CallQueue();
  const stream = new QueryStream(3, {}, false);
  const answers = [];
  const next = () =>
    queue.push({
      op: "1.0/queryStreamNext",
      args: "{}",
      resolve: (one) => answers.push(JSON.parse(one).value),
      reject: assert.fail,
      stream,
    });
  next();
  assert.equal(queue.advance(), "waiting");
  const [call] = queue.takeOutgoing().map((text) => JSON.parse(text));
  assert.deepEqual(call.args, { queryId: 3, batch: 100, consumed: 0, query: {} });
  assert.equal(queue.receive([{ call: call.call, value: { values: ["a", "b", "c"], done: true } }]), true);
  for (const { answer, resolve } of queue.takeAnswered()) resolve(answer.value);
  next();
  assert.equal(queue.advance(), "local");
  for (const { answer, resolve } of queue.takeAnswered()) resolve(answer.value);
  assert.deepEqual(answers, ["a", "b"]);
  queue.cleanUp(stream);
  assert.deepEqual(
    queue.takeCleanups().map((text) => JSON.parse(text).args),
    [{ queryId: 3, consumed: 2 }],
  );
  assert.deepEqual(queue.takeCleanups(), []);
});

test("a stream that is asked twice in one batch is in use", () => {
  const queue = new CallQueue();
  const stream = new QueryStream(0, {}, false);
  const failures = [];
  for (let i = 0; i < 2; i++)
    queue.push({
      op: "1.0/queryStreamNext",
      args: "{}",
      resolve: () => {},
      reject: ({ message }) => failures.push(message),
      stream,
    });
  queue.advance();
  const [call] = queue.takeOutgoing().map((text) => JSON.parse(text));
  queue.receive([{ call: call.call, value: { values: [1], done: true } }]);
  for (const { answer, reject } of queue.takeAnswered()) if (answer.failure !== undefined) reject(answer.failure);
  assert.deepEqual(failures, ["in-progress query not found"]);
});
