import assert from "node:assert/strict";
import { test } from "node:test";
import { AnswersAhead } from "../../../src/parabola/hosts/node/executions/answers_ahead.mjs";
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
      queue.push({ op, args: `{"i":${i}}`, parsed: { i }, resolve: note, reject: note });
    }
    assert.deepEqual(queue.pendingOperations, ops);
    const expected = batchesOf(ops);
    const unanswered = [];
    let count = 0;
    for (;;) {
      const state = queue.advance();
      if (state === "idle") break;
      if (state === "waiting") {
        const { texts, told } = queue.takeOutgoing();
        assert.equal(told, 0);
        const sent = texts.map((text) => JSON.parse(text));
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
      parsed: {},
      resolve: (one) => answers.push(JSON.parse(one).value),
      reject: assert.fail,
      stream,
    });
  next();
  assert.equal(queue.advance(), "waiting");
  const [call] = queue.takeOutgoing().texts.map((text) => JSON.parse(text));
  assert.deepEqual(call.args, { queryId: 3, batch: 100, consumed: 0, query: {} });
  assert.equal(queue.receive([{ call: call.call, value: { values: ["a", "b", "c"], done: true } }]), true);
  for (const { answer, resolve } of queue.takeAnswered()) resolve(answer.value);
  next();
  assert.equal(queue.advance(), "local");
  for (const { answer, resolve } of queue.takeAnswered()) resolve(answer.value);
  assert.deepEqual(answers, ["a", "b"]);
  queue.cleanUp(stream);
  assert.deepEqual(
    queue.takeUnawaited().map((text) => JSON.parse(text).args),
    [{ queryId: 3, consumed: 2 }],
  );
  assert.deepEqual(queue.takeUnawaited(), []);
});

test("a stream that is asked twice in one batch is in use", () => {
  const queue = new CallQueue();
  const stream = new QueryStream(0, {}, false);
  const failures = [];
  for (let i = 0; i < 2; i++)
    queue.push({
      op: "1.0/queryStreamNext",
      args: "{}",
      parsed: {},
      resolve: () => {},
      reject: ({ message }) => failures.push(message),
      stream,
    });
  queue.advance();
  const [call] = queue.takeOutgoing().texts.map((text) => JSON.parse(text));
  queue.receive([{ call: call.call, value: { values: [1], done: true } }]);
  for (const { answer, reject } of queue.takeAnswered()) if (answer.failure !== undefined) reject(answer.failure);
  assert.deepEqual(failures, ["in-progress query not found"]);
});

const INSERT = "1.0/insert";
const WRITES = [INSERT, "1.0/shallowMerge", "1.0/replace", "1.0/remove"];
const NEXT = "1.0/queryStreamNext";
const CLEANUP = "1.0/queryCleanup";

/** Calls that a function makes at once, each with those that it makes when that one has been answered. */
function calls(random, most, name = "c") {
  const made = [];
  for (let left = random.below(most + 1); left > 0; left--) {
    const op = random.oneOf(["1.0/get", "1.0/get", NEXT, NEXT, ...WRITES, INSERT, "1.0/storageGetUrl", "1.0/runUdf"]);
    const many = random.below(12) === 0 ? 20 : 1 + random.below(2);
    for (let i = 0; i < many; i++) {
      const one = {
        name: `${name}.${made.length}`,
        op,
        then: [],
        fails: !WRITES.includes(op) && random.below(12) === 0,
      };
      if (op === INSERT) one.table = random.oneOf(["t", "u"]);
      if (op === NEXT) {
        one.rows = random.below(8) === 0 ? 100 + random.below(150) : random.below(4);
        one.wanted = random.below(2) === 0 ? Infinity : random.below(one.rows + 2);
      }
      made.push(one);
    }
  }
  if (name.length < 8) for (const one of made.slice(0, 6)) one.then = calls(random, 2, one.name);
  return made;
}

/** The same after some reads, one after the other: most functions begin like that. */
function afterReads(random, made) {
  for (let left = random.below(5); left > 0; left--) {
    const stream = { op: NEXT, rows: random.below(4), wanted: random.oneOf([1, Infinity]) };
    made = [{ name: `r${left}`, fails: false, then: made, ...(random.below(2) === 0 ? { op: "1.0/get" } : stream) }];
  }
  return made;
}

/** Executes calls in the order in which it gets them; what it answers to a read depends on the writes before that. */
class Engine {
  executed = [];
  #written = 0;
  #inserted = { t: 0, u: 0 };
  #rows = new Map();

