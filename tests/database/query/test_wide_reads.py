"""What an index would need to have, as filters tell it."""

from __future__ import annotations

from typing import Any

import pytest

from parabola.database.query.wide_reads import compared_fields


def compare(op: str, field: str, *, mirrored: bool = False) -> dict[str, Any]:
    operands = [{"$field": field}, {"$literal": 1}]
    return {op: operands[::-1] if mirrored else operands}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], ((), None)),
        ([compare("$eq", "a")], (("a",), None)),
        ([compare("$eq", "a", mirrored=True), compare("$gt", "b")], (("a",), "b")),
        ([{"$and": [compare("$lt", "b"), compare("$eq", "a"), compare("$eq", "a")]}], (("a",), "b")),
        ([compare("$gt", "a"), compare("$lt", "a"), compare("$eq", "a")], (("a",), None)),
        ([{"$or": [compare("$eq", "a"), compare("$eq", "b")]}], ((), None)),
        ([{"$not": compare("$eq", "a")}, compare("$neq", "b")], ((), None)),
        ([{"$eq": [{"$field": "a"}, {"$field": "b"}]}, compare("$eq", "_id")], ((), None)),
    ],
)
def test_the_fields_that_all_documents_are_held_against(filters: list[Any], found: Any) -> None:
    operators = [*({"filter": each} for each in filters), {"limit": 5}]
    assert compared_fields(operators) == found
