import assert from "node:assert/strict";
import { test } from "node:test";
import { StepLengths } from "../../../src/parabola/hosts/node/executions/step_lengths.mjs";

const SHORT_STEPS = 32;

test("a function is expected to be short once it has been so for long", () => {
  const lengths = new StepLengths();
  for (let i = 0; i < SHORT_STEPS; i++) {
    assert.ok(lengths.mayBeLong("m:f"));
    lengths.note("m:f", false);
  }
  assert.ok(!lengths.mayBeLong("m:f"));
  assert.ok(lengths.mayBeLong("m:g"));
  lengths.note("m:f", true);
  assert.ok(lengths.mayBeLong("m:f"));
});
