import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ActivityFile } from "../../../src/parabola/hosts/node/activity.mjs";

const folder = mkdtempSync(join(tmpdir(), "parabola-activity-"));
after(() => rmSync(folder, { recursive: true }));

test("24 bytes say whose code runs, since when, and what others hold; zeros say that nobody's does", () => {
  const path = join(folder, "cell");
  writeFileSync(path, Buffer.alloc(24));
  const activity = new ActivityFile(path);
  activity.begin(7, 2n ** 40n, 123_456);
  const bytes = readFileSync(path);
  assert.equal(bytes.length, 24);
  assert.deepEqual(
    [0, 8, 16].map((at) => bytes.readBigUInt64LE(at)),
    [7n, 2n ** 40n, 123_456n],
  );
  activity.idle();
  assert.deepEqual(readFileSync(path), Buffer.alloc(24));
  activity.remove();
  activity.remove();
  assert.equal(existsSync(path), false);
});

test("without a file there is nothing to say", () => {
  const activity = new ActivityFile(undefined);
  activity.begin(1, 1n, 1);
  activity.idle();
  activity.remove();
});
