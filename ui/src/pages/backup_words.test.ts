import { describe, expect, it } from "vitest";
import { ageText, restoreCommand } from "./backup_words";

describe("ages", () => {
  it.each([
    [0.2, "0 seconds"],
    [1, "1 second"],
    [119, "119 seconds"],
    [150, "2 minutes"],
    [7_300, "2 hours"],
    [200_000, "2 days"],
  ])("says %d", (seconds, text) => expect(ageText(seconds)).toBe(text));
});

describe("the command that restores", () => {
  it("names the place, and a moment in UTC", () => {
    expect(restoreCommand("s3://bucket/app", "")).toBe("parabola restore s3://bucket/app --data restored");
    const at = new Date("2026-05-04T13:30:00");
    expect(restoreCommand("/backup", "2026-05-04T13:30:00")).toBe(
      `parabola restore /backup --data restored --at ${at.toISOString().replace(".000Z", "Z")} --paused`,
    );
    expect(restoreCommand("/backup", "nonsense")).toBe("parabola restore /backup --data restored");
  });

  it("quotes what a shell would not take as it is", () => {
    expect(restoreCommand("/my backups/it's", "")).toBe("parabola restore '/my backups/it'\\''s' --data restored");
  });
});
