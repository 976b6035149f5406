"""Staged validators with the official command line: what it is told of them, and what it asks about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.convex_cli import ConvexProject
from node_packages import PACKAGES, installed_version
from server_process import ServerProcess

HAS_STAGED = (PACKAGES / "convex").is_dir() and installed_version("convex") >= (1, 48)
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not HAS_STAGED, reason="npm convex is older than 1.48")]

SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  notes: defineTable({ text: v.TYPE })STAGED,
});
"""
UNION = "union(v.string(), v.number())"
NOTES = """
import { mutation } from "./_generated/server";
import { v } from "convex/values";

export const add = mutation({
  args: { text: v.union(v.string(), v.number()) },
  handler: (ctx, { text }) => ctx.db.insert("notes", { text: text as string }),
});
"""
DEPLOY = ("deploy", "--typecheck", "disable")


@pytest.fixture
def project(tmp_path: Path, npm_packages: Path) -> Iterator[ConvexProject]:
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    project = ConvexProject(tmp_path / "project", server)
    for name in ("crons.ts", "http.ts", "messages.ts", "reports.ts"):
        (project.directory / "convex" / name).unlink()
    project.write("notes.ts", NOTES)
    yield project
    server.close()


def declare(project: ConvexProject, type: str, staged: str = "") -> None:
    project.write("schema.ts", SCHEMA.replace("TYPE", type).replace("STAGED", staged))


def test_a_validator_is_staged_proven_and_applied(project: ConvexProject) -> None:
    declare(project, UNION, ".staged({ text: v.string() })")
    project.push()
    project.run("notes:add", {"text": "a"})

    def told() -> str:
        return " ".join(project.push().screen.split())

    project.server.wait_for(lambda: "notes: validated. Safe to apply the staged schema changes" in told())
    declare(project, UNION)
    refused = project.convex(*DEPLOY)
    assert refused.status == 1
    assert "discards staged schema validation for the following table" in refused.told
    assert "notes: validated; the push removes the staged validator" in refused.told
    declare(project, "string()")
    done = project.ok(*DEPLOY)
    assert "This deploy applies the staged schema without scanning the table." in " ".join(done.told.split())
    assert "does not match the schema" in project.convex("run", "notes:add", '{"text": 1}').screen


def test_a_document_that_does_not_match_is_told_at_the_next_push(project: ConvexProject) -> None:
    declare(project, UNION)
    project.push()
    id = project.run("notes:add", {"text": 1})
    declare(project, UNION, ".staged({ text: v.string() })")

    def told() -> str:
        return " ".join(project.push().screen.split())

    failed = f'notes: failed: Document with ID "{id}" in table "notes" does not match the staged schema'
    project.server.wait_for(lambda: failed in told())
    assert project.run("notes:add", {"text": 2}), "what is enforced is the present type"
