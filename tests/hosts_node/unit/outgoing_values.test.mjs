import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../../../src/parabola/hosts/node/limits.mjs";
import {
  checkArguments,
  checkDescription,
  checkName,
  checkValue,
  humanize,
  UnsendableValue,
} from "../../../src/parabola/hosts/node/outgoing_values.mjs";
import { forAll } from "./random_cases.mjs";

Object.assign(limits, {
  valueNesting: 4,
  arrayLength: 5,
  objectFields: 6,
  valueBytes: 1000,
  messageBytes: 64 * 2 ** 20,
});
const HALF = '"\\ud83d"';

/** A random value that breaks no limit. */
function randomValue(random, depth = 0) {
  const kind = random.below(depth === 4 ? 5 : 7);
  if (kind < 5)
    return [null, false, random.below(100) - 50, random.text(5, ["a", "é", "\u{1f600}"]), { $integer: "AAAAAAAAAAA=" }][
      kind
    ];
  if (kind === 5) return random.list(5, () => randomValue(random, depth + 1));
  return Object.fromEntries(random.list(6, () => [random.text(3, "abcde"), randomValue(random, depth + 1)]));
}

test("values within the limits are handed on as the text that they came in", () => {
  forAll(300, (random) => {
    const text = JSON.stringify(randomValue(random));
    assert.deepEqual(checkValue(text, 1e6), { text, size: null });
  });
});

test("a fault anywhere in a value is found, and said with its place", () => {
  const faults = [
    [HALF, /lone surrogate/],
    ["1e999", /out of range for a Float64/],
    ["[0,0,0,0,0,0]", /Array length is too long \(6 > maximum length 5\)/],
    ['{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0}', /too many fields \(7 > maximum number 6\)/],
    ["[[[[[]]]]]", /too nested \(nested \d+ levels deep > maximum nesting 4\)/],
    ['{"é\\ud83d":0}', /Field name é.* has invalid character 'é'/],
  ];
  forAll(200, (random) => {
    const [fault, text] = random.oneOf(faults);
    let value = fault;
    const levels = random.below(4);
    for (let i = 0; i < levels; i++) value = random.below(2) === 0 ? `[0,${value}]` : `{"x":${value}}`;
    assert.throws(
      () => checkValue(value),
      (error) => error instanceof UnsendableValue && (text.test(error.message) || /too nested/.test(error.message)),
    );
  });
  assert.throws(() => checkValue(`{"a":[1,${HALF}]}`), /\(present at path \.a\[1\]\)/);
});

test("the size of a value is that of semantics 1.1", () => {
  const sizes = [
    ["null", 1],
    ["true", 1],
    ["1.5", 9],
    ['{"$integer":"AAAAAAAAAAA="}', 9],
    ['"é"', 4],
    ["[1,2]", 20],
    ['{"ab":null}', 6],
  ];
  for (const [text, size] of sizes) {
    assert.equal(checkValue(text, size - 1).size, size, text);
    assert.equal(checkValue(text, size).size, null, text);
  }
});

test("a text of several lines becomes one", () => {
  assert.equal(checkValue('{\n"a": 1}').text, '{"a":1}');
});

test("of a call's arguments only what are values is held to the limits of values", () => {
  const deep = { query: [[[[[[0]]]]]], value: [1] };
  assert.equal(checkArguments(JSON.stringify(deep), deep), JSON.stringify(deep));
  const args = { args: [[[[[0]]]]] };
  assert.throws(() => checkArguments(JSON.stringify(args), args), /too nested/);
  const large = { value: "a".repeat(1001) };
  assert.throws(() => checkArguments(JSON.stringify(large), large), /Value is too large/);
  assert.throws(() => checkArguments(`{"query":${HALF}}`, JSON.parse(`{"query":${HALF}}`)), /present at path \.query/);
});

test("descriptions may be deeper, names must be well-formed", () => {
  assert.deepEqual(checkDescription("[[[[[[1]]]]]]"), [[[[[[1]]]]]]);
  assert.throws(() => checkDescription("{"), /Received invalid json/);
  assert.equal(checkName("a:b"), "a:b");
  assert.throws(() => checkName("a\ud83d"), /lone surrogate/);
});

test("texts that are shown are as Python shows them in ASCII, and cut", () => {
  assert.throws(() => checkName("it's é \u{1f600}\n\ud83d"), /String "it's \\xe9 \\U0001f600\\n\\ud83d" is not valid/);
  assert.throws(() => checkName(`${"a".repeat(300)}\ud83d`), /String 'a{200}'\.\.\. is not valid/);
});

test("bytes are shown with at most two digits behind the point", () => {
  assert.deepEqual([0, 1023, 1024, 1536, 33_554_432, 16_777_217].map(humanize), [
    "0 B",
    "1023 B",
    "1 KiB",
    "1.5 KiB",
    "32 MiB",
    "16 MiB",
  ]);
});
