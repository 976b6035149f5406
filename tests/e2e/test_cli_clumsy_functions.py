"""Functions that an unmodified `npx convex dev` pushes, and that once broke what they share with others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

HALF = """
import { query, mutation } from "./_generated/server";
import { ConvexError } from "convex/values";
export const returned = query({ args: {}, handler: async () => "👍".slice(0, 1) });
export const logged = query({ args: {}, handler: async () => { console.log("👍".slice(0, 1)); return 1; } });
export const emojiKey = query({ args: {}, handler: async () => ({ "👍": 1 }) });
export const deep = query({
  args: {},
  handler: async () => { let x: any = []; for (let i = 1; i < 1100; i++) x = [x]; return x; },
});
export const rows = mutation({
  args: {},
  handler: async () => { throw new ConvexError({ rows: Array.from({ length: 9000 }, (_, i) => i) }); },
});
export const fine = query({ args: {}, handler: async () => "fine" });
"""
NESTED = """
import { mutation } from "./_generated/server";
import { api } from "./_generated/api";
import { v } from "convex/values";
export const noop = mutation({ args: {}, handler: async () => null });
export const many = mutation({
  args: { n: v.number() },
  handler: async (ctx, { n }): Promise<number> => {
    for (let i = 0; i < n; i++) await ctx.runMutation(api.nested.noop, {});
    return n;
  },
});
"""
LOADER = """
import { mutation } from "./_generated/server";
const data = Array.from({ length: 200 }, (_, i) => ({ a: i, b: "s" + i }));
export let counter = 0;
export const q = mutation({ args: {}, handler: async () => { counter++; return data.length + counter; } });
"""
NODE_CRASH = """
"use node";
import http from "http";
import { action } from "./_generated/server";
import { v } from "convex/values";

export const bad = action({
  args: {},
  handler: async () =>
    await new Promise<string>((resolve) => { http.get("http://nonexistent.invalid", () => resolve("x")); }),
});
export const later = action({
  args: {},
  handler: async () => { setTimeout(() => { throw new Error("late"); }, 100); return "returned"; },
});
export const sleep = action({
  args: { ms: v.number() },
  handler: async (_ctx, { ms }) => { await new Promise((r) => setTimeout(r, ms)); return "slept"; },
});
export const never = action({ args: {}, handler: async () => await new Promise<string>(() => {}) });
"""


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory, npm_packages: Path) -> Iterator[ConvexProject]:
    folder = tmp_path_factory.mktemp("clumsy")
    server = ServerProcess(folder, "serve", "--port", "0", "--site-port", "0").start()
    project = ConvexProject(folder / "project", server)
    sources = {"half.ts": HALF, "nested.ts": NESTED, "loader.ts": LOADER, "node_crash.ts": NODE_CRASH}
    for name, source in sources.items():
        project.write(name, source)
    project.push()
    yield project
    server.close()


def told(project: ConvexProject, function: str) -> str:
    answer: Any = project.post("/api/function", {"path": function, "args": {}, "format": "json"})
    assert answer["status"] == "error", answer
    text: str = answer["errorMessage"]
    return text


def test_what_they_let_out_is_said_to_their_callers_alone(pushed: ConvexProject) -> None:
    lone = r"return value invalid: String '\ud83d' is not valid Unicode: it has a lone surrogate"
    nested = "return value invalid: Value is too nested (nested 1100 levels deep > maximum nesting 64)"
    field = "Field names can only contain non-control ASCII characters"
    for _ in range(3):
        assert lone in told(pushed, "half:returned")
        assert nested in told(pushed, "half:deep")
        assert field in told(pushed, "half:emojiKey")
        assert "Array length is too long (9000 > maximum length 8192)" in told(pushed, "half:rows")
        assert pushed.call("half:logged") == 1
        assert pushed.call("half:fine") == "fine"
    assert "ended" not in pushed.server.output()


def test_thousands_of_nested_calls_and_a_reassigned_export(pushed: ConvexProject) -> None:
    assert pushed.call("nested:many", {"n": 2000}) == 2000
    assert [pushed.call("loader:q") for _ in range(150)] == [201] * 150
    assert "ended" not in pushed.server.output()


def test_what_a_node_action_leaves_behind_costs_no_other(pushed: ConvexProject) -> None:
    for _ in range(3):
        assert "nonexistent.invalid" in told(pushed, "node_crash:bad")
        for _ in range(4):
            assert pushed.call("node_crash:sleep", {"ms": 1}) == "slept"
        assert pushed.call("node_crash:later") == "returned"
        assert pushed.call("node_crash:sleep", {"ms": 250}) == "slept"


def test_an_action_that_waits_for_nothing_ends(pushed: ConvexProject) -> None:
    assert "Returned promise will never resolve" in told(pushed, "node_crash:never")
    assert pushed.call("node_crash:sleep", {"ms": 1}) == "slept"
