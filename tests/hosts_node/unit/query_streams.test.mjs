import assert from "node:assert/strict";
import { test } from "node:test";
import { QueryStream, QueryStreams, STREAM_END } from "../../../src/parabola/hosts/node/executions/query_streams.mjs";
import { forAll } from "./random_cases.mjs";

test("user code gets every row once and in order, and the engine is told truly what was consumed", () => {
  forAll(150, (random) => {
    const rows = Array.from({ length: random.below(3000) }, (_, i) => ({ i }));
    const limit = random.below(2) === 0 ? Infinity : 1 + random.below(3000);
    const query = { operators: limit === Infinity ? [{ filter: {} }] : [{ limit: limit + 5 }, { limit }] };
    const stream = new QueryStream(7, query, random.below(2) === 0);
    const taken = [];
    let sent = 0;
    for (let isFirst = true; ; isFirst = false) {
      if (!stream.isReady) {
        const args = JSON.parse(stream.question());
        assert.deepEqual(JSON.parse(stream.question()), args);
        assert.ok(!stream.inFlight);
        stream.asked();
        assert.ok(stream.inFlight && stream.started);
        assert.equal(args.queryId, 7);
        assert.equal(args.consumed, taken.length);
        assert.deepEqual(args.query, isFirst ? query : undefined);
        assert.ok(args.batch >= 1 && args.batch <= Math.min(1024, Math.max(1, limit - sent)), `${args.batch}`);
        const values = rows.slice(sent, sent + args.batch);
        sent += values.length;
        stream.receive({ values, done: sent >= rows.length });
      }
      const answer = stream.take();
      if (answer === STREAM_END) break;
      taken.push(JSON.parse(answer).value);
      assert.equal(stream.needsCleanup, sent > taken.length);
    }
    assert.deepEqual(taken, rows.slice(0, Math.min(limit, rows.length)));
    assert.equal(stream.take(), STREAM_END);
  });
});

test("batches grow where later writes need not be seen, and only there", () => {
  const sizes = (grows) => {
    const stream = new QueryStream(0, {}, grows);
    return Array.from({ length: 6 }, () => {
      const { batch } = JSON.parse(stream.question());
      stream.asked();
      stream.receive({ values: Array(batch).fill(0), done: false });
      return batch;
    });
  };
  assert.deepEqual(sizes(true), [100, 200, 400, 800, 1024, 1024]);
  assert.deepEqual(sizes(false), [100, 100, 100, 100, 100, 100]);
});

test("streams are found by their ids until they are dropped", () => {
  const streams = new QueryStreams(true);
  const [a, b] = [streams.open({}), streams.open({})];
  assert.notEqual(a, b);
  streams.drop(a);
  assert.equal(streams.get(a), undefined);
  assert.equal(streams.get(b).id, b);
});
