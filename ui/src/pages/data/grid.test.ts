import { expect, test } from "vitest";
import { columnsOf, moved } from "./grid";

test("the keys lead from cell to cell and stop at the edges", () => {
  const from = { row: 1, column: 1 };
  expect(moved("ArrowUp", from, 3, 2)).toEqual({ row: 0, column: 1 });
  expect(moved("ArrowRight", from, 3, 2)).toEqual(from);
  expect(moved("PageDown", from, 3, 2)).toEqual({ row: 2, column: 1 });
  expect(moved("Home", from, 3, 2)).toEqual({ row: 1, column: 0 });
  expect(moved("x", from, 3, 2)).toBeNull();
});

test("columns are those of the schema and of what is there, between id and time", () => {
  const documents = [{ _id: "a", _creationTime: 1, z: 1, b: 2 }];
  expect(columnsOf(documents, ["b"])).toEqual(["_id", "b", "z", "_creationTime"]);
});
