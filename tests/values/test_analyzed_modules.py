"""What modules define: read from hosts and from rows, and written as it is stored."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.values.analyzed_modules import (
    AnalyzedFunction,
    AnalyzedModule,
    CronSpec,
    Position,
    Reads,
    RoutePattern,
    Visibility,
    read_analyzed_module,
    read_modules_analysis,
)
from parabola.values.errors import BadRequest

FUNCTION = {
    "name": "list",
    "pos": {"path": "a.js", "start_lineno": 3, "start_col": 0},
    "udfType": "Query",
    "visibility": {"kind": "internal"},
    "args": '{"type":"any"}',
    "returns": None,
}
ROUTE = {"route": {"path": "/a/*", "method": "GET"}, "pos": None}
CRON = {
    "identifier": "nightly",
    "spec": {
        "udfPath": "a.js:f",
        "udfArgs": [91, 93],
        "cronSchedule": {"type": "daily", "hourUTC": 3, "minuteUTC": 0},
    },
}
MODULE = {"functions": [FUNCTION], "httpRoutes": [ROUTE], "cronSpecs": [CRON], "sourceMapped": None}
READS = {"imports": ["a.js"], "variables": ["*"], "isFixed": False}


def read(**module: Any) -> AnalyzedModule:
    return read_modules_analysis({"modules": {"a.js": {**MODULE, **module}}}).modules["a.js"]


def test_what_a_host_says_is_had_by_attributes() -> None:
    answer = read_modules_analysis(
        {"modules": {"a.js": MODULE}, "reads": {"a.js": READS}, "schema": {"tables": []}}
    )
    module = answer.modules["a.js"]
    assert module.functions == (
        AnalyzedFunction(
            name="list",
            pos=Position(path="a.js", start_lineno=3, start_col=0),
            udf_type="Query",
            visibility=Visibility(kind="internal"),
            args='{"type":"any"}',
            returns=None,
        ),
    )
    assert module.http_routes is not None
    assert module.http_routes[0].route == RoutePattern(path="/a/*", method="GET")
    assert module.cron_specs is not None
    assert module.cron_specs[0].identifier == "nightly"
    assert module.cron_specs[0].spec.arguments_text == "[]"
    assert answer.reads == {"a.js": Reads(imports=("a.js",), variables=("*",), is_fixed=False)}
    assert answer.schema == {"tables": []}
    assert orjson.loads(orjson.dumps(module.to_json())) == MODULE


def test_a_function_that_does_not_say_who_may_call_it_is_for_everybody() -> None:
    assert [read(functions=[{**FUNCTION, "visibility": None}]).functions[0].exposure] == ["public"]
    assert read().functions[0].exposure == "internal"


def test_what_a_later_host_adds_is_left_alone() -> None:
    assert read(more=1, functions=[{**FUNCTION, "more": {}}]) == read()


@pytest.mark.parametrize(
    ("module", "field"),
    [
        (None, "got `null`"),
        ([], "got `array`"),
        ({}, "`functions`"),
        ({"functions": None}, "`$.functions`"),
        ({"functions": [7]}, "`$.functions[0]`"),
        ({"functions": [FUNCTION, {**FUNCTION, "name": 7}]}, "`$.functions[1].name`"),
        ({"functions": [{**FUNCTION, "udfType": "Query2"}]}, "`$.functions[0].udfType`"),
        ({"functions": [{**FUNCTION, "visibility": {"kind": "secret"}}]}, "`$.functions[0].visibility.kind`"),
        ({"functions": [{**FUNCTION, "args": {"type": "any"}}]}, "`$.functions[0].args`"),
        (
            {"functions": [{**FUNCTION, "pos": {"path": "a", "start_lineno": "1"}}]},
            "`$.functions[0].pos.start_lineno`",
        ),
        ({**MODULE, "httpRoutes": [{"route": {"path": "/"}}]}, "`method` - at `$.httpRoutes[0].route`"),
        ({**MODULE, "ownLookup": "yes"}, "`$.ownLookup`"),
        (
            {**MODULE, "cronSpecs": [{**CRON, "spec": {**CRON["spec"], "udfArgs": [256]}}]},  # type: ignore[dict-item]
            "`$.cronSpecs[0].spec.udfArgs[0]`",
        ),
        ({**MODULE, "cronSpecs": [{**CRON, "spec": {}}]}, "`udfPath` - at `$.cronSpecs[0].spec`"),
    ],
)
def test_a_malformed_module_is_refused_by_its_name_and_field(module: Any, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_modules_analysis({"modules": {"fine.js": MODULE, "bad.js": module}})
    assert caught.value.code == "InvalidModules"
    assert caught.value.message.startswith("Failed to analyze bad.js: ")
    assert field in caught.value.message


@pytest.mark.parametrize(
    "result",
    [
        None,
        [],
        {},
        {"modules": []},
        {"modules": {}, "schema": []},
        {"modules": {}, "reads": {"a.js": {**READS, "isFixed": 1}}},
    ],
)
def test_a_malformed_answer_is_refused(result: Any) -> None:
    with pytest.raises(BadRequest, match=r"Failed to analyze (the modules|a\.js): "):
        read_modules_analysis(result)


def test_arguments_that_are_no_text_are_refused() -> None:
    spec = CronSpec(udf_path="a.js:f", udf_args=(255,), cron_schedule={})
    with pytest.raises(BadRequest, match=r"calls a\.js:f are not UTF-8"):
        _ = spec.arguments_text


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with these fields in this order."""
    return st.tuples(*fields.values()).map(lambda values: dict(zip(fields, values, strict=True)))


texts = st.text(max_size=8)
counts = st.integers(0, 2**53)
positions = st.none() | objects(path=texts, start_lineno=counts, start_col=counts)
functions = objects(
    name=texts,
    pos=positions,
    udfType=st.sampled_from(["Query", "Mutation", "Action"]),
    visibility=st.none() | objects(kind=st.sampled_from(["public", "internal"])),
    args=st.none() | texts,
    returns=st.none() | texts,
)
routes = objects(route=objects(path=texts, method=texts), pos=positions)
schedules = st.dictionaries(texts, texts | counts | st.floats(allow_nan=False, allow_infinity=False))
crons = objects(
    identifier=texts,
    spec=objects(udfPath=texts, udfArgs=st.binary(max_size=4).map(list), cronSchedule=schedules),
)


@st.composite
def modules(draw: st.DrawFn) -> dict[str, Any]:
    """A module as both hosts write it: the fields in their order, the rare ones only where they are true."""
    module: dict[str, Any] = {"functions": draw(st.lists(functions, max_size=3))}
    module["httpRoutes"] = draw(st.none() | st.lists(routes, max_size=2))
    if draw(st.booleans()):
        module["ownLookup"] = True
    module["cronSpecs"] = draw(st.none() | st.lists(crons, max_size=2))
    module["sourceMapped"] = None
    if draw(st.booleans()):
        module["reuseContext"] = True
    return module


@given(modules())
def test_the_stored_text_is_byte_for_byte_what_earlier_versions_stored(module: dict[str, Any]) -> None:
    text = orjson.dumps(module).decode()
    assert read_modules_analysis({"modules": {"m": module}}).modules["m"].to_text() == text
    assert read_analyzed_module(text).to_text() == text
