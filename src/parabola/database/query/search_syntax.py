"""Full-text search as a source of a query: its shape and its rules (semantics 9.1, js-runtime 3.5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from parabola.values.encoding import decode
from parabola.values.errors import BadRequest
from parabola.values.limits import MAX_SEARCH_CONDITIONS

__all__ = ["SearchEquality", "SearchExpression", "SearchPlan", "SearchText", "parse_search", "plan_search"]


@dataclass(frozen=True, slots=True)
class SearchText:
    """The words to look for in the index's search field."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class SearchEquality:
    """A filter field must have exactly this value, which may be undefined."""

    field: str
    value: Any


SearchExpression = SearchText | SearchEquality


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """A search that obeys every rule."""

    text: str
    equalities: tuple[SearchEquality, ...]


def parse_search(json: Any) -> tuple[SearchExpression, ...]:
    """The filters of a `Search` source. Raises `BadRequest` for what is not one."""
    if not isinstance(json, list):
        raise BadRequest("The filters of a search must be a list.")
    return tuple(map(_parse_expression, json))


def _parse_expression(json: Any) -> SearchExpression:
    if isinstance(json, dict) and isinstance(json.get("fieldPath"), str) and "value" in json:
        field, value = json["fieldPath"], json["value"]
        if json.get("type") == "Search" and isinstance(value, str):
            return SearchText(field, value)
        if json.get("type") == "Eq":
            return SearchEquality(field, decode(value, allow_undefined=True))
    raise BadRequest("A filter of a search must be a Search with a string or an Eq, on a fieldPath.")


def plan_search(
    index_name: str, search_field: str, filter_fields: Sequence[str], expressions: Iterable[SearchExpression]
) -> SearchPlan:
    """Checks a search against the index `table.index`. Raises `BadRequest` with the codes of semantics
    9.1.
    """
    texts: list[SearchText] = []
    equalities: list[SearchEquality] = []
    for expression in expressions:
        if isinstance(expression, SearchText):
            if expression.field != search_field:
                raise BadRequest(
                    f"Search query against {index_name} contains a search filter against {expression.field}, "
                    f"which doesn't match the indexed `searchField` {search_field}.",
                    "IncorrectSearchField",
                )
            if texts:
                raise BadRequest(
                    f"Search query against {index_name} contains multiple search filters against "
                    f"{search_field}. Only one is allowed.",
                    "DuplicateSearchFiltersError",
                )
            texts.append(expression)
        else:
            if expression.field not in filter_fields:
                raise BadRequest(
                    f"Search query against {index_name} contains an equality filter on {expression.field} "
                    "but that field isn't indexed for filtering in `filterFields`.",
                    "IncorrectFilterFieldError",
                )
            equalities.append(expression)
    if not texts:
        raise BadRequest(
            f"Search query against {index_name} does not contain any search filters. "
            f'You must include a search filter like `q.search("{search_field}", searchText)`.',
            "MissingSearchFilterError",
        )
    if len(equalities) > MAX_SEARCH_CONDITIONS:
        raise BadRequest(
            f"Search query against {index_name} has too many filter conditions. "
            f"Max: {MAX_SEARCH_CONDITIONS} Actual: {len(equalities)}",
            "TooManyFilterConditionsInSearchQueryError",
        )
    return SearchPlan(texts[0].text, tuple(equalities))
