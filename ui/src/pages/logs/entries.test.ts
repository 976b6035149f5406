import { expect, test } from "vitest";
import { asTree, type Entry, isWanted, type Wanted } from "./entries";

function entry(changes: Partial<Entry>): Entry {
  return {
    kind: "Completion",
    udfType: "Query",
    identifier: "notes:list",
    timestamp: 10,
    logLines: [],
    requestId: "r1",
    executionId: "e1",
    ...changes,
  };
}

const line = (level: "LOG" | "WARN", text: string) => ({ messages: [text], level, timestamp: 0, isTruncated: false });
const all: Wanted = { functionName: "", level: "DEBUG", text: "" };

test("without filters every entry is wanted", () => {
  expect(isWanted(entry({}), all)).toBe(true);
});

test("a level asks for an entry with a line as loud, and a failure is an error", () => {
  const warn: Wanted = { ...all, level: "WARN" };
  expect(isWanted(entry({ logLines: [line("LOG", "x")] }), warn)).toBe(false);
  expect(isWanted(entry({ logLines: [line("LOG", "x"), line("WARN", "y")] }), warn)).toBe(true);
  expect(isWanted(entry({ error: "boom" }), { ...all, level: "ERROR" })).toBe(true);
  expect(isWanted(entry({}), { ...all, level: "INFO" })).toBe(false);
});

test("text is looked for in lines, errors, names and request ids", () => {
  const one = entry({ logLines: [line("LOG", "Hello There")], error: "no such room" });
  for (const text of ["there", "ROOM", "notes:", "r1"]) expect(isWanted(one, { ...all, text })).toBe(true);
  expect(isWanted(one, { ...all, text: "elsewhere" })).toBe(false);
});

test("a request is a tree of its calls, in the order in which they began", () => {
  const parent = entry({ executionId: "p", timestamp: 10, executionTime: 5, identifier: "parent" });
  const late = entry({ executionId: "b", parentExecutionId: "p", timestamp: 9, executionTime: 1, identifier: "late" });
  const early = entry({
    executionId: "a",
    parentExecutionId: "p",
    timestamp: 8,
    executionTime: 2,
    identifier: "early",
  });
  const deep = entry({
    executionId: "c",
    parentExecutionId: "a",
    timestamp: 7,
    executionTime: 0.5,
    identifier: "deep",
  });
  const told = asTree([late, early, parent, deep]).map(({ depth, entry: { identifier } }) => [depth, identifier]);
  expect(told).toEqual([
    [0, "parent"],
    [1, "early"],
    [2, "deep"],
    [1, "late"],
  ]);
});

test("a call whose caller is not among the entries stands by itself", () => {
  expect(asTree([entry({ parentExecutionId: "gone" })])).toHaveLength(1);
});
