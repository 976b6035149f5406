"""Declaring functions."""

import inspect

import pytest

from parabola import (
    Id,
    MutationCtx,
    QueryCtx,
    action,
    api,
    env,
    internal,
    internal_action,
    internal_mutation,
    internal_query,
    mutation,
    query,
    v,
)
from parabola.authoring.functions import Function, InvalidFunction
from parabola.authoring.references import function_address, function_name
from parabola.values.errors import BadRequest, UnmappableHint


@query(args={"limit": v.optional(v.number())}, returns=v.array(v.string()))
async def explicit(ctx: QueryCtx, limit: float | None = None):
    """Says something."""
    return [str(limit)]


@mutation
def hinted(ctx: MutationCtx, text: str, tags: list[str], n: int = 0) -> Id["tasks"]:
    return text


def test_kinds_and_visibility() -> None:
    decorators = (query, mutation, action, internal_query, internal_mutation, internal_action)
    declared = [decorator(lambda ctx: None) for decorator in decorators]
    assert [(function.kind, function.visibility) for function in declared] == [
        (kind, visibility)
        for visibility in ("public", "internal")
        for kind in ("query", "mutation", "action")
    ]
    assert repr(internal_query) == "<decorator internal_query>"


def test_validators_are_declared_or_come_from_hints() -> None:
    assert str(explicit.args) == "v.object({limit: v.optional(v.float64())})"
    assert str(explicit.returns) == "v.array(v.string())"
    assert str(hinted.args) == (
        "v.object({n: v.optional(v.float64()), tags: v.array(v.string()), text: v.string()})"
    ) or set(hinted.args.fields) == {"text", "tags", "n"}
    assert str(hinted.returns) == 'v.id("tasks")'
    assert query(args=v.any())(lambda ctx, **all: None).args == v.any()
    assert query(args=v.object({"a": v.null()}))(lambda ctx, a: None).args == v.object({"a": v.null()})
    assert mutation(returns=v.null())(lambda ctx, x: None).args == v.object({"x": v.any()})


async def test_a_function_stays_callable_and_keeps_its_looks() -> None:
    assert await explicit(None, limit=3) == ["3"]
    assert hinted(None, "a", []) == "a"
    assert explicit.__doc__ == "Says something."
    assert explicit.__name__ == "explicit"
    assert list(inspect.signature(hinted).parameters) == ["ctx", "text", "tags", "n"]
    assert explicit.is_async
    assert not hinted.is_async


def test_hints_are_resolved_late_and_refused_with_their_place() -> None:
    @query
    async def late(ctx: QueryCtx, when: "object.missing"):  # type: ignore[name-defined]
        pass

    with pytest.raises(UnmappableHint) as caught:
        _ = late.args
    assert caught.value.line is not None


def test_declarations_that_make_no_sense() -> None:
    with pytest.raises(TypeError, match="`@query` decorates a function"):
        query(3)  # type: ignore[call-overload]
    with pytest.raises(InvalidFunction, match="needs a first parameter for its context"):
        query(lambda: None)
    with pytest.raises(InvalidFunction, match="Args validator must be an object or any") as caught:
        _ = query(args=v.string())(lambda ctx: None).args
    assert caught.value.file == __file__


def test_references() -> None:
    assert function_address(api.tasks.list) == {"name": "tasks:list"}
    assert function_address(internal.admin.users.ban) == {"name": "admin/users:ban"}
    assert function_address(api["odd-name"]["fn"]) == {"name": "odd-name:fn"}
    assert function_address(api.tasks.default) == {"name": "tasks"}
    assert function_address("tasks:list") == function_address("tasks:list")
    assert function_address("tasks:default") == {"name": "tasks"}
    assert function_name(explicit).endswith("test_functions:explicit")
    assert repr(api.tasks.list) == "api.tasks.list"
    assert api.tasks.list == api.tasks.list
    assert len({api.tasks.list, api.tasks.list, api.tasks.other}) == 2
    with pytest.raises(BadRequest, match=r"of the form `api.moduleName.functionName`. Found: `api.foo`"):
        function_address(api.foo)
    with pytest.raises(BadRequest, match="3 is not a functionReference"):
        function_address(3)
    with pytest.raises(BadRequest, match="Expected a function of this app"):
        function_name("function://abc")


def test_a_function_imported_from_a_convex_folder_is_named_after_its_module() -> None:
    def handler(ctx): ...

    handler.__module__ = "convex.admin.users"
    assert Function(handler, "query", "public").reference_name == "admin/users:handler"


def test_outside_of_functions_env_is_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARABOLA_TEST", "1")
    assert env["PARABOLA_TEST"] == "1"
    assert env.get("PARABOLA_ABSENT") is None
    assert "PARABOLA_TEST" in list(env)
    assert len(env) > 0
