"""What the pushes of two languages come to: neither takes away what the other has defined."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from parabola.functions.deployed.deployment import Deployment
from parabola.functions.deployed.runtimes import Language
from parabola.services.deploys.combined_definitions import (
    brought_code,
    combined_definitions,
    declared_by,
    kept_definitions,
    named_children,
)
from parabola.services.deploys.component_tree import component_tree
from parabola.services.deploys.definitions import EvaluatedDefinition, check_definitions
from parabola.values.errors import BadRequest

Definitions = dict[str, EvaluatedDefinition]


def app(*children: tuple[str, str], **more: Any) -> EvaluatedDefinition:
    return EvaluatedDefinition(
        {
            "definitionType": {"type": "app"},
            "childComponents": [
                {"name": name, "path": path, "args": [], "env": []} for name, path in children
            ],
            "httpMounts": {},
            "exports": {"type": "branch", "branch": []},
            **more,
        }
    )


def component(path: str, *children: tuple[str, str], offered: str | None = None) -> EvaluatedDefinition:
    definition = app(*children, definitionType={"type": "childComponent", "name": path, "args": []})
    return replace(definition, path=path, offered=offered)


def pushed(base: Deployment, language: Language, definitions: Definitions) -> Deployment:
    """The deployment after a push, as the deploy service makes it."""
    combined = combined_definitions(kept_definitions(base, language), definitions, {})
    check_definitions(combined)
    deployment = component_tree(base, combined, 0.0).put_into(base)
    return replace(
        deployment, declared=declared_by(base, language, definitions), brought=brought_code(combined)
    )


def mounted(deployment: Deployment) -> set[str]:
    return {each.path for each in deployment.components.values() if each.state == "active"}


NAMES: dict[Language, list[str]] = {"python": ["p", "q"], "typescript": ["s", "t"]}
PUSHES = st.lists(
    st.sampled_from(["python", "typescript"]).flatmap(
        lambda language: st.tuples(
            st.just(language), st.sets(st.sampled_from(NAMES[language])), st.booleans()
        )
    ),
    max_size=6,
)


@given(PUSHES)
def test_each_language_decides_about_its_own_mounts_alone(
    pushes: list[tuple[Language, set[str], bool]],
) -> None:
    deployment, newest = Deployment(), {"python": set[str](), "typescript": set[str]()}
    ids: dict[str, str] = {}
    for language, names, has_inner in pushes:
        inner = [("inner", "leaf")] if has_inner else []
        definitions = {"": app(*((name, "kit") for name in names)), "kit": component("kit", *inner)}
        if has_inner:
            definitions["leaf"] = component("leaf")
        deployment = pushed(deployment, language, definitions)
        newest[language] = names
        # Both mount the folder `kit`, of which the newest push has the newest code.
        wanted = newest["python"] | newest["typescript"]
        inside = {f"{name}/inner" for name in wanted} if has_inner else set()
        assert mounted(deployment) == wanted | inside
        for id, each in deployment.components.items():
            assert ids.setdefault(each.path, id) == id


def test_offered_components_stand_where_typescript_has_put_them() -> None:
    kit = {"": app(), "kit": component("kit", ("leaf", "leaf"), offered="shown"), "leaf": component("leaf")}
    shim = {
        "": app(("one", "_python_components/shown")),
        "_python_components/shown": component("_python_components/shown"),
    }
    with pytest.raises(BadRequest, match="uses the Python component shown"):
        pushed(Deployment(), "typescript", shim)
    deployment = pushed(pushed(Deployment(), "python", kit), "typescript", shim)
    assert mounted(deployment) == {"one", "one/leaf"}
    one = deployment.component_at("one")
    assert one is not None
    assert one.definition.path == "kit"
    # The next push of Python goes on with it, and one that takes it away is refused.
    assert mounted(pushed(deployment, "python", kit)) == {"one", "one/leaf"}
    with pytest.raises(BadRequest, match="does not offer"):
        pushed(deployment, "python", {"": app()})
    misspelled = {"": app(), "kit": component("kit", offered="showm")}
    with pytest.raises(BadRequest, match="Did you mean `showm`"):
        pushed(deployment, "python", misspelled)


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        ({"httpPrefix": "/a/"}, {"httpPrefix": "/b/"}, "two prefixes"),
        (
            {"envVars": [["X", {"type": "value", "value": '{"type":"string"}'}]]},
            {"envVars": [["X", {"type": "value", "value": '{"type":"literal","value":"x"}'}]]},
            "declare the variable X in two ways",
        ),
        (
            {"httpMounts": {"/m/": "_reference/childComponent/one"}},
            {"httpMounts": {"/m/": "_reference/childComponent/two"}},
            "mount a component at /m/",
        ),
    ],
)
def test_what_contradicts_each_other_is_refused(
    one: dict[str, Any], other: dict[str, Any], text: str
) -> None:
    with pytest.raises(BadRequest, match=text):
        combined_definitions({"": app(**one)}, {"": app(**other)}, {})


def test_two_mounts_of_one_name_are_refused_whichever_file_they_are_in() -> None:
    deployment = pushed(Deployment(), "python", {"": app(("kit", "kit")), "kit": component("kit")})
    with pytest.raises(BadRequest, match='multiple child components with the same name: "kit"'):
        pushed(deployment, "typescript", {"": app(("kit", "other")), "other": component("other")})


def test_a_variable_is_required_where_one_of_both_requires_it() -> None:
    def declared(optional: bool) -> EvaluatedDefinition:
        variable = {"type": "value", "value": '{"type":"string"}', "optional": optional}
        return app(envVars=[["X", variable]], httpPrefix="/a/")

    for one, other, both in ((True, True, True), (True, False, False), (False, False, False)):
        combined = combined_definitions({"": declared(one)}, {"": declared(other)}, {})[""]
        assert combined.definition["envVars"][0][1]["optional"] is both
        assert combined.definition["httpPrefix"] == "/a/"


def test_a_child_without_a_name_has_that_of_its_component() -> None:
    def python_app(*children: dict[str, Any]) -> EvaluatedDefinition:
        return EvaluatedDefinition({"definitionType": {"type": "app"}, "childComponents": list(children)})

    kit = component("kit")
    unnamed = EvaluatedDefinition({}, path="../node_modules/some/dist")
    children = (
        {"name": None, "path": "kit", "httpPrefix": "/k/"},
        {"name": "own", "path": "kit"},
        {"name": None, "path": unnamed.path},
    )
    definitions = {"": python_app(*children), "kit": kit, unnamed.path: unnamed}
    named = named_children(definitions, {""})
    assert [each["name"] for each in named[""].definition["childComponents"]] == ["kit", "own", "dist"]
    assert named[""].definition["httpMounts"] == {"/k/": "_reference/childComponent/kit"}
    assert named["kit"] is kit
