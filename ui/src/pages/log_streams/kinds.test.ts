import { describe, expect, test } from "vitest";
import { bodyOf, KINDS, type LogStream, textOf } from "./kinds";

const stream: LogStream = {
  id: "i",
  logStreamType: "datadog",
  status: { type: "active" },
  siteLocation: "EU",
  ddTags: ["a:b", "c:d"],
  topics: ["console"],
};
const field = (type: string, name: string) => KINDS[type]!.fields.find((each) => each.name === name)!;

describe("what a form has and sends", () => {
  test("a new stream has what is usual, another one what it has", () => {
    expect(textOf(field("webhook", "format"), null)).toBe("json");
    expect(textOf(field("datadog", "ddTags"), stream)).toBe("a:b, c:d");
    expect(textOf(field("datadog", "service"), stream)).toBe("");
    expect(textOf(field("axiom", "attributes"), { ...stream, attributes: [{ key: "a", value: "b" }] })).toBe("a: b");
    expect(textOf(field("sentry", "tags"), { ...stream, tags: { x: "y" } })).toBe("x: y");
  });

  test("what is left empty is left out of a new stream", () => {
    expect(bodyOf("webhook", { url: " https://a.test ", format: "jsonl" }, null, true)).toEqual({
      logStreamType: "webhook",
      url: "https://a.test",
      format: "jsonl",
    });
  });

  test("a secret that is left empty stays, anything else goes", () => {
    const texts = { siteLocation: "US1", ddApiKey: "", ddTags: "", service: "" };
    expect(bodyOf("datadog", texts, null, false)).toEqual({
      logStreamType: "datadog",
      siteLocation: "US1",
      ddTags: [],
      service: null,
      topics: null,
    });
  });

  test("lines of names and values", () => {
    const headers = "api-key: a:b\n\n x : y ";
    expect(bodyOf("otlp", { endpoint: "http://c", format: "json", headers }, ["console"], true)).toMatchObject({
      headers: [
        { key: "api-key", value: "a:b" },
        { key: "x", value: "y" },
      ],
      topics: ["console"],
    });
    expect(bodyOf("sentry", { dsn: "d", tags: "a: b" }, null, true)).toEqual({
      logStreamType: "sentry",
      dsn: "d",
      tags: { a: "b" },
    });
  });
});
