import { expect, test } from "vitest";
import { differences } from "./difference";

test("what differs is told by field, what is alike is not", () => {
  expect(differences({ _id: "x", a: 1, b: "t", c: [1] }, { _id: "x", a: 2, c: [1], d: null })).toEqual([
    { field: "a", before: "1", after: "2" },
    { field: "b", before: '"t"', after: undefined },
    { field: "d", before: undefined, after: "null" },
  ]);
});

test("a text is another one than the number that it looks like", () => {
  expect(differences({ a: "1" }, { a: 1 })).toHaveLength(1);
  expect(differences(null, { a: 1 })).toEqual([{ field: "a", before: undefined, after: "1" }]);
});
