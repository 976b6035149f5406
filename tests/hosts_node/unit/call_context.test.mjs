import assert from "node:assert/strict";
import { test } from "node:test";
import { CallContext, MODULES } from "../../../src/parabola/hosts/node/call_context.mjs";

test("what a call has set going is its own, also later and beside others", async () => {
  const context = new CallContext();
  const [a, b] = [{}, {}];
  assert.equal(context.isForeignTo(a), false, "nobody's may be anybody's");
  const later = context.run(a, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return [context.isForeignTo(a), context.isForeignTo(b)];
  });
  context.run(b, () => assert.equal(context.isForeignTo(a), true));
  context.run(MODULES, () => assert.equal(context.isForeignTo(a), true));
  assert.deepEqual(await later, [false, true]);
});
