"""Unique indexes with the official command line: declared in TypeScript and in Python, pushed, broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess
from tasks_example import ROOT

pytestmark = pytest.mark.e2e

USERS = """
import { mutation, action, query } from "./_generated/server";
import { api } from "./_generated/api";
import { v } from "convex/values";

export const add = mutation({
  args: { email: v.optional(v.string()) },
  returns: v.id("users"),
  handler: (ctx, { email }) => ctx.db.insert("users", { email, name: "x" }),
});

export const tryToAdd = action({
  args: { email: v.string() },
  returns: v.string(),
  handler: async (ctx, { email }): Promise<string> => {
    try {
      await ctx.runMutation(api.users.add, { email });
    } catch (error) {
      return (error as Error).message;
    }
    return "added";
  },
});

export const find = query({
  args: { email: v.string() },
  handler: (ctx, { email }) =>
    ctx.db.query("users").withIndex("by_email", (q) => q.eq("email", email)).unique(),
});
"""
SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import { unique } from "./unique";

export default defineSchema({
  users: defineTable({ email: v.optional(v.string()), name: v.string() })
    .index("by_email", FIELDS),
});
"""
[HELPER] = re.findall(
    r"// convex/unique.ts\n(.*?)```", (ROOT / "docs" / "how-to" / "unique-indexes.md").read_text(), re.DOTALL
)
"""As the guide has it."""
UNIQUE = 'unique(["email"])'


@pytest.fixture
def project(tmp_path: Path, npm_packages: Path) -> Iterator[ConvexProject]:
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    project = ConvexProject(tmp_path / "project", server)
    for name in ("crons.ts", "http.ts", "messages.ts", "reports.ts"):
        (project.directory / "convex" / name).unlink()
    project.write("unique.ts", HELPER)
    project.write("users.ts", USERS)
    yield project
    server.close()


def declare(project: ConvexProject, fields: str) -> None:
    project.write("schema.ts", SCHEMA.replace("FIELDS", fields))


def test_a_unique_index_of_typescript_holds_from_its_push_to_its_end(project: ConvexProject) -> None:
    declare(project, UNIQUE)
    project.ok("dev", "--once", "--typecheck", "enable")
    ann = project.run("users:add", {"email": "ann@x.com"})
    refused = project.convex("run", "users:add", '{"email": "ann@x.com"}')
    assert refused.status == 1
    told = (
        'Failed to insert or update a document in table "users": '
        f'Document with ID "{ann}" has the same values (email: "ann@x.com"), and index "by_email" is unique.'
    )
    assert told in " ".join(refused.screen.split())
    assert told in project.call("users:tryToAdd", {"email": "ann@x.com"})
    project.run("users:add")
    project.run("users:add")
    assert project.call("users:find", {"email": "ann@x.com"})["_id"] == ann

    declare(project, '["email"]')
    project.push()
    again = project.run("users:add", {"email": "ann@x.com"})
    declare(project, UNIQUE)
    broken = project.convex("deploy", "--typecheck", "disable")
    assert broken.status == 1
    screen = " ".join(broken.screen.split())
    assert f'Document with ID "{again}" in table "users" does not match the schema' in screen
    assert f'Document with ID "{ann}" has the same values (email: "ann@x.com")' in screen
    (project.directory / "rows.jsonl").write_text(
        '{"email": "b", "name": "b"}\n{"email": "b", "name": "c"}\n'
    )
    project.ok("import", "--table", "users", "--replace", "--yes", "rows.jsonl")
    assert project.convex("deploy", "--typecheck", "disable").status == 1
    (project.directory / "rows.jsonl").write_text(
        '{"email": "b", "name": "b"}\n{"email": "c", "name": "c"}\n'
    )
    project.ok("import", "--table", "users", "--replace", "--yes", "rows.jsonl")
    project.ok("deploy", "--typecheck", "disable")
    refused = project.convex("import", "--table", "users", "--append", "--yes", "rows.jsonl")
    assert refused.status == 1
    assert 'index "by_email" is unique' in refused.screen


def test_a_unique_index_of_python_holds_for_typescript(project: ConvexProject, tmp_path: Path) -> None:
    (project.directory / "convex" / "schema.ts").unlink()
    (project.directory / "convex" / "unique.ts").unlink()
    python = tmp_path / "python" / "convex"
    python.mkdir(parents=True)
    (python / "schema.py").write_text(
        "from parabola import define_schema, define_table, v\n"
        'fields = {"email": v.optional(v.string()), "name": v.string()}\n'
        'schema = define_schema({"users": define_table(fields).index("by_email", ["email"], unique=True)})\n'
    )
    done = project.server.cli("deploy", *project.server_options, "--project", str(python.parent), "--yes")
    assert done.returncode == 0, done.stderr
    project.push()
    project.run("users:add", {"email": "a"})
    refused = project.convex("run", "users:add", '{"email": "a"}')
    assert 'index "by_email" is unique' in " ".join(refused.screen.split())
