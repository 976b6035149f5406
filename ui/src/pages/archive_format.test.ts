import { expect, test } from "vitest";
import { formatOf } from "./archive_format";

test("the end of its name says what a file is", () => {
  const names = ["notes.csv", "Notes.JSONL", "a.b.json", "snapshot.zip", "notes.txt", "notes"];
  expect(names.map(formatOf)).toEqual(["csv", "jsonLines", "jsonArray", "zip", null, null]);
});
