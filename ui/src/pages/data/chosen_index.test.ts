import { expect, test } from "vitest";
import type { DeclaredIndex } from "../../deployment/system";
import { chooseIndex } from "./chosen_index";
import { type Clause, encodeFilters, type Operator } from "./filters";

const index = (name: string, fields: string[], more: Partial<DeclaredIndex> = {}): DeclaredIndex => ({
  name,
  fields,
  backfill: { state: "done" },
  ...more,
});
const clause = (field: string, op: Operator, value = "1"): Clause => ({ field, op, value });
const INDEXES = [
  index("by_a", ["a"]),
  index("by_a_b", ["a", "b"]),
  index("by_c", ["c"], { staged: true }),
  index("by_d", ["d"], { backfill: { state: "in_progress" } }),
  { ...index("text", []), fields: { searchField: "e" } },
];

test("the index that answers most is chosen, and what it leaves is said", () => {
  const found = chooseIndex(
    [clause("b", "gt"), clause("x", "eq"), clause("a", "eq"), clause("b", "lte", "9")],
    INDEXES,
  );
  expect(found?.name).toBe("by_a_b");
  expect(found?.rest).toEqual([clause("x", "eq")]);
});

test("without a first field that is asked for, with one that is staged or being filled, there is none", () => {
  for (const field of ["b", "c", "d", "e", "x"]) expect(chooseIndex([clause(field, "eq")], INDEXES)).toBeNull();
  expect(chooseIndex([clause("a", "neq"), clause("a", "type", "null")], INDEXES)).toBeNull();
});

test("the creation time has an index of its own", () => {
  expect(chooseIndex([clause("_creationTime", "gte", "5")], [])?.name).toBe("by_creation_time");
});

test("the server is told the index with its conditions, and the rest as filters", () => {
  const filters = {
    clauses: [clause("a", "eq", "ann"), clause("b", "lt", "5"), clause("x", "neq", "true")],
    order: "asc" as const,
  };
  const text = encodeFilters(filters, chooseIndex(filters.clauses, INDEXES));
  expect(JSON.parse(atob(text!))).toEqual({
    order: "asc",
    clauses: [{ field: "x", op: "neq", value: true, enabled: true }],
    index: {
      name: "by_a_b",
      clauses: [
        { type: "indexEq", enabled: true, value: "ann" },
        { type: "indexRange", enabled: true, upperOp: "lt", upperValue: 5 },
      ],
    },
  });
});
