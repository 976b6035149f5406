import assert from "node:assert/strict";
import { test } from "node:test";
import { CallError, findFunction, parseFunctionPath } from "../../../src/parabola/hosts/node/function_path.mjs";

test("a path names a module and a function, by default the default export", () => {
  assert.deepEqual(parseFunctionPath("dir/mod.js:fn"), { module: "dir/mod.js", name: "fn" });
  assert.deepEqual(parseFunctionPath("dir/mod:fn"), { module: "dir/mod.js", name: "fn" });
  assert.deepEqual(parseFunctionPath("dir/mod"), { module: "dir/mod.js", name: "default" });
});

test("the registered function of the kind is found, with its method", () => {
  const namespace = {
    list: Object.assign(() => {}, { isQuery: true }),
    add: Object.assign(() => {}, { isMutation: true }),
    send: Object.assign(() => {}, { isAction: true }),
  };
  const find = (name, kind) => findFunction(namespace, { module: "m.js", name }, kind);
  assert.deepEqual(find("list", "query"), { target: namespace.list, method: "invokeQuery" });
  assert.deepEqual(find("add", "mutation"), { target: namespace.add, method: "invokeMutation" });
  assert.deepEqual(find("send", "action"), { target: namespace.send, method: "invokeAction" });
});

test("what is missing, of another kind or no function of Convex is told from each other", () => {
  const namespace = {
    list: { isQuery: true },
    route: { isHttp: true },
    plain: () => {},
    nothing: null,
    default: { isMutation: true },
  };
  const text = (name, kind) => {
    try {
      findFunction(namespace, { module: "m.js", name }, kind);
    } catch (error) {
      assert.ok(error instanceof CallError);
      return error.message;
    }
    return "found";
  };
  assert.equal(text("absent", "query"), 'Couldn\'t find "absent" in module "m.js".');
  assert.equal(text("toString", "query"), 'Couldn\'t find "toString" in module "m.js".');
  assert.equal(text("list", "mutation"), "Function m.js:list is registered as a query but is being run as a mutation.");
  assert.equal(text("default", "query"), "Function m.js is registered as a mutation but is being run as a query.");
  assert.equal(
    text("route", "action"),
    "Function m.js:route is registered as an HTTP action but is being run as an action.",
  );
  assert.match(text("plain", "query"), /m\.js:plain is neither a query or mutation/);
  assert.match(text("nothing", "action"), /m\.js:nothing is not an action/);
});
