import { expect, test } from "vitest";
import type { Entry } from "./entries";
import { KEPT, merged } from "./use_log";

const at = (timestamp: number) => ({ timestamp }) as Entry;
const times = (entries: readonly Entry[]) => entries.map((entry) => entry.timestamp);

test("what comes from two places is in order, and nothing twice", () => {
  expect(times(merged([at(1), at(3)], [at(2), at(3)], [at(4)]))).toEqual([1, 2, 3, 4]);
});

test("the oldest go when there is too much", () => {
  const many = Array.from({ length: KEPT + 5 }, (_, place) => at(place));
  const kept = merged(many, [at(KEPT + 5)]);
  expect(kept).toHaveLength(KEPT);
  expect(kept.at(-1)!.timestamp).toBe(KEPT + 5);
});
