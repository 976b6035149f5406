import { expect, test } from "vitest";
import { BOX_HEIGHT, BOX_WIDTH, type Box, layOut, type Reference } from "./diagram_layout";

const refers = (from: string, to: string): Reference => ({ from, to, fields: ["id"] });

function overlap(a: Box, b: Box): boolean {
  return Math.abs(a.x - b.x) < BOX_WIDTH && Math.abs(a.y - b.y) < BOX_HEIGHT;
}

test("what refers stands left of what it refers to, what has no references below", () => {
  const { boxes } = layOut(
    ["users", "posts", "comments", "settings"],
    [refers("comments", "posts"), refers("posts", "users"), refers("comments", "users")],
  );
  const at = Object.fromEntries(boxes.map((box) => [box.name, box]));
  expect(at.comments!.x).toBeLessThan(at.posts!.x);
  expect(at.posts!.x).toBeLessThan(at.users!.x);
  expect(at.settings!.y).toBeGreaterThan(at.users!.y);
});

test("an arrow to a table further on goes past those between", () => {
  const { boxes, edges } = layOut(["a", "b", "c"], [refers("a", "b"), refers("b", "c"), refers("a", "c")]);
  const between = boxes.find((box) => box.name === "b")!;
  const past = edges.find((edge) => edge.to === "c" && edge.from === "a")!;
  const heights = [...past.path.matchAll(/L \S+ (\S+)/g)].map((found) => Number(found[1]));
  expect(heights).toHaveLength(1);
  for (const y of heights) expect(y < between.y || y > between.y + BOX_HEIGHT).toBe(true);
});

test("circles, references to itself and to tables that are not there are no trouble", () => {
  const { boxes, edges } = layOut(["a", "b"], [refers("a", "b"), refers("b", "a"), refers("a", "a"), refers("a", "c")]);
  expect(boxes).toHaveLength(2);
  expect(edges).toHaveLength(3);
  expect(layOut([], []).boxes).toEqual([]);
});

test("sixty tables stand beside each other", () => {
  const tables = Array.from({ length: 60 }, (_, at) => `table_${at}`);
  const references = tables.flatMap((name, at) => [
    refers(name, tables[(at * 7) % 60]!),
    refers(name, tables[Math.floor(at / 3)]!),
  ]);
  const { boxes, width, height } = layOut(tables, references);
  expect(boxes).toHaveLength(60);
  for (const [at, box] of boxes.entries()) {
    expect(box.x).toBeGreaterThanOrEqual(0);
    expect(box.x + BOX_WIDTH).toBeLessThanOrEqual(width);
    expect(box.y + BOX_HEIGHT).toBeLessThanOrEqual(height);
    for (const other of boxes.slice(at + 1)) expect(overlap(box, other)).toBe(false);
  }
});
