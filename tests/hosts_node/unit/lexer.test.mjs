import assert from "node:assert/strict";
import { test } from "node:test";
import {
  LexError,
  NAME,
  NUMBER,
  PUNCTUATOR,
  REGEX,
  STRING,
  TEMPLATE,
  tokenize,
} from "../../../src/parabola/hosts/node/modules/lexer.mjs";
import { forAll } from "./random_cases.mjs";

const texts = (source) => {
  const tokens = tokenize(source);
  return Array.from({ length: tokens.length }, (_, i) => tokens.text(i));
};
const hasRegex = (source) => tokenize(source).kinds.includes(REGEX);

test("tokens are what they were, whatever blanks and comments stand between them", () => {
  const pieces = [
    ["name", NAME],
    ["$ünïcode_1", NAME],
    ["\\u0061b", NAME],
    ["#private", PUNCTUATOR, NAME],
    ["12_000.5e-3", NUMBER],
    [".5", NUMBER],
    ["0xFFn", NUMBER],
    ['"a\\"b"', STRING],
    ["'//'", STRING],
    ["`a \\` b`", TEMPLATE],
    ["??=", PUNCTUATOR],
    [">>>=", PUNCTUATOR],
    ["...", PUNCTUATOR],
    ["=>", PUNCTUATOR],
    [";", PUNCTUATOR],
  ];
  const blanks = [" ", "\n", "\r\n", "\t", "/* a * / */", "// x\n", "\u2028", "\u00a0", "\u3000", "\ufeff"];
  forAll(300, (random) => {
    const chosen = random.list(12, () => random.oneOf(pieces));
    const source = chosen.map(([text]) => random.oneOf(blanks) + text).join("") + random.oneOf(blanks);
    const expected = chosen.flatMap(([text]) => (text[0] === "#" ? ["#", text.slice(1)] : [text]));
    assert.deepEqual(texts(source), expected, JSON.stringify(source));
    assert.deepEqual(
      tokenize(source).kinds,
      chosen.flatMap(([, ...kinds]) => kinds),
      JSON.stringify(source),
    );
  });
});

test("a slash begins a regular expression where an operand is expected", () => {
  const sources = [
    "/a/g",
    "x = /[/]/",
    "return /a/",
    "f(/a/)",
    "if (x) /a/.test(y)",
    "while (x) /a/.exec(y)",
    "for await (x of y) /a/.exec(x)",
    "({}); /a/",
    "{} /a/",
    "function f() {} /a/",
    "class A {} /a/",
    "x => /a/",
    "a ? /b/ : /c/",
    "`${/a/}`",
    "else /a/",
    "x = { a: /b/ }",
  ];
  for (const source of sources) assert.ok(hasRegex(source), source);
});

test("a slash divides after an operand", () => {
  const sources = [
    "a / b / c",
    "f() / 2 / 3",
    "x[0] / 2 / 3",
    "1 / 2 / 3",
    "({}) / 2 / 3",
    "x = {} / 2 / 3",
    "x = function () {} / 2 / 3",
    "x = class {} / 2 / 3",
    "x++ / 2 / 3",
    "a.return / 2 / 3",
    "`a` / 2 / 3",
    "'a' / 2 / 3",
    "this / 2 / 3",
    "`${a / b / c}`",
  ];
  for (const source of sources) assert.ok(!hasRegex(source), source);
});

test("the pieces of a template are cut at its substitutions, also nested ones", () => {
  assert.deepEqual(texts("`a${ {b: `c${d}e`} }f`"), ["`a${", "{", "b", ":", "`c${", "d", "}e`", "}", "}f`"]);
});

test("a line of `#!` is no token", () => {
  assert.deepEqual(texts("#!/usr/bin/env node\nx"), ["x"]);
});

test("a token knows whether it begins a line", () => {
  const tokens = tokenize("a b /* \n */ c\u2029d");
  assert.deepEqual([0, 1, 2, 3].map(tokens.startsLine), [false, false, true, true]);
});

test("what cannot be read is said, and not guessed", () => {
  for (const source of ["'a", "`a", "/* a", "(", ")", "a ? ]", "x = /a"])
    assert.throws(() => tokenize(source), LexError, source);
});
