import type { Value } from "convex/values";
import { expect, test } from "vitest";
import { fromText, inOneLine, objectFromText, toText, withoutSystemFields } from "./values";

const VALUES: Value[] = [null, true, 1.5, 'a\n"b"', 9007199254740993n, [1, [2n]], { a: { b: null } }, {}];

test("a value that is edited and not changed stays what it was", () => {
  for (const value of VALUES) expect(fromText(toText(value))).toEqual(value);
  const bytes = fromText(toText(new Uint8Array([0, 255]).buffer));
  expect([...new Uint8Array(bytes as ArrayBuffer)]).toEqual([0, 255]);
});

test("in one line every value can be read", () => {
  expect(inOneLine("as it is")).toBe("as it is");
  expect(inOneLine({ n: 5n, b: new ArrayBuffer(3) })).toBe('{"n":"5n","b":"3 bytes"}');
  expect(inOneLine(undefined)).toBe("");
});

test("what is no document is said to be none", () => {
  expect(() => objectFromText("[1]")).toThrow("This must be an object");
  expect(() => objectFromText("{a: 1}")).toThrow("This is no JSON yet");
});

test("system fields are not edited", () => {
  expect(withoutSystemFields({ _id: "x", _creationTime: 1, text: "a" })).toEqual({ text: "a" });
});