  answer({ call, op, args }) {
    if (op === CLEANUP) return { call, value: null };
    const name = args.name ?? args.query?.name ?? `${args.queryId} goes on`;
    this.executed.push([op, name]);
    if (args.fails || args.query?.fails) return { call, error: { message: "no", data: { name } } };
    if (op === INSERT) {
      this.#written += 1;
      return { call, value: { _id: `${args.table}${++this.#inserted[args.table]}` } };
    }
    if (WRITES.includes(op)) {
      this.#written += 1;
      return { call, value: null };
    }
    if (op !== NEXT) return { call, value: { name, after: this.#written } };
    const { queryId, query, batch } = args;
    if (query) this.#rows.set(queryId, { name, left: query.rows });
    const stream = this.#rows.get(queryId);
    const values = Array.from({ length: Math.min(batch, stream.left) }, () => ({
      row: stream.left--,
      of: stream.name,
      after: this.#written,
    }));
    return { call, value: { values, done: stream.left === 0 } };
  }
}

/** What becomes of a function's calls. Some of what the engine owes comes later than the rest, as `random` has it. */
function played(made, random, { ahead = null, reopens = false } = {}) {
  const queue = new CallQueue(ahead);
  const engine = new Engine();
  const seen = { batches: [], settled: [], foreseen: [], executed: engine.executed, used: 0, told: [] };
  const issued = [];
  const settledWrites = new Set();
  let ids = 0;
  let foresees = true;

  const settled = (one, answer) => {
    seen.settled.push([one.name, answer]);
    if (WRITES.includes(one.op)) settledWrites.add(one.name);
    for (const next of one.then) push(next);
  };
  const take = (one, stream) => {
    const go = (answer) => {
      const isOver = typeof answer !== "string" || JSON.parse(answer).done;
      if (isOver || stream.consumed >= one.wanted) {
        queue.cleanUp(stream);
        settled(one, answer);
      } else {
        seen.settled.push([one.name, answer]);
        take(one, stream);
      }
    };
    queue.push({ op: NEXT, args: "{}", parsed: {}, resolve: go, reject: go, stream });
  };
  const push = (one) => {
    const { name, table, fails, rows } = one;
    if (one.op === NEXT) return take(one, new QueryStream(ids++, { name, rows, fails }, false));
    if (WRITES.includes(one.op)) issued.push([one.op, name]);
    const [resolve, reject] = [(answer) => settled(one, answer), (failure) => settled(one, failure)];
    queue.push({ op: one.op, args: JSON.stringify({ name, table, fails }), parsed: { table }, resolve, reject });
  };
  const execute = (texts, told) => {
    for (const text of texts.slice(0, told)) {
      const call = JSON.parse(text);
      engine.answer(call);
      if (call.op === CLEANUP) continue;
      assert.ok(WRITES.includes(call.op) && settledWrites.has(call.args.name), `${text} has been answered`);
      seen.told.push(call.args.name);
    }
    return texts.slice(told).map((text) => {
      const call = JSON.parse(text);
      assert.ok(!settledWrites.has(call.args.name), `${text} has not been answered`);
      const reply = engine.answer(call);
      foresees &&= !WRITES.includes(call.op) && reply.error === undefined && reply.value?.done !== false;
      if (foresees && ["1.0/get", NEXT].includes(call.op))
        seen.foreseen.push({ text, reply: structuredClone(reply.value) });
      return reply;
    });
  };

  for (const one of made) push(one);
  let owed = [];
  for (;;) {
    const state = queue.advance();
    if (state === "idle") break;
    if (state === "waiting") {
      const { texts, told } = queue.takeOutgoing();
      if (owed.length > 0) assert.deepEqual({ texts, told }, { texts: [], told: 0 });
      else {
        owed = execute(texts, told);
        assert.ok(owed.length > 0);
      }
      const come = owed.splice(0, random.below(2) === 0 ? owed.length : 1 + random.below(owed.length));
      if (owed.length === 0 && reopens) ahead?.reopen();
      queue.receive(come);
      continue;
    }
    const batch = queue.takeAnswered();
    seen.batches.push(batch.map(({ op }) => op));
    for (const { answer, resolve, reject } of batch) {
      if (answer.failure === undefined) resolve(answer.value);
      else reject(answer.failure);
    }
  }
  const rest = queue.takeUnawaited();
  execute(rest, rest.length);
  assert.ok(queue.isEmpty && !queue.isOutstanding);
  assert.deepEqual(queue.takeUnawaited(), []);
  const writes = engine.executed.filter(([op]) => WRITES.includes(op));
  assert.deepEqual(writes, issued, "each write is executed once, in the order of issue");
  return { ...seen, used: ahead?.used ?? 0 };
}

/** Answers that came with a run: some that are right, and others to what it does not ask. */
function answersAhead(random, foreseen) {
  let known = foreseen.slice(0, random.below(2) === 0 ? foreseen.length : random.below(foreseen.length + 1));
  const wrong = { text: '{"call":1,"op":"1.0/get","args":{"name":"another"}}', reply: { no: "answer" } };
  const at = random.below(known.length + 1);
  const change = random.below(5);
  if (change === 0) known = known.toSpliced(at, 0, wrong);
  else if (change === 1) known = known.toSpliced(at, 1);
  else if (change === 2) known = known.map((one, i) => (i === at ? { ...wrong, text: `${one.text} ` } : one));
  return new AnswersAhead({
    calls: known.map(({ text }) => text),
    replies: known.map(({ reply }) => reply),
    writes: random.oneOf([0, 1, 2, 16]),
    ids: random.oneOf([{}, { t: ["t1", "t2"] }, { t: ["t1"], u: ["u1", "u2", "u3"] }]),
  });
}

test("answers that came with the run make no difference to what is settled, and how", () => {
  const total = { used: 0, told: 0 };
  forAll(600, (random) => {
    const made = afterReads(random, calls(random, 4));
    const asked = played(made, random);
    const ahead = answersAhead(random, asked.foreseen);
    const reopens = random.below(3) > 0;
    const answered = played(made, random, { ahead, reopens });
    assert.deepEqual(answered.settled, asked.settled);
    assert.deepEqual(answered.batches, asked.batches);
    const reads = new Set(asked.foreseen.slice(0, answered.used).map(({ text }) => JSON.parse(text).call));
    assert.equal(answered.executed.length, asked.executed.length - reads.size);
    total.used += answered.used;
    total.told += answered.told.length;
  });
  assert.ok(total.used > 300 && total.told > 300, JSON.stringify(total));
});

/** A queue with answers that came with the run, how its calls are made, and what they have been answered. */
function queueWith(more) {
  const ahead = new AnswersAhead({ calls: [], replies: [], writes: 16, ids: {}, ...more });
  const queue = new CallQueue(ahead);
  const answers = [];
  const make = (op, args, stream = null) => {
    const note = (answer) => answers.push(answer);
    queue.push({ op, args: JSON.stringify(args), parsed: args, resolve: note, reject: note, stream });
  };
  const settle = () => {
    for (const { answer, resolve, reject } of queue.takeAnswered())
      if (answer.failure === undefined) resolve(answer.value);
      else reject(answer.failure);
  };
  return { ahead, queue, answers, make, settle };
}

const GET = '{"call":1,"op":"1.0/get","args":{"id":"a"}}';

test("what has been answered ahead is sent before what is asked for, and nobody waits for it", () => {
  const { ahead, queue, answers, make, settle } = queueWith({ calls: [GET], replies: [null], ids: { t: ["t1"] } });
  make("1.0/get", { id: "a" });
  assert.equal(queue.advance(), "ready");
  settle();
  make(INSERT, { table: "t", value: {} });
  make("1.0/remove", { id: "a" });
  for (let i = 0; i < 2; i++) {
    assert.equal(queue.advance(), "ready");
    settle();
  }
  assert.deepEqual(answers, ["null", '{"_id":"t1"}', "null"]);
  assert.equal(queue.advance(), "idle");
  make("1.0/get", { id: "b" });
  assert.equal(queue.advance(), "waiting");
  assert.deepEqual(queue.takeOutgoing(), {
    texts: [
      '{"call":2,"op":"1.0/insert","args":{"table":"t","value":{}}}',
      '{"call":3,"op":"1.0/remove","args":{"id":"a"}}',
      '{"call":4,"op":"1.0/get","args":{"id":"b"}}',
    ],
    told: 2,
  });
  assert.equal(ahead.used, 1);
  assert.deepEqual(queue.takeUnawaited(), []);
});

test("the rest of a batch is asked for when its beginning has been answered ahead", () => {
  const { queue, answers, make, settle } = queueWith({ calls: [GET], replies: [{ n: 1 }] });
  make("1.0/get", { id: "a" });
  make("1.0/get", { id: "b" });
  assert.equal(queue.advance(), "waiting");
  assert.equal(queue.advance(), "waiting");
  const { texts, told } = queue.takeOutgoing();
  assert.deepEqual({ texts, told }, { texts: ['{"call":2,"op":"1.0/get","args":{"id":"b"}}'], told: 0 });
  assert.ok(queue.receive([{ call: 2, value: { n: 2 } }]));
  settle();
  assert.deepEqual(answers, ['{"n":1}', '{"n":2}']);
});

test("a stream whose rows came with the run gives them one by one, and what was in vain is given back", () => {
  const query = { source: {}, operators: [{ limit: 2 }] };
  const asked = `{"call":1,"op":"1.0/queryStreamNext","args":{"queryId":0,"batch":2,"consumed":0,"query":${JSON.stringify(query)}}}`;
  const { queue, answers, make, settle } = queueWith({ calls: [asked], replies: [{ values: ["x", "y"], done: true }] });
  const stream = new QueryStream(0, query, false);
  make(NEXT, {}, stream);
  assert.equal(queue.advance(), "ready");
  settle();
  assert.deepEqual(answers, ['{"value":"x","done":false}']);
  assert.ok(stream.isReady && !stream.inFlight);
  queue.cleanUp(stream);
  assert.deepEqual(queue.takeUnawaited(), ['{"call":2,"op":"1.0/queryCleanup","args":{"queryId":0,"consumed":1}}']);
});

test("nothing is answered ahead while the engine owes answers", () => {
  const { ahead, queue, make, settle } = queueWith();
  make("1.0/runUdf", {});
  make("1.0/remove", { id: "a" });
  queue.advance();
  assert.equal(queue.takeOutgoing().texts.length, 2);
  assert.ok(queue.receive([{ call: 1, value: null }]));
  ahead.reopen();
  settle();
  assert.equal(queue.advance(), "waiting");
  make("1.0/remove", { id: "b" });
  assert.equal(queue.advance(), "waiting");
  assert.deepEqual(queue.takeOutgoing(), { texts: [], told: 0 });
  assert.ok(queue.receive([{ call: 2, value: null }]));
  settle();
  assert.equal(queue.advance(), "ready");
  assert.equal(queue.takeUnawaited().length, 1);
});

test("after an insert that had to be waited for nobody knows whose id is next", () => {
  const { ahead, queue, answers, make, settle } = queueWith({ ids: { t: ["t1", "t2"] } });
  make("1.0/get", { id: "a" });
  make(INSERT, { table: "t", value: {} });
  assert.equal(queue.advance(), "waiting");
  assert.equal(queue.takeOutgoing().texts.length, 2);
  ahead.reopen();
  queue.receive([
    { call: 1, value: null },
    { call: 2, value: { _id: "t1" } },
  ]);
  settle();
  queue.advance();
  settle();
  make(INSERT, { table: "t", value: {} });
  assert.equal(queue.advance(), "waiting");
  assert.deepEqual(answers, ["null", '{"_id":"t1"}']);
});

const nothing = () => {};

test("what nobody waits for is sent in the order in which it was issued", () => {
  const ahead = new AnswersAhead({ calls: [], replies: [], writes: 2, ids: {} });
  const queue = new CallQueue(ahead);
  const stream = new QueryStream(0, {}, false);
  stream.asked();
  stream.receive({ values: [1, 2, 3], done: true });
  stream.take();
  queue.push({ op: "1.0/remove", args: '{"id":"a"}', parsed: { id: "a" }, resolve: nothing, reject: nothing });
  assert.equal(queue.advance(), "ready");
  queue.takeAnswered();
  queue.cleanUp(stream); // after the write was issued
  const ops = queue.takeUnawaited().map((text) => JSON.parse(text).op);
  assert.deepEqual(ops, ["1.0/remove", "1.0/queryCleanup"]);
});

test("what has been told does not grow beyond a message", () => {
  const ahead = new AnswersAhead({ calls: [], replies: [], writes: 16, ids: {} });
  const queue = new CallQueue(ahead);
  const args = JSON.stringify({ id: "a", value: { text: "x".repeat(5_000_000) } });
  let told = 0;
  for (let i = 0; i < 16; i++) {
    queue.push({ op: "1.0/replace", args, parsed: JSON.parse(args), resolve: nothing, reject: nothing });
    if (queue.advance() !== "ready") break;
    queue.takeAnswered();
    told += 1;
  }
  assert.ok(queue.takeOutgoing().texts.join(",").length < 64 * 2 ** 20, `${told} writes`);
});
