"""Names of functions, in all their spellings."""

from __future__ import annotations

import pytest

from parabola.functions.deployed.function_path import FunctionPath, parse_path, strip_extension
from parabola.values.errors import BadRequest


@pytest.mark.parametrize("text", ["a", "a:default", "a.js:default", "a.py:default", "a.js", "a.ts:default"])
def test_spellings_of_a_default_export_are_one_function(text: str) -> None:
    assert parse_path(text) == FunctionPath("a", "default")
    assert str(parse_path(text)) == "a"
    assert parse_path(text).canonical == "a:default"


@pytest.mark.parametrize("text", ["a/b.c:fn", "a/b.c.js:fn", "a/b.c.py:fn"])
def test_spellings_of_a_named_export_are_one_function(text: str) -> None:
    assert parse_path(text) == FunctionPath("a/b.c", "fn")
    assert str(parse_path(text)) == "a/b.c:fn"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "a:",
        ":b",
        "a b:c",
        "/a:b",
        "a/:b",
        "../a:b",
        "a/../b:c",
        "a:b-c",
        "a:1b",
        "a:__",
        "a-b:c",
        "_:f",
        "a" * 65,
    ],
)
def test_what_cannot_name_a_function_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="is not a valid path to a Convex function") as caught:
        parse_path(text)
    assert caught.value.code == "BadConvexFunctionIdentifier"


def test_the_last_colon_separates() -> None:
    with pytest.raises(BadRequest):
        parse_path("a:b:c")


def test_only_known_extensions_are_stripped() -> None:
    assert strip_extension("a.b") == "a.b"
    assert strip_extension("a.b.py") == "a.b"
