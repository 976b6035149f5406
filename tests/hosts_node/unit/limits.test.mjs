import assert from "node:assert/strict";
import { test } from "node:test";
import { holdTo, limits } from "../../../src/parabola/hosts/node/limits.mjs";

test("every limit is taken from the message, and one that is missing is said", () => {
  const given = Object.fromEntries(Object.keys(limits).map((name, i) => [name, i + 1]));
  holdTo({ ...given, ofALaterVersion: 5 });
  assert.deepEqual({ ...limits }, given);
  assert.throws(() => holdTo({ ...given, logLines: undefined }), /no limit logLines/);
});
