"""Definitions of apps and components: exports, mounts, and what is refused."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from parabola.services.deploys.definitions import (
    EvaluatedDefinition,
    check_definitions,
    check_variables,
    mounted,
)
from parabola.values.analyzed_modules import AnalyzedFunction, AnalyzedModule, Visibility
from parabola.values.errors import BadRequest


def evaluated(*children: tuple[str, str], **more: Any) -> EvaluatedDefinition:
    used = [{"name": name, "path": path} for name, path in children]
    exports = {"type": "branch", "branch": []}
    common = {"definitionType": {"type": "app"}, "httpMounts": {}, "exports": exports}
    return EvaluatedDefinition({"childComponents": used, **common, **more})


def module(**functions: Literal["public", "internal"]) -> AnalyzedModule:
    return AnalyzedModule(
        functions=tuple(
            AnalyzedFunction(name=name, udf_type="Query", visibility=Visibility(kind=kind))
            for name, kind in functions.items()
        )
    )


def test_a_component_that_is_used_twice_is_mounted_twice() -> None:
    shared = module(add="public")
    counter = EvaluatedDefinition(evaluated().definition, {"lib.js": shared}).with_exports()
    app = mounted(
        {
            "": evaluated(("a", "outer"), ("b", "counter")),
            "outer": evaluated(("c", "counter")),
            "counter": counter,
        }
    )
    inner = app["childComponents"]["a"]["childComponents"]["c"]
    assert (inner["componentPath"], inner["definitionPath"]) == ("a/c", "counter")
    assert app["childComponents"]["b"]["componentPath"] == "b"
    leaf = inner["exports"]["lib"]["children"]["add"]
    path = {"component": "a/c", "udfPath": "lib.js:add"}
    assert leaf == {"type": "leaf", "resource": {"type": "function", "path": path}}
    assert app["exports"] == {}


def test_internal_functions_are_not_exported() -> None:
    both = module(open="public", hidden="internal")
    exports = EvaluatedDefinition({}, {"a/b.js": both}).with_exports().definition["exports"]
    leaf = {"type": "leaf", "leaf": "_reference/function/a/b.js:open"}
    assert exports == {
        "type": "branch",
        "branch": [
            ["a", {"type": "branch", "branch": [["b", {"type": "branch", "branch": [["open", leaf]]}]]}]
        ],
    }


def test_two_components_of_one_name_are_refused() -> None:
    definitions = {"": evaluated(("a", "one"), ("a", "two")), "one": evaluated(), "two": evaluated()}
    with pytest.raises(BadRequest, match="Two components are called a") as caught:
        mounted(definitions)
    assert caught.value.code == "TypecheckError"


@pytest.mark.parametrize(
    ("definitions", "code"),
    [
        ({"": EvaluatedDefinition({})}, "InvalidConvexConfig"),
        ({"": evaluated(("a", "nowhere"))}, "InvalidConvexConfig"),
        ({"": evaluated(("a", "one")), "one": evaluated(("b", "one"))}, "CyclicImport"),
    ],
)
def test_what_cannot_be_mounted_is_refused(definitions: dict[str, EvaluatedDefinition], code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_definitions(definitions)
    assert caught.value.code == code


def test_required_variables_must_be_set() -> None:
    variables = [["B", {}], ["A", {}], ["MAYBE", {"optional": True}]]
    app = {"": evaluated(envVars=variables)}
    check_variables(app, {"A": "1", "B": "2"})
    check_variables({}, {})
    with pytest.raises(BadRequest, match=r"are not set: A, B\. ") as caught:
        check_variables(app, {})
    assert caught.value.code == "MissingEnvironmentVariables"
