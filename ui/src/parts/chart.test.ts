import { expect, test } from "vitest";
import { lastHour } from "./chart";

test("the last hour is whole minutes, the one that is now among them", () => {
  const window = JSON.parse(decodeURIComponent(lastHour(1_800_000_030_000))) as {
    start: { secs_since_epoch: number };
    end: { secs_since_epoch: number };
    num_buckets: number;
  };
  expect(window.end.secs_since_epoch).toBe(1_800_000_060);
  expect(window.start.secs_since_epoch).toBe(1_800_000_060 - 3600);
  expect(window.num_buckets).toBe(60);
});
