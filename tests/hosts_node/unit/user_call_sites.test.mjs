import assert from "node:assert/strict";
import { test } from "node:test";
import { StackFrames } from "../../../src/parabola/hosts/node/stack_frames.mjs";
import { presentCallSites, USER_SCHEME } from "../../../src/parabola/hosts/node/user_call_sites.mjs";

const HERE = import.meta.url;
const frames = new StackFrames(
  () => null,
  (file) => (file === HERE ? "own.ts" : null),
);
presentCallSites(frames, (file) => (file === HERE ? `${USER_SCHEME}own.js` : null));
const ours = Error.prepareStackTrace;

test("while user code has set nothing, stacks are in terms of the author's files", () => {
  assert.match(new Error("m").stack, /^Error: m\n {4}at .*\(own\.ts:\d+:\d+\)/);
});

test("a library that reads call sites finds user modules under their scheme", () => {
  let seen;
  Error.prepareStackTrace = (thrown, sites) =>
    (seen = sites.map((site) => [site.getFileName(), `${site}`, site.getLineNumber()])) && thrown.message;
  const error = new Error("m");
  assert.equal(error.stack, "m");
  Error.prepareStackTrace = undefined;
  const [[file, text, line]] = seen;
  assert.equal(file, `${USER_SCHEME}own.js`);
  assert.ok(text.includes(`${USER_SCHEME}own.js:${line}:`), text);
  assert.match(frames.of(error)[0], /\(own\.ts:\d+:\d+\)/, "the frames of the failure are the author's all the same");
});

test("what a library puts back is what it has found", () => {
  const found = Error.prepareStackTrace;
  assert.equal(found, ours);
  Error.prepareStackTrace = (_error, sites) => sites;
  assert.ok(Array.isArray(new Error("m").stack));
  Error.prepareStackTrace = found;
  assert.equal(Error.prepareStackTrace, ours);
  Error.prepareStackTrace = 5;
  assert.equal(Error.prepareStackTrace, ours);
});
