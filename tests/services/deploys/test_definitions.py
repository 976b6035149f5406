"""Definitions of apps and components: exports, mounts, and what is refused."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec
import pytest
from msgspec.structs import replace

from parabola.services.deploys.definitions import (
    EvaluatedDefinition,
    PushedDefinition,
    check_definitions,
    check_variables,
    mounted,
)
from parabola.values.analyzed_modules import AnalyzedFunction, AnalyzedModule, Visibility
from parabola.values.errors import BadRequest
from parabola.values.validators.builder import v


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
    with pytest.raises(
        BadRequest, match=r'Component "" has multiple child components with the same name: "a"\.'
    ) as caught:
        mounted(definitions)
    assert caught.value.code == "TypecheckError"


@pytest.mark.parametrize(
    ("definitions", "code"),
    [
        ({"": EvaluatedDefinition({})}, "InvalidDefinition"),
        ({"": evaluated(("a", "nowhere"))}, "TypecheckError"),
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


STRING = ["X", {"value": '{"type":"string"}'}]
OPTIONAL = ["X", {"value": '{"type":"string"}', "optional": True}]
LITERALS = [{"type": "literal", "value": "low"}, {"type": "literal", "value": "high"}]
LEVEL = ["X", {"value": json.dumps({"type": "union", "value": LITERALS})}]
NUMBER = ["X", {"value": '{"type":"number"}'}]


def used(name: str = "kit", env: list[Any] | None = None) -> dict[str, Any]:
    return {"name": name, "path": "kit", "args": [], "env": env or []}


@pytest.mark.parametrize(
    ("app", "kit", "binding", "code", "text"),
    [
        ([], [STRING], [], "TypecheckError", 'Component "kit" is missing required env var "X"'),
        ([], [], [["X", {"type": "value", "value": "a"}]], "TypecheckError", 'has no env var named "X"'),
        (
            [],
            [LEVEL],
            [["X", {"type": "value", "value": "a"}]],
            "TypecheckError",
            'invalid value for env var "X": "a" is not one of "high", "low"',
        ),
        (
            [],
            [STRING],
            [["X", {"type": "envVar", "name": "Y"}]],
            "TypecheckError",
            'env var "X" references undeclared parent env var Y',
        ),
        (
            [OPTIONAL],
            [STRING],
            [["X", {"type": "envVar", "name": "X"}]],
            "TypecheckError",
            'env var "X" is required, but parent env var X is optional',
        ),
        (
            [STRING],
            [LEVEL],
            [["X", {"type": "envVar", "name": "X"}]],
            "TypecheckError",
            'env var "X" validator is not satisfied by parent env var X validator',
        ),
        ([], [NUMBER], [], "InvalidEnvVarDeclaration", "Env var `X` on component kit has a non-string"),
        ([NUMBER], [], [], "InvalidEnvVarDeclaration", "Env var `X` on the app has a non-string"),
    ],
)
def test_variables_of_components_must_fit(
    app: list[Any], kit: list[Any], binding: list[Any], code: str, text: str
) -> None:
    definitions = {
        "": evaluated(childComponents=[used(env=binding)], envVars=app),
        "kit": evaluated(envVars=kit),
    }
    with pytest.raises(BadRequest) as caught:
        check_definitions(definitions)
    assert caught.value.code == code
    assert text in caught.value.message


def test_what_fits_is_taken_and_codegen_needs_no_variables() -> None:
    given = [["X", {"type": "envVar", "name": "X"}]]
    for app, kit in (([LEVEL], [LEVEL]), ([LEVEL], [STRING]), ([OPTIONAL], [OPTIONAL])):
        child = used(env=given)
        check_definitions(
            {"": evaluated(childComponents=[child], envVars=app), "kit": evaluated(envVars=kit)}
        )
    nothing_given = {"": evaluated(childComponents=[used()]), "kit": evaluated(envVars=[STRING])}
    check_definitions(nothing_given, for_codegen=True)


def test_a_mount_has_the_name_of_an_identifier() -> None:
    with pytest.raises(BadRequest, match="cannot be the name of a component") as caught:
        check_definitions({"": evaluated(childComponents=[used("a-b")]), "kit": evaluated()})
    assert caught.value.code == "InvalidDefinition"


def routed(*paths: str) -> AnalyzedModule:
    return msgspec.convert(
        {"functions": [], "httpRoutes": [{"route": {"path": path, "method": "GET"}} for path in paths]},
        AnalyzedModule,
    )


def test_prefixes_must_lead_somewhere_and_be_nobody_elses() -> None:
    mounted_at = {"/api/": "_reference/childComponent/kit"}
    app = evaluated(childComponents=[used()], httpMounts=mounted_at)
    with pytest.raises(BadRequest, match='Child component "kit" doesn\'t have any HTTP routes'):
        check_definitions({"": app, "kit": evaluated()})
    kit = EvaluatedDefinition(evaluated().definition, {"http.js": routed("/x")})
    check_definitions({"": app, "kit": kit})
    overlapping = EvaluatedDefinition(app.definition, {"http.js": routed("/api/*")})
    with pytest.raises(BadRequest, match="Overlap with existing prefix route"):
        check_definitions({"": overlapping, "kit": kit})
    wild = evaluated(childComponents=[used()], httpMounts={"/a*/": "_reference/childComponent/kit"})
    with pytest.raises(BadRequest, match="must begin and end") as caught:
        check_definitions({"": wild, "kit": kit})
    assert caught.value.code == "InvalidDefinition"


def test_a_function_with_the_name_of_a_folder_is_refused() -> None:
    component = EvaluatedDefinition(
        evaluated().definition, {"a.js": module(b="public"), "a/b.js": module(c="public")}
    )
    with pytest.raises(BadRequest, match="conflicts with existing export") as caught:
        component.with_exports()
    assert caught.value.code == "InvalidExport"


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        (PushedDefinition("/etc", declared={}), r"Component paths must be relative \(/etc is absolute\)"),
        (PushedDefinition("a//b", declared={}), "cannot be a component's path"),
        (PushedDefinition("a\nb", declared={}), "cannot be a component's path"),
        (PushedDefinition("é", declared={}), "cannot be a component's path"),
        (PushedDefinition("x" * 3000, declared={}), "cannot be a component's path"),
        (PushedDefinition("kit", declared={"childComponents": 3}), "What kit declares is no definition"),
        (PushedDefinition("", declared={}), "What the app declares is no definition"),
        (PushedDefinition("kit", offered="a-b"), "cannot be the name of a component that is offered"),
    ],
)
def test_what_a_push_cannot_define_is_refused_before_anything_is_run(
    definition: PushedDefinition, text: str
) -> None:
    with pytest.raises(BadRequest, match=text):
        definition.check()


def test_what_a_push_can_define_is_taken() -> None:
    declared = {"definitionType": {"type": "app"}, "childComponents": [{"path": "kit", "httpPrefix": "/k/"}]}
    for path in ("", "kit", "../node_modules/@some/kit dir/dist"):
        PushedDefinition(path, declared=declared, offered="kit").check()


def test_a_component_in_python_is_told_to_npx_as_one_of_typescript() -> None:
    python = EvaluatedDefinition(evaluated(("leaf", "leaf")).definition, {"lib.py": module(add="public")})
    kit = replace(python, path="../kit").with_exports()
    assert kit.for_typescript("../kit") is kit
    told = kit.for_typescript("_python_components/kit")
    assert told.definition["path"] == told.path == "_python_components/kit"
    assert told.definition["childComponents"] == []
    assert set(told.functions) == {"lib.js"}
    leaf = told.definition["exports"]["branch"][0][1]["branch"][0][1]
    assert leaf == {"type": "leaf", "leaf": "_reference/function/lib.js:add"}


def test_npx_is_told_of_handles_as_texts() -> None:
    handle = v.union(v.function("query", args={"a": v.string()}), v.null())
    args = v.object({"type": v.optional(handle), "more": v.array(v.record(v.string(), v.function()))})
    text = v.union(v.string(), v.null())
    told = v.object({"type": v.optional(text), "more": v.array(v.record(v.string(), v.string()))})
    function = AnalyzedFunction(
        name="add", udf_type="Query", args=json.dumps(args.to_json()), returns=json.dumps(handle.to_json())
    )
    kit = EvaluatedDefinition({}, {"lib.py": AnalyzedModule(functions=(function,))}, path="../kit")
    (said,) = kit.for_typescript("_python_components/kit").functions["lib.js"].functions
    assert json.loads(said.args or "") == told.to_json()
    assert json.loads(said.returns or "") == text.to_json()


def test_authors_are_told_of_missing_variables_in_their_own_words() -> None:
    app = evaluated(envVars=[["KEY", {"value": '{"type":"string"}', "optional": False}]])
    for language, words in (("python", "convex_config.py"), ("typescript", "convex.config.ts")):
        with pytest.raises(BadRequest, match=words):
            check_variables({"": app}, {}, language)  # type: ignore[arg-type]
    check_variables({"": app}, {"KEY": "x"}, "python")
