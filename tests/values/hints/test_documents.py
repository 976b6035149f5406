# ruff: noqa: UP037
"""Hints for documents of a table."""

from __future__ import annotations

from typing import Any

import pytest

from parabola.authoring.pagination import PaginationOpts, PaginationResult, pagination_opts
from parabola.values.errors import UnmappableHint
from parabola.values.hints.documents import Doc, NewDoc, PatchDoc
from parabola.values.hints.type_hints import validator_from_hint, validators_from_signature
from parabola.values.validators.documents import DocumentValidator

DOC: Any = Doc
"""Type checkers know the tables from what is generated; here there are none."""


def test_brackets_and_a_dot_mean_the_same() -> None:
    assert validator_from_hint(DOC["tasks"]) == validator_from_hint(DOC.tasks) == DocumentValidator("tasks")


def test_a_table_that_is_called_like_a_keyword_is_named_with_an_underscore() -> None:
    assert validator_from_hint(DOC.import_) == DocumentValidator("import")
    assert validator_from_hint(DOC["import_"]) == DocumentValidator("import_")


@pytest.mark.parametrize(("hint", "form"), [(Doc, "doc"), (NewDoc, "new"), (PatchDoc, "patch")])
def test_each_hint_has_its_form(hint: Any, form: Any) -> None:
    assert validator_from_hint(hint["tasks"]) == DocumentValidator("tasks", form)


def test_they_stand_wherever_hints_do() -> None:
    def function(ctx: Any, one: DOC["tasks"] | None, many: list[DOC.tasks]) -> dict[str, DOC.tasks]: ...

    args, returns = validators_from_signature(function)
    assert str(args) == "v.object({many: v.array(Doc['tasks']), one: v.union(Doc['tasks'], v.null())})"
    assert str(returns) == "v.record(v.string(), Doc['tasks'])"


def test_without_a_table_they_say_what_to_write() -> None:
    with pytest.raises(UnmappableHint, match=r'Doc\["tasks"\]'):
        validator_from_hint(Doc)
    with pytest.raises(TypeError, match=r'as in Doc\["tasks"\]'):
        DOC[3]
    with pytest.raises(UnmappableHint, match="Invalid first character"):
        validator_from_hint(DOC["3"])


def test_a_page_says_what_is_on_it() -> None:
    page = validator_from_hint(PaginationResult[DOC.tasks])
    assert "page: v.array(Doc['tasks'])" in str(page)
    assert "page: v.array(v.any())" in str(validator_from_hint(PaginationResult))


def test_the_options_of_a_page_are_those_that_clients_send() -> None:
    assert validator_from_hint(PaginationOpts) == pagination_opts
