"""Searches of a TypeScript app: pushed by the official command line, followed by the npm client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess
from tasks_example import ROOT

pytestmark = pytest.mark.e2e

SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  articles: defineTable({ text: v.string(), language: v.string(), vector: v.array(v.float64()) })INDEXES,
});
"""
INDEXES = """
    .searchIndex("by_words", { searchField: "text", filterFields: ["language"]STAGED })
    .vectorIndex("by_meaning", { vectorField: "vector", dimensions: 3, filterFields: ["language"]STAGED })"""
STAGED = ", staged: true"
WRITING = """
import { mutation } from "./_generated/server";
import { v } from "convex/values";

export const add = mutation({
  args: { text: v.string(), language: v.optional(v.string()), vector: v.optional(v.array(v.float64())) },
  handler: (ctx, { text, language, vector }) =>
    ctx.db.insert("articles", { text, language: language ?? "en", vector: vector ?? [0, 0, 1] }),
});
"""
SEARCHING = """
import { action, query } from "./_generated/server";
import { v } from "convex/values";

export const find = query({
  args: { text: v.string(), language: v.string() },
  handler: async (ctx, { text, language }) => {
    const found = await ctx.db
      .query("articles")
      .withSearchIndex("by_words", (q) => q.search("text", text).eq("language", language))
      .take(2);
    return found.map((article) => article.text);
  },
});

export const nearest = action({
  args: { vector: v.array(v.float64()), language: v.string() },
  handler: async (ctx, { vector, language }): Promise<number[]> => {
    const found = await ctx.vectorSearch("articles", "by_meaning", {
      vector,
      limit: 2,
      filter: (q) => q.or(q.eq("language", language), q.eq("language", "fr")),
    });
    return found.map(({ _score }) => Math.round(_score * 100));
  },
});
"""
HELPERS = dict(
    re.findall(
        r"```ts\n// convex/(\S+)\n(.*?)```",
        (ROOT / "docs" / "how-to" / "vector-search.md").read_text(),
        re.DOTALL,
    )
)
"""As the guide has them: `vectors.ts` and what uses it, `reading.ts`."""


@pytest.fixture
def project(tmp_path: Path, npm_packages: Path) -> Iterator[ConvexProject]:
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    project = ConvexProject(tmp_path / "project", server)
    for name in ("crons.ts", "http.ts", "messages.ts", "reports.ts"):
        (project.directory / "convex" / name).unlink()
    project.write("writing.ts", WRITING)
    yield project
    server.close()


def declare(project: ConvexProject, indexes: str) -> None:
    project.write("schema.ts", SCHEMA.replace("INDEXES", indexes))


def test_searches_work_from_a_push_over_documents_to_live_results(
    project: ConvexProject, node_script: Callable[..., str]
) -> None:
    declare(project, "")
    project.push()
    for text, language in (("hello world", "en"), ("hello there", "de"), ("bonjour le monde", "fr")):
        project.run("writing:add", {"text": text, "language": language, "vector": [1, len(text), 0]})

    declare(project, INDEXES.replace("STAGED", STAGED))
    project.push()
    project.write("searching.ts", SEARCHING)
    for name, text in HELPERS.items():
        project.write(name, text)
    declare(project, INDEXES.replace("STAGED", ""))
    project.ok("dev", "--once", "--typecheck", "enable")

    assert project.call("searching:find", {"text": "wor", "language": "en"}) == ["hello world"]
    assert project.call("searching:find", {"text": "hello", "language": "de"}) == ["hello there"]
    assert project.call("searching:nearest", {"vector": [1, 0, 0], "language": "en"}) == [9, 6]
    near = project.call("reading:near", {"vector": [0, 0, 2]})
    assert near == []
    project.run("writing:add", {"text": "the moon"})
    near = project.call("reading:near", {"vector": [0, 0, 2]})
    assert [article["text"] for article in near] == ["the moon"]
    both = project.call("reading:search", {"text": "monde", "vector": [0, 0, 2]})
    assert both[0]["text"] == "bonjour le monde"

    node_script("search_client.mjs", project.server.url)

    refused = project.convex("run", "searching:nearest", '{"vector": [1], "language": "en"}')
    assert refused.status == 1
    assert "Expected a vector with dimensions 3, received 1." in " ".join(refused.screen.split())

    project.write("searching.ts", SEARCHING.replace('"text", text', '"language", text'))
    refused = project.convex("dev", "--once", "--typecheck", "enable")
    assert refused.status == 1
    assert "language" in refused.screen
