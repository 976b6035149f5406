"""From definitions to components: ids stay with paths, whatever is pushed in between."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from parabola.functions.deployed.components import Component, Variable
from parabola.functions.deployed.deployment import Deployment
from parabola.services.deploys.component_tree import ComponentTree, component_tree
from parabola.services.deploys.definitions import EvaluatedDefinition


def definition(*children: dict[str, Any], mounts: dict[str, str] | None = None) -> EvaluatedDefinition:
    return EvaluatedDefinition(
        {
            "definitionType": {"type": "app"},
            "childComponents": [{"args": [], "env": [], **child} for child in children],
            "httpMounts": {
                prefix: f"_reference/childComponent/{name}" for prefix, name in (mounts or {}).items()
            },
            "exports": {"type": "branch", "branch": []},
        }
    )


def tree_of(base: Deployment, evaluated: dict[str, EvaluatedDefinition]) -> ComponentTree:
    placed = {path: replace(each, path=path) for path, each in evaluated.items()}
    return component_tree(base, placed, 0.0)


def by_path(tree: ComponentTree) -> dict[str, Component]:
    return {component.path: component for component in tree.components.values()}


def test_a_variable_is_a_text_or_one_of_the_app_however_deep() -> None:
    evaluated = {
        "": definition(
            {
                "name": "a",
                "path": "kit",
                "env": [
                    ["FIXED", {"type": "value", "value": "x"}],
                    ["OURS", {"type": "envVar", "name": "APP"}],
                ],
            }
        ),
        "kit": definition(
            {
                "name": "b",
                "path": "leaf",
                "env": [
                    ["ONE", {"type": "envVar", "name": "FIXED"}],
                    ["TWO", {"type": "envVar", "name": "OURS"}],
                    ["THREE", {"type": "envVar", "name": "NOT_GIVEN"}],
                ],
            }
        ),
        "leaf": definition(),
    }
    leaf = by_path(tree_of(Deployment(), evaluated))["a/b"]
    assert leaf.env == {"ONE": Variable(value="x"), "TWO": Variable(name="APP")}
    addresses = {"cloudUrl": "http://api", "siteUrl": "http://site"}
    assert leaf.variables({"APP": "y", "ONE": "of the app"}, addresses) == {
        "CONVEX_CLOUD_URL": "http://api",
        "CONVEX_SITE_URL": "http://site",
        "ONE": "x",
        "TWO": "y",
    }
    assert leaf.app_variables("TWO") == ["APP"]
    assert leaf.app_variables("ONE") == leaf.app_variables("APP") == []
    assert leaf.app_variables("*") == ["APP"]


def test_prefixes_add_up_and_what_is_below_no_prefix_has_none() -> None:
    evaluated = {
        "": definition({"name": "a", "path": "kit"}, {"name": "b", "path": "kit"}, mounts={"/api/": "a"}),
        "kit": definition({"name": "in", "path": "leaf"}, mounts={"/deep/": "in"}),
        "leaf": definition(),
    }
    found = {path: each.http_prefix for path, each in by_path(tree_of(Deployment(), evaluated)).items()}
    assert found == {"a": "/api/", "a/in": "/api/deep/", "b": None, "b/in": None}


NAMES = st.lists(st.sampled_from("abc"), unique=True, max_size=3)


@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=5))
def test_a_path_keeps_its_component_for_life(pushes: list[tuple[list[str], list[str]]]) -> None:
    deployment = Deployment()
    ids: dict[str, str] = {}
    for above, below in pushes:
        evaluated = {
            "": definition(*({"name": name, "path": "kit"} for name in above)),
            "kit": definition(*({"name": name, "path": "leaf"} for name in below)),
            "leaf": definition(),
        }
        before = {component.path: component.state for component in deployment.components.values()}
        tree = tree_of(deployment, evaluated)
        mounted = {*above, *(f"{one}/{two}" for one in above for two in below)}
        for path, component in by_path(tree).items():
            assert ids.setdefault(path, component.id) == component.id
            assert component.state == ("active" if path in mounted else "unmounted")
            expected = (
                {None: "create", "active": "modify", "unmounted": "remount"}[before.get(path)]
                if path in mounted
                else {"active": "unmount", "unmounted": None}[before[path]]
            )
            assert tree.differences.get(path) == expected
        assert {each.path for each in tree.in_order()} == mounted
        created = [each.path for each in tree.created]
        assert set(created) == mounted - before.keys()
        assert created == sorted(created, key=lambda path: path.count("/")), "parents come first"
        deployment = replace(tree.put_into(deployment), id="d")
        assert set(deployment.children) == set(above)
        for one in above:
            component = deployment.component_at(one)
            assert component is not None
            assert set(component.children) == set(below)
