import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../../../src/parabola/hosts/node/limits.mjs";
import { LogLines } from "../../../src/parabola/hosts/node/log_lines.mjs";
import { forAll } from "./random_cases.mjs";

Object.assign(limits, { logLines: 4, logLineBytes: 10 });

test("a line is cut after its bytes, at the end of a character", () => {
  forAll(300, (random) => {
    const messages = random.list(4, () => random.text(6, ["a", "é", "€", "\u{1f600}"]));
    const logs = new LogLines();
    logs.add("LOG", messages);
    const [line] = logs.take();
    const bytes = (list) => list.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    assert.equal(line.isTruncated, bytes(messages) > 10);
    assert.ok(bytes(line.messages) <= 10);
    assert.ok(messages.join("").startsWith(line.messages.join("")));
    if (line.isTruncated) assert.ok(bytes(line.messages) > 10 - 4, "no more is cut than a character");
    else assert.deepEqual(line.messages, messages);
  });
});

test("the last line says that others are missing; those of the host are not counted", () => {
  const logs = new LogLines();
  for (let i = 0; i < 9; i++) logs.add("INFO", [`${i}`]);
  logs.report("WARN", "warning:x", "a long message of the host");
  const lines = logs.take();
  assert.deepEqual(
    lines.map(({ level, messages: [text] }) => [level, text]),
    [
      ["INFO", "0"],
      ["INFO", "1"],
      ["INFO", "2"],
      ["ERROR", "Log overflow (maximum 4). Remaining log lines omitted."],
      ["WARN", "a long message of the host"],
    ],
  );
  assert.deepEqual(lines[4].systemMetadata, { code: "warning:x" });
  assert.deepEqual(logs.take(), []);
});

test("with a sink, lines go there at once", () => {
  const seen = [];
  const logs = new LogLines((line) => seen.push(line.messages[0]));
  logs.add("LOG", ["a"]);
  logs.addAll([{ level: "LOG", messages: ["b"] }]);
  assert.deepEqual(seen, ["a", "b"]);
  assert.deepEqual(logs.take(), []);
});
