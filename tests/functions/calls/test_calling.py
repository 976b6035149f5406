"""What is checked before and after a function runs (semantics §4.2, §4.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from functions.engine import ScriptedRun, ScriptedWorld, running
from parabola.functions.calls.arguments import EncodedArguments, decode_arguments
from parabola.functions.calls.calling import resolve
from parabola.functions.calls.refusals import CallRefused
from parabola.functions.calls.return_values import check_result
from parabola.functions.deployed.definition import Definition
from parabola.functions.deployed.deployment import Deployment, FunctionSpec, Module
from parabola.functions.deployed.function_path import FunctionPath, parse_path
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.values.encoding import encode, loads
from parabola.values.int64 import Int64
from parabola.values.limits import MAX_ARGUMENTS_SIZE
from parabola.values.sizes import EXACT_SIZES_FROM, size_of
from parabola.values.validators.builder import Validator, v


class NoTables:
    def table_name(self, number: int) -> None:
        return None


def spec(
    kind: str = "query", visibility: str = "public", returns: Validator[Any] | None = None
) -> FunctionSpec:
    name = FunctionPath("m", "f")
    return FunctionSpec("m.js:f", name, kind, visibility, "isolate", returns=returns)  # type: ignore[arg-type]


def text_of(call: Any) -> str:
    with pytest.raises(CallRefused) as caught:
        call()
    assert caught.value.failure.frames == ()
    return caught.value.failure.message


def deployed(*specs: FunctionSpec) -> Deployment:
    return Deployment({}, {spec.name.canonical: spec for spec in specs})


def test_internal_functions_do_not_exist_for_clients() -> None:
    deployment = deployed(spec(visibility="internal"))
    missing = text_of(lambda: resolve(deployment.app, parse_path("m:g"), "query", public_only=True))
    internal = text_of(lambda: resolve(deployment.app, parse_path("m:f"), "query", public_only=True))
    assert internal == "Could not find public function for 'm:f'."
    assert missing.replace(":g", ":f") == internal
    assert resolve(deployment.app, parse_path("m:f"), "query", public_only=False).visibility == "internal"


def test_the_wrong_kind_is_named() -> None:
    deployment = deployed(spec("mutation"))
    assert text_of(lambda: resolve(deployment.app, parse_path("m:f"), "query", public_only=True)) == (
        "Trying to execute m.js:f as Query, but it is defined as Mutation."
    )


def test_a_name_that_was_typed_gets_advice() -> None:
    text = text_of(lambda: resolve(deployed().app, parse_path("m:f"), None, public_only=True, untyped=True))
    assert text == "Could not find function for 'm:f'. Did you forget to run `npx convex dev`?"


def test_administrators_alone_hear_which_functions_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = Deployment.of([Module("m.py", "python", "")])
    deployment = replace(deployment, functions=deployed(spec(visibility="internal")).functions)

    def text(identity: Identity, kind: str | None = None) -> str:
        public_only = not identity.is_admin
        return text_of(
            lambda: resolve(
                deployment.app,
                parse_path("m:ff"),
                kind,
                public_only=public_only,
                untyped=kind is None,
                identity=identity,
            )
        )

    assert text(Identity.admin()) == "Could not find function for 'm:ff'. Did you mean `m:f`?"
    monkeypatch.setattr(Definition, "near", None)  # nothing is searched for anybody else
    for identity in (NO_IDENTITY, Identity.user({"subject": "ann"})):
        assert text(identity) == "Could not find function for 'm:ff'. Did you forget to run `npx convex dev`?"
        for kind in ("query", "mutation", "action"):
            assert text(identity, kind) == "Could not find public function for 'm:ff'."


def test_system_functions_are_for_administrators() -> None:
    name = parse_path("_system/cli/nothing")
    for identity, text in (
        (NO_IDENTITY, "You do not have permission to perform this operation."),
        (Identity.admin(), "Could not find public function for '_system/cli/nothing'."),
    ):
        assert (
            text_of(
                lambda identity=identity: resolve(
                    deployed().app, name, "query", public_only=False, identity=identity
                )
            )
            == text
        )


@pytest.mark.parametrize("args", [{"a": 1}, [{"a": 1}]])
def test_arguments_are_one_object_bare_or_in_a_list(args: Any) -> None:
    arguments = decode_arguments(args, "m.js:f")
    assert arguments.value == {"a": 1.0}
    assert arguments.json == b'{"a":1.0}'


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (
            [{}, {}],
            "ArgumentValidationError: Expected to receive a single object as the function's argument. "
            "Instead received 2 arguments: [{}, {}]",
        ),
        (
            [],
            "ArgumentValidationError: Expected to receive a single object as the function's argument. "
            "Instead received 0 arguments: []",
        ),
        (
            [3],
            "ArgumentValidationError: Expected to receive an object as the function's argument. "
            "Instead received: 3.0",
        ),
        ([{"a": {"$integer": "x"}}], "Invalid arguments for m.js:f: "),
    ],
)
def test_what_is_no_object_is_refused(args: Any, text: str) -> None:
    assert text_of(lambda: decode_arguments(args, "m.js:f")).startswith(text)


def test_too_large_arguments_are_refused_with_their_size() -> None:
    chunk = "x" * 1_000_000
    args = {f"k{i}": chunk for i in range(17)}
    assert text_of(lambda: decode_arguments(args, "m.js:f")) == (
        "Arguments for m.js:f are too large (actual: 16.21 MiB, limit: 16 MiB)"
    )


def test_too_large_results_are_refused_with_their_size() -> None:
    value = ["x" * 1_000_000] * 17
    text = text_of(lambda: check_result(spec(), value, NoTables()))
    assert text.startswith("Function m.js:f return value is too large (actual: 16.21 MiB, limit: 16 MiB)")


def test_results_are_validated_and_written_canonically() -> None:
    assert check_result(spec(), {"b": 1, "a": {"$integer": "AQAAAAAAAAA="}}, NoTables())[0] == (
        b'{"a":{"$integer":"AQAAAAAAAAA="},"b":1.0}'
    )
    assert text_of(lambda: check_result(spec(returns=v.string()), 3, NoTables())).startswith(
        "ReturnsValidationError: Value does not match validator."
    )
    assert text_of(lambda: check_result(spec(), {"$bad": 1}, NoTables())).startswith(
        "Function m.js:f return value invalid: "
    )
    assert check_result(spec(), None, NoTables()) == (b"null", 1)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text()
    | st.binary()
    | st.integers(-(2**63), 2**63 - 1).map(Int64),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text("abcxyz", min_size=1), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_a_size_is_never_understated(value: Any) -> None:
    json, size = check_result(spec(), encode(value), NoTables())
    assert size >= size_of(value)
    assert encode(loads(json)) == encode(value) or value != value  # NaN anywhere compares unequal


def test_sizes_are_exact_where_limits_are_near() -> None:
    value = ["x" * (EXACT_SIZES_FROM // 2), 1.0]
    assert check_result(spec(), value, NoTables())[1] == size_of(value)
    assert MAX_ARGUMENTS_SIZE > EXACT_SIZES_FROM


async def test_usages_near_their_limits_are_warned_of(tmp_path: Path) -> None:
    world = ScriptedWorld()

    @world.query("m:large")
    async def large(run: ScriptedRun, args: dict) -> list:
        run.usage["userMs"] = 900.0
        return ["x" * 1_000_000] * 14

    async with running(tmp_path, world) as engine:
        lines = (await engine.query("m:large")).log_lines
        assert [(line.level, line.code) for line in lines] == [
            ("WARN", "warning:TooLargeFunctionResult"),
            ("WARN", "warning:UserTimeout"),
        ]
        assert lines[0].messages == (
            "Large size of the function return value (actual: 14000030 bytes, limit: 16777216 bytes).",
        )
        assert lines[1].messages[0].startswith("Function execution took a long time. (maximum duration: 1s, ")


def test_arguments_that_came_as_text_are_read_once_and_by_who_needs_them() -> None:
    arguments = EncodedArguments.of_text(b'[{"a": 1, "b": {"$integer": "BQAAAAAAAAA="}}]')
    assert arguments.decode("m.js:f") is arguments.decode("m.js:f")
    assert arguments.decode("m.js:f").value == {"a": 1.0, "b": Int64(5)}
    assert arguments.text == b'[{"a": 1, "b": {"$integer": "BQAAAAAAAAA="}}]', "it is kept as it came"


def test_a_number_that_is_none_is_the_failure_of_its_call() -> None:
    arguments = EncodedArguments.of_text(b'[{"a": 1e999}]')
    assert text_of(lambda: arguments.decode("m.js:f")).startswith("Invalid arguments for m.js:f: ")


@given(st.dictionaries(st.text(max_size=3), st.none() | st.booleans() | st.text() | st.floats()))
def test_decoded_arguments_are_the_same_however_they_came(value: dict[str, Any]) -> None:
    encoded = [encode(value)] if all(_is_field(name) for name in value) else [{}]
    came_as_text = EncodedArguments.of_text(orjson.dumps(encoded)).decode("m.js:f")
    came_parsed = EncodedArguments(encoded).decode("m.js:f")
    assert (came_as_text.json, came_as_text.size) == (came_parsed.json, came_parsed.size)
    again = EncodedArguments.of_value(came_parsed)
    assert again.decode("m.js:f") is came_parsed
    assert again.text == came_parsed.json


def _is_field(name: str) -> bool:
    return name.isascii() and name.isprintable() and not name.startswith(("$", "_")) and name != ""
