import assert from "node:assert/strict";
import { test } from "node:test";
import { AnswersAhead } from "../../../src/parabola/hosts/node/executions/answers_ahead.mjs";

const FIRST = '{"call":1,"op":"1.0/get","args":{"id":"a"}}';
const SECOND = '{"call":2,"op":"1.0/get","args":{"id":"b"}}';
const THIRD = '{"call":3,"op":"1.0/get","args":{"id":"c"}}';

const some = (more = {}) =>
  new AnswersAhead({
    calls: [FIRST, SECOND, THIRD],
    replies: [{ n: 1 }, null, { n: 3 }],
    writes: 16,
    ids: { t: ["t1", "t2"], u: ["u1"] },
    ...more,
  });

test("reads are answered in the order in which they were foreseen", () => {
  const ahead = some();
  assert.deepEqual(ahead.read(FIRST), { n: 1 });
  assert.equal(ahead.read(SECOND), null);
  assert.equal(ahead.used, 2);
  assert.deepEqual(ahead.read(THIRD), { n: 3 });
  assert.equal(ahead.read(THIRD), undefined);
  assert.equal(ahead.used, 3);
});

test("a read is answered if it is the next one to the letter", () => {
  for (const text of [SECOND, FIRST.replace('"a"', '"b"'), FIRST.replace(":1,", ": 1,"), "", `${FIRST} `]) {
    const ahead = some();
    assert.equal(ahead.read(text), undefined);
    assert.equal(ahead.used, 0);
  }
});

test("no read is answered after one that was not foreseen", () => {
  const ahead = some();
  ahead.read(FIRST);
  assert.equal(ahead.read(THIRD), undefined);
  assert.equal(ahead.read(SECOND), undefined);
  ahead.reopen();
  assert.equal(ahead.read(SECOND), undefined);
  assert.equal(ahead.used, 1);
});

test("no read is answered after a write", () => {
  const ahead = some();
  ahead.read(FIRST);
  assert.equal(ahead.written("1.0/remove", { id: "a" }), null);
  assert.equal(ahead.read(SECOND), undefined);
  assert.equal(ahead.used, 1);
});

test("a write that is not answered does not stand before reads", () => {
  const ahead = some({ writes: 0 });
  assert.equal(ahead.written("1.0/remove", { id: "a" }), undefined);
  assert.deepEqual(ahead.read(FIRST), { n: 1 });
});

test("as many writes are answered as are allowed", () => {
  for (const writes of [0, 1, 3]) {
    const ahead = some({ writes, ids: {} });
    for (let i = 0; i < writes; i++) assert.equal(ahead.written("1.0/shallowMerge", { id: "a", value: {} }), null);
    assert.equal(ahead.written("1.0/shallowMerge", { id: "a", value: {} }), undefined);
    assert.equal(ahead.written("1.0/remove", { id: "a" }), undefined);
  }
});

test("of a write nothing is told but that it has succeeded, and the id of an insert", () => {
  const ahead = some();
  for (const op of ["1.0/shallowMerge", "1.0/replace", "1.0/remove"])
    assert.equal(ahead.written(op, { id: "a" }), null);
  assert.deepEqual(ahead.written("1.0/insert", { table: "t", value: {} }), { _id: "t1" });
});

test("inserts have the ids of their table, in order, and are waited for when there is none left", () => {
  const ahead = some();
  const inserted = (table) => ahead.written("1.0/insert", { table, value: {} })?._id;
  assert.deepEqual(["t", "u", "t", "u", "t"].map(inserted), ["t1", "u1", "t2", undefined, undefined]);
});

test("tables are those that were named", () => {
  const ahead = some();
  for (const table of ["v", "", "toString", "__proto__", "constructor", undefined, null, 7, {}])
    assert.equal(ahead.written("1.0/insert", { table, value: {} }), undefined);
});

test("an insert that is waited for takes none of the writes that are allowed", () => {
  const ahead = some({ writes: 1 });
  assert.equal(ahead.written("1.0/insert", { table: "v", value: {} }), undefined);
  assert.equal(ahead.written("1.0/remove", { id: "a" }), null);
});

test("other operations are never answered", () => {
  const ahead = some();
  for (const op of ["1.0/runUdf", "1.0/storageGetUrl", "1.0/get", "1.0/queryPage", "2.0/remove", "remove", "toString"])
    assert.equal(ahead.written(op, { id: "a", table: "t" }), undefined);
  assert.deepEqual(ahead.read(FIRST), { n: 1 });
});

test("nothing is answered once a call has to be waited for", () => {
  const ahead = some();
  ahead.close("1.0/get", { id: "a" });
  assert.equal(ahead.read(FIRST), undefined);
  assert.equal(ahead.written("1.0/remove", { id: "a" }), undefined);
  assert.equal(ahead.written("1.0/insert", { table: "t", value: {} }), undefined);
});

test("writes are answered again, and reads are not, when it is known who executes them", () => {
  const ahead = some({ writes: 2 });
  assert.deepEqual(ahead.written("1.0/insert", { table: "t", value: {} }), { _id: "t1" });
  ahead.close("1.0/get", { id: "a" });
  ahead.reopen();
  assert.equal(ahead.read(FIRST), undefined);
  assert.deepEqual(ahead.written("1.0/insert", { table: "t", value: {} }), { _id: "t2" });
  assert.equal(ahead.written("1.0/remove", { id: "a" }), undefined);
});

test("ids of a table are not told any more once an insert into it has to be waited for", () => {
  const ahead = some({ writes: 2 });
  ahead.close("1.0/insert", { table: "t", value: {} });
  ahead.reopen();
  assert.equal(ahead.written("1.0/insert", { table: "t", value: {} }), undefined);
  assert.equal(ahead.written("1.0/remove", { id: "a" }), null);
});

test("a table that is no name is none of those", () => {
  const ahead = some();
  for (const text of ['{"table":{"toString":1}}', '{"table":["t"]}'])
    assert.equal(ahead.written("1.0/insert", JSON.parse(text)), undefined);
});
