"""Search sources: shape and rules (semantics 9.1)."""

from __future__ import annotations

from typing import Any

import pytest

from database.query_model import TABLE, MemoryReader
from parabola.database.model.indexes import Index
from parabola.database.query.evaluator import open_stream
from parabola.database.query.search_syntax import SearchEquality, SearchPlan, parse_search, plan_search
from parabola.database.snapshot import Access
from parabola.values.errors import BadRequest
from parabola.values.placeholders import UNDEFINED

TEXT = {"type": "Search", "fieldPath": "body", "value": "hello wor"}


def equal(field: str, value: Any) -> dict[str, Any]:
    return {"type": "Eq", "fieldPath": field, "value": value}


def plan(*filters: dict[str, Any]) -> SearchPlan:
    return plan_search("t.s", "body", ("channel", "other"), parse_search(list(filters)))


def test_a_search_has_one_text_and_some_equalities() -> None:
    assert plan(TEXT, equal("channel", "c"), equal("other", {"$undefined": None})) == SearchPlan(
        "hello wor", (SearchEquality("channel", "c"), SearchEquality("other", UNDEFINED))
    )
    plan(TEXT, *[equal("channel", n) for n in range(8)])


@pytest.mark.parametrize(
    ("filters", "code", "message"),
    [
        (
            [equal("channel", 1)],
            "MissingSearchFilterError",
            "Search query against t.s does not contain any search filters. You must include a search filter "
            'like `q.search("body", searchText)`.',
        ),
        (
            [TEXT, TEXT, equal("size", 1)],
            "DuplicateSearchFiltersError",
            "Search query against t.s contains multiple search filters against body. Only one is allowed.",
        ),
        (
            [{**TEXT, "fieldPath": "title"}],
            "IncorrectSearchField",
            "Search query against t.s contains a search filter against title, "
            "which doesn't match the indexed `searchField` body.",
        ),
        (
            [TEXT, equal("size", 1)],
            "IncorrectFilterFieldError",
            "Search query against t.s contains an equality filter on size but that field isn't indexed for "
            "filtering in `filterFields`.",
        ),
        (
            [TEXT, *[equal("channel", n) for n in range(9)]],
            "TooManyFilterConditionsInSearchQueryError",
            "Search query against t.s has too many filter conditions. Max: 8 Actual: 9",
        ),
    ],
)
def test_a_wrong_search_says_what_is_wrong(filters: list[Any], code: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        plan(*filters)
    assert (caught.value.code, caught.value.message) == (code, message)


@pytest.mark.parametrize(
    "json", [None, {}, [None], [{}], [{**TEXT, "value": 5}], [{**TEXT, "type": "Gt"}], [{"type": "Eq"}]]
)
def test_what_is_not_a_search_is_refused(json: Any) -> None:
    with pytest.raises(BadRequest):
        parse_search(json)


def search(index: str, *filters: dict[str, Any]) -> dict[str, Any]:
    return {"source": {"type": "Search", "indexName": index, "filters": list(filters)}, "operators": []}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (search("items.find"), "MissingSearchFilterError"),
        (search("items.by_a", TEXT), "IndexNotASearchIndexError"),
        (search("items.by_id", TEXT), "IndexNotASearchIndexError"),
        (search("nothing.by_id", TEXT), "IndexNotASearchIndexError"),
        (search("items.missing", TEXT), "IndexNotFoundError"),
        (search("nothing.find", TEXT), "IndexNotFoundError"),
    ],
)
def test_a_search_is_checked_against_its_index(query: dict[str, Any], code: str) -> None:
    reader = MemoryReader()
    options = (("filterFields", ("channel",)), ("searchField", "body"))
    reader.indexes["find"] = Index(900, TABLE.tablet_id, "find", (), kind="search", options=options)
    with pytest.raises(BadRequest) as caught:
        open_stream(reader, query, Access.USER)
    assert caught.value.code == code
