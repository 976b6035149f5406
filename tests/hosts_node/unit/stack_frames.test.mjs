import assert from "node:assert/strict";
import { test } from "node:test";
import { StackFrames } from "../../../src/parabola/hosts/node/stack_frames.mjs";

/** A call site as V8 gives one; `what` says what differs. */
const site = (what) =>
  Object.fromEntries(
    Object.entries({
      isNative: false,
      isConstructor: false,
      isToplevel: true,
      isAsync: false,
      isPromiseAll: false,
      getPromiseIndex: null,
      getFileName: "convex:/m.js",
      getLineNumber: 1,
      getColumnNumber: 1,
      getFunctionName: "f",
      getTypeName: "Object",
      getMethodName: null,
      ...what,
    }).map(([name, value]) => [name, () => value]),
  );

/** Maps line and column of `m.js` to the same in `convex/m.ts`, those of line 9 to the library. */
const sourceMap = {
  lookup: (line, column) => ({
    source: line === 8 ? "node_modules/convex/src/server/impl/x.ts" : "convex/m.ts",
    line,
    column,
  }),
};
const frames = new StackFrames((url) => (url === "convex:/m.js" ? { sourceMap } : null));

test("frames are in terms of the author's files, and those of other files are left out", () => {
  const sites = [
    site({ getLineNumber: 3, getColumnNumber: 7 }),
    site({ getFileName: "/host/x.mjs" }),
    site({ isNative: true }),
  ];
  assert.deepEqual(frames.render(sites), ["f (convex/m.ts:3:7)", "f (native)"]);
});

test("a function is named with what it is called as", () => {
  const named = [
    [{ getFunctionName: null }, "<anonymous>"],
    [{ isAsync: true }, "async f"],
    [{ isConstructor: true }, "new f"],
    [{ isPromiseAll: true, getFileName: null, getPromiseIndex: 2 }, "Promise.all"],
    [{ isToplevel: false, getMethodName: "g" }, "f"],
    [{ isToplevel: false, getFunctionName: "Box.f", getTypeName: "Box", getMethodName: "f" }, "Box.f [as f]"],
    [{ isToplevel: false, getFunctionName: "get f", getMethodName: "f" }, "get f [as f]"],
  ];
  for (const [what, name] of named) assert.equal(frames.render([site(what)])[0].split(" (")[0], name);
});

test("the library's frames are left out at both ends, and kept in the middle", () => {
  const [own, library] = [site({}), site({ getLineNumber: 9, getFunctionName: "lib" })];
  assert.deepEqual(
    frames.render([library, own, library, own, library]).map((text) => text.split(" ")[0]),
    ["f", "lib", "f"],
  );
});

test("frames are remembered with the error, whatever becomes of its stack", () => {
  const error = new Error("m");
  assert.equal(frames.format(error, [site({})]), "Error: m\n    at f (convex/m.ts:1:1)");
  error.stack = "changed";
  assert.deepEqual(frames.of(error), ["f (convex/m.ts:1:1)"]);
  const other = new Error("m");
  frames.remember(other, [site({ getLineNumber: 2 })]);
  Object.defineProperty(other, "stack", {
    get() {
      throw new Error("no");
    },
  });
  assert.deepEqual(frames.of(other), ["f (convex/m.ts:2:1)"]);
});

test("a stack that a library has rendered is read", () => {
  const error = {
    stack: "Error: m\n    at go (convex:/m.js:4:5)\n    at convex:/m.js:6:7\n    at /host/x.mjs:1:1\n    at nonsense",
  };
  assert.deepEqual(frames.of(error), ["go (convex/m.ts:4:5)", "<anonymous> (convex/m.ts:6:7)"]);
  for (const thrown of ["text", null, {}, { stack: 5 }]) assert.deepEqual(frames.of(thrown), []);
});

test("what is no call site is left out", () => {
  assert.deepEqual(frames.render([{}, null, site({})]), ["f (convex/m.ts:1:1)"]);
});
