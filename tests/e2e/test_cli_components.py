"""Components and the official command line: typed, pushed and called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

APP = """
import { defineApp } from "convex/server";
import counter from "./counter/convex.config";
import published from "./published/convex.config.js";

const app = defineApp();
app.use(counter, { name: "likes" });
app.use(published);
export default app;
"""
COUNTER = """
import { defineComponent } from "convex/server";

export default defineComponent("counter");
"""
PUBLISHED = """
import { defineComponent } from "convex/server";

export default defineComponent("published");
"""
PUBLISHED_FUNCTIONS = """
import { queryGeneric } from "convex/server";

export const ready = queryGeneric({ args: {}, handler: async () => true });
"""
COUNTER_SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

const counts = defineTable({ name: v.string(), value: v.number() }).index("by_name", ["name"]);
export default defineSchema({ counts });
"""
COUNTER_FUNCTIONS = """
import { v } from "convex/values";
import { internalMutation, mutation, query } from "../_generated/server";

export const add = mutation({
  args: { name: v.string() },
  returns: v.number(),
  handler: async (ctx, args) => {
    await ctx.db.insert("counts", { ...args, value: 1 });
    return 1;
  },
});
export const counted = query({
  args: {},
  returns: v.number(),
  handler: async (ctx) => (await ctx.db.query("counts").collect()).length,
});
export const reset = internalMutation({ args: {}, handler: async () => null });
"""
CALLER = """
import { components } from "./_generated/api";
import { mutation, query } from "./_generated/server";

export const like = mutation({
  args: {},
  handler: async (ctx) => await ctx.runMutation(components.likes.public.count.add, { name: "all" }),
});
export const counted = query({
  args: {},
  handler: async (ctx) => await ctx.runQuery(components.likes.public.count.counted, {}),
});
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, npm_packages: Path) -> Iterator[ConvexProject]:
    """The messages project with a component of its own, which was never pushed, and a server of its own."""
    directory = tmp_path_factory.mktemp("components")
    server = ServerProcess(directory, "serve", "--port", "0", "--site-port", "0").start()
    project = ConvexProject(directory / "project", server)
    project.write("convex.config.ts", APP)
    project.write("counter/convex.config.ts", COUNTER)
    project.write("counter/schema.ts", COUNTER_SCHEMA)
    project.write("counter/public/count.ts", COUNTER_FUNCTIONS)
    project.write("published/convex.config.js", PUBLISHED)
    project.write("published/lib.js", PUBLISHED_FUNCTIONS)
    project.write("likes.ts", CALLER)
    yield project
    server.close()


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


def test_nothing_is_written_for_a_component_as_packages_have_it(project: ConvexProject) -> None:
    """Its definition is JavaScript: it was built elsewhere. Whoever uses it has its types all the same."""
    project.ok("codegen", "--typecheck", "disable")
    published = project.directory / "convex" / "published"
    assert sorted(path.name for path in published.rglob("*")) == ["convex.config.js", "lib.js"]
    assert "published" in (project.directory / "convex" / "_generated" / "api.d.ts").read_text()
    assert (project.directory / "convex" / "counter" / "_generated").is_dir()


OUTER = """
import { defineComponent } from "convex/server";
import { v } from "convex/values";
import needy from "../needy/convex.config";

const component = defineComponent("outer", { env: { OFFERED: v.optional(v.string()) } });
component.use(needy);
export default component;
"""
NEEDY = """
import { defineComponent } from "convex/server";
import { v } from "convex/values";

export default defineComponent("needy", { env: { NEEDED: v.string() } });
"""


def test_a_variable_that_a_parent_does_not_give_is_missed_by_a_push_alone(project: ConvexProject) -> None:
    """Whoever writes a component has its types before each variable of those inside it is given."""
    project.write("../outer/convex.config.ts", OUTER)
    project.write("../outer/lib.js", PUBLISHED_FUNCTIONS)
    project.write("../needy/convex.config.ts", NEEDY)
    project.write("../needy/lib.js", PUBLISHED_FUNCTIONS)
    project.ok("codegen", "--component-dir", "outer", "--typecheck", "disable")
    generated = project.directory / "outer" / "_generated"
    assert "needy" in (generated / "api.ts").read_text()
    assert "OFFERED" in (generated / "server.ts").read_text()
    project.write("convex.config.ts", APP.replace("./counter", "../outer").replace("counter", "outer"))
    try:
        done = project.convex("dev", "--once", "--typecheck", "disable")
        assert done.status == 1
        assert 'missing required env var "NEEDED"' in done.screen
        assert 'Component "likes/needy"' in done.screen
    finally:
        project.write("convex.config.ts", APP)


def test_a_component_has_tables_of_its_own_and_is_called_in_the_transaction(project: ConvexProject) -> None:
    project.push()
    before = project.call("likes:counted")
    assert project.call("likes:like") == 1
    assert project.call("likes:like") == 1
    assert project.call("likes:counted") == before + 2
    assert "counts" not in project.ok("data").screen


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
