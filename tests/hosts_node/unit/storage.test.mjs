import assert from "node:assert/strict";
import { test } from "node:test";
import { getBlob, storeBlob } from "../../../src/parabola/hosts/node/executions/storage.mjs";

const PART = 4 * 1024 * 1024;
const asked = { requestId: "r", version: "1.0.0" };
const bytesOf = (size) => Buffer.alloc(size, "abcdefg");

test("a file travels in parts of 4 MiB, in order, and comes back as it was", async () => {
  for (const size of [0, 1, PART, PART + 1, 2 * PART, 2 * PART + 5]) {
    const calls = [];
    const store = async (op, text) => {
      assert.equal(op, "1.0/storageStore");
      calls.push(JSON.parse(text));
      return calls.at(-1).part?.last === false ? null : "id";
    };
    assert.equal(await storeBlob(store, asked, new Blob([bytesOf(size)], { type: "text/plain" })), "id");
    const parts = calls.map((call) => Buffer.from(call.blob, "base64"));
    assert.ok(Buffer.concat(parts).equals(bytesOf(size)));
    assert.ok(parts.every((part) => part.length <= PART));
    assert.ok(calls.every(({ contentType }) => contentType === "text/plain"));
    if (size <= PART)
      assert.deepEqual(
        calls.map(({ part }) => part),
        [undefined],
      );
    else
      assert.deepEqual(
        calls.map(({ part }) => [part.index, part.last]),
        parts.map((_, i) => [i, i === parts.length - 1]),
      );

    let asks = 0;
    const get = async (_op, text) => {
      asks += 1;
      const { offset, length } = JSON.parse(text);
      return {
        blob: bytesOf(size)
          .subarray(offset, offset + length)
          .toString("base64"),
        contentType: "text/plain",
        size,
      };
    };
    const blob = await getBlob(get, { ...asked, storageId: "id" });
    assert.equal(asks, Math.max(1, Math.ceil(size / PART)));
    assert.equal(blob.type, "text/plain");
    assert.ok(Buffer.from(await blob.arrayBuffer()).equals(bytesOf(size)));
  }
});

test("an engine that answers in one piece is asked once, and a file that is not there is null", async () => {
  let count = 0;
  const whole = async () => {
    count += 1;
    return { blob: "YWI=", contentType: null };
  };
  assert.equal(await (await getBlob(whole, { ...asked, storageId: "id" })).text(), "ab");
  assert.equal(count, 1);
  assert.equal(await getBlob(async () => null, { ...asked, storageId: "id" }), null);
});
