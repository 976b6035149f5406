"""Components and the official command line: analysed and typed, and refused by name instead of run."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

APP = """
import { defineApp } from "convex/server";
import counter from "./counter/convex.config";

const app = defineApp();
app.use(counter, { name: "likes" });
export default app;
"""
COUNTER = """
import { defineComponent } from "convex/server";

export default defineComponent("counter");
"""
COUNTER_SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

const counts = defineTable({ name: v.string(), value: v.number() }).index("by_name", ["name"]);
export default defineSchema({ counts });
"""
COUNTER_FUNCTIONS = """
import { v } from "convex/values";
import { internalMutation, mutation } from "../_generated/server";

export const add = mutation({
  args: { name: v.string() },
  returns: v.number(),
  handler: async (ctx, args) => {
    await ctx.db.insert("counts", { ...args, value: 1 });
    return 1;
  },
});
export const reset = internalMutation({ args: {}, handler: async () => null });
"""
CALLER = """
import { components } from "./_generated/api";
import { mutation } from "./_generated/server";

export const like = mutation({
  args: {},
  handler: async (ctx) => await ctx.runMutation(components.likes.public.count.add, { name: "all" }),
});
"""


@pytest.fixture(scope="module")
def project(messages: ConvexProject, tmp_path_factory: pytest.TempPathFactory) -> ConvexProject:
    """The messages project with a component of its own, which was never pushed."""
    project = ConvexProject(tmp_path_factory.mktemp("components"), messages.server)
    project.write("convex.config.ts", APP)
    project.write("counter/convex.config.ts", COUNTER)
    project.write("counter/schema.ts", COUNTER_SCHEMA)
    project.write("counter/public/count.ts", COUNTER_FUNCTIONS)
    project.write("likes.ts", CALLER)
    return project


def test_types_are_written_for_a_component(project: ConvexProject) -> None:
    done = project.ok("codegen", "--typecheck", "disable")
    assert "likes" in (project.directory / "convex" / "_generated" / "api.d.ts").read_text(), done.screen
    generated = project.directory / "convex" / "counter" / "_generated"
    component = (generated / "component.ts").read_text()
    assert "count: {" in component
    assert "add: FunctionReference<" in component
    assert "{ name: string }" in component
    assert "reset" not in component, "internal functions are not for others"
    assert {path.name for path in generated.iterdir()} >= {"api.ts", "dataModel.ts", "server.ts"}


REFUSED = "This app uses components, which Parabola does not run yet: likes (counter)."


def test_a_component_is_refused_by_name_and_nothing_changes(project: ConvexProject) -> None:
    for command in (("dev", "--once"), ("deploy",)):
        done = project.convex(*command, "--typecheck", "disable")
        assert done.status == 1, done.screen
        assert REFUSED in done.screen
        assert "Remove their `app.use(...)` from convex.config.ts" in done.screen
    functions = project.call("_system/cli/modules:apiSpec")
    assert not [each for each in functions if each.get("identifier", "").startswith("likes")]
    assert project.call("messages:count") == 0


VARIABLES = """
import { defineApp } from "convex/server";
import { v } from "convex/values";

export default defineApp({ env: { SECRET_OF_APP: v.string(), MAYBE: v.optional(v.string()) } });
"""


def test_variables_that_the_app_declares_must_be_set(
    typescript_server: ServerProcess, tmp_path: Path, npm_packages: Path
) -> None:
    project = ConvexProject(tmp_path, typescript_server)
    project.write("convex.config.ts", VARIABLES)
    done = project.convex("dev", "--once", "--typecheck", "disable")
    assert done.status == 1
    assert "Environment variable SECRET_OF_APP is declared as required in convex.config.ts" in done.screen
    assert "env set" in done.screen
    change = {"name": "SECRET_OF_APP", "value": "x"}
    project.post("/api/update_environment_variables", {"changes": [change]})
    project.push()
    types = (project.directory / "convex" / "_generated" / "server.d.ts").read_text()
    assert "SECRET_OF_APP" in types
    project.post("/api/update_environment_variables", {"changes": [{**change, "value": None}]})
