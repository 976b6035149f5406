"""Components in TypeScript in an app in Python: bundled from folders and packages, followed, and called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from node_packages import PACKAGES
from parabola.npm_components import NpmComponent, bundle_components
from parabola.project import Project, ProjectError
from parabola.project_components import FollowedComponents, collect_components
from parabola.testing import FunctionFailed, open_backend
from parabola.values.errors import BadRequest

pytestmark = pytest.mark.skipif(
    not (PACKAGES / "convex").is_dir(), reason="the npm packages of the tests are not installed"
)

FILES = {
    "convex/convex_config.py": (
        "from parabola import define_app\n\napp = define_app()\n"
        'app.use("../components/counter", env={"STEP": "2"})\n'
    ),
    "convex/app.py": (
        "from parabola import MutationCtx, components, mutation\n\n\n"
        "@mutation\nasync def count(ctx: MutationCtx) -> float:\n"
        "    return await ctx.run_mutation(components.counter.lib.add, {})\n\n\n"
        "@mutation\nasync def fail(ctx: MutationCtx) -> None:\n"
        "    await ctx.run_mutation(components.counter.lib.fail, {})\n"
    ),
    "components/counter/convex.config.ts": (
        'import { defineComponent } from "convex/server";\nimport { v } from "convex/values";\n'
        'import leaf from "../leaf/convex.config";\n'
        'const counter = defineComponent("counter", { env: { STEP: v.string() } });\n'
        "counter.use(leaf);\nexport default counter;\n"
    ),
    "components/counter/schema.ts": (
        'import { defineSchema, defineTable } from "convex/server";\nimport { v } from "convex/values";\n'
        "export default defineSchema({ counts: defineTable({ by: v.number() }) });\n"
    ),
    "components/counter/lib.ts": (
        'import { mutationGeneric as mutation } from "convex/server";\n'
        'import { ConvexError } from "convex/values";\nimport { sum } from "./sums";\n'
        "export const add = mutation({ args: {}, handler: async (ctx) => {\n"
        '  await ctx.db.insert("counts", { by: Number(process.env.STEP) });\n'
        '  return sum(await ctx.db.query("counts").collect());\n} });\n'
        "export const fail = mutation({ args: {}, handler: async () => {\n"
        '  throw new Error("not today");\n} });\n'
    ),
    "components/counter/sums.ts": (
        "export const sum = (rows: { by: number }[]) => rows.reduce((all, row) => all + row.by, 0);\n"
    ),
    "components/counter/lib.test.ts": "export const no = (;\n",
    "components/leaf/convex.config.js": (
        'import { defineComponent } from "convex/server";\nexport default defineComponent("leaf");\n'
    ),
}
COUNTER = "../components/counter"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    return tmp_path


def bundled(root: Path, specifier: str = COUNTER) -> list[str]:
    component = NpmComponent(specifier, str(root / "convex"))
    return [each.path for each in bundle_components(root / "convex", [component]).definitions]


async def test_a_folder_in_typescript_is_a_component_of_an_app_in_python(root: Path) -> None:
    async with open_backend(root / "convex") as backend:
        assert [await backend.mutation("app:count") for _ in range(2)] == [2.0, 4.0]
        assert [each["by"] for each in await backend.documents("counts", component="counter")] == [2.0, 2.0]
        with pytest.raises(FunctionFailed, match="not today"):
            await backend.mutation("app:fail")
        with pytest.raises(BadRequest, match="There are: counter, counter/leaf"):
            await backend.documents("counts", component="leaf")


def test_a_definition_comes_with_those_that_it_uses_and_without_tests(root: Path) -> None:
    found = bundle_components(root / "convex", [NpmComponent(COUNTER, str(root / "convex"))])
    counter, leaf = found.definitions
    assert (counter.path, leaf.path) == (COUNTER, "../components/leaf")
    assert {each.path for each in counter.modules if not each.path.startswith("_deps/")} == {
        "lib.js",
        "sums.js",
        "schema.js",
    }
    assert all(each.source_map is not None for each in counter.modules)
    assert root / "components" / "counter" / "sums.ts" in found.files


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        (
            "components/counter/lib.ts",
            '"use node";\nexport const x = 1;\n',
            r'"use node" directive is not supported in components. Remove it from the component at: '
            r"\.\./components/counter\.",
        ),
        (
            "components/counter/lib.ts",
            "export const x = (;\n",
            r"cannot be bundled:\n  .*components/counter/lib.ts:1: ",
        ),
        (
            "components/counter/lib.ts",
            'import fs from "node:fs";\nexport default fs;\n',
            r"cannot be bundled:\n  .*lib.ts:1: Could not resolve \"node:fs\"",
        ),
    ],
)
def test_what_cannot_be_bundled_says_why(root: Path, path: str, text: str, complaint: str) -> None:
    (root / path).write_text(text)
    with pytest.raises(ProjectError, match=complaint):
        bundled(root)


def test_a_package_that_is_no_component_is_named(root: Path) -> None:
    with pytest.raises(ProjectError, match="The npm package hono is no component"):
        bundled(root, "hono")


def test_who_has_not_installed_esbuild_is_told_how(root: Path) -> None:
    (root / "node_modules").unlink()
    with pytest.raises(ProjectError, match="Install it: npm install convex"):
        bundled(root)


def test_what_is_followed_is_bundled_and_read_anew_when_it_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(functions: Path, components: list[NpmComponent]) -> object:
        asked.append(len(components))
        return bundle_components(functions, components)

    monkeypatch.setattr("parabola.project_components.bundle_components", counted)
    followed = FollowedComponents(Project.at(root))
    first = followed.find()
    assert followed.find() == first
    assert asked == [1]
    (root / "components/counter/sums.ts").write_text("export const sum = () => 7;\n")
    assert followed.find() != first
    assert asked == [1, 1]
    config = root / "convex" / "convex_config.py"
    config.write_text("from parabola import define_app\n\napp = define_app()\n1 / 0\n")
    for _ in range(2):
        with pytest.raises(ProjectError, match=r"convex_config\.py:4: ZeroDivisionError"):
            followed.find()
    config.write_text("from parabola import define_app\n\napp = define_app()\n")
    assert [each.path for each in followed.find().definitions] == [""]
    config.unlink()
    assert followed.find().definitions == ()


def test_what_could_not_be_bundled_is_tried_again_after_a_while(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = FollowedComponents(Project.at(root))
    (root / "node_modules").unlink()
    monkeypatch.setattr("parabola.project_components.RETRY_SECONDS", 3600.0)
    for _ in range(2):
        with pytest.raises(ProjectError, match="npm install convex"):
            followed.find()
    (root / "node_modules").symlink_to(PACKAGES)
    with pytest.raises(ProjectError, match="npm install convex"):
        followed.find()
    monkeypatch.setattr("parabola.project_components.RETRY_SECONDS", 0.0)
    assert len(followed.find().definitions) == 3


def test_a_push_carries_what_was_collected_as_json(root: Path) -> None:
    collected = collect_components(Project.at(root))
    app, counter, leaf = (each.to_json() for each in collected.definitions)
    assert app["declared"]["childComponents"] == [
        {"name": None, "env": [["STEP", {"type": "value", "value": "2"}]], "path": COUNTER}
    ]
    assert counter["config"]["path"] == leaf["config"]["path"] == "convex.config.js"
    assert json.loads(json.dumps([app, counter, leaf])) == [app, counter, leaf]
