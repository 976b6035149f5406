"""What several system functions share: validators of arguments, and pages (deploy-api 19)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parabola.values.validators.builder import v

if TYPE_CHECKING:
    from parabola.database.query.evaluator import Page

__all__ = ["COMPONENT", "PAGINATION", "created_between", "page_answer", "page_options"]

PAGINATION: Final = v.object(
    {
        "cursor": v.union(v.string(), v.null()),
        "numItems": v.number(),
        "id": v.optional(v.number()),
        "endCursor": v.optional(v.union(v.string(), v.null())),
        "maximumRowsRead": v.optional(v.number()),
        "maximumBytesRead": v.optional(v.number()),
    }
)
"""`paginationOpts`."""

COMPONENT: Final = v.optional(v.union(v.string(), v.null()))
"""`componentId`: null, absent or empty for the app itself."""


def created_between(table: str, first: float | None, last: float | None, order: str) -> dict[str, Any]:
    """The source of a query: the rows of a table that were made between two times in milliseconds, both
    included, as far as they are given.
    """
    bounds = (("Gte", first), ("Lte", last))
    return {
        "type": "IndexRange",
        "indexName": f"{table}.by_creation_time",
        "range": [
            {"type": bound, "fieldPath": "_creationTime", "value": time}
            for bound, time in bounds
            if time is not None
        ],
        "order": order,
    }


def page_options(pagination: dict[str, Any]) -> dict[str, Any]:
    """What `Transaction.paginate` is told by `paginationOpts`."""
    return {
        "cursor": pagination["cursor"],
        "end_cursor": pagination.get("endCursor"),
        "page_size": pagination["numItems"],
        "maximum_rows_read": pagination.get("maximumRowsRead"),
        "maximum_bytes_read": pagination.get("maximumBytesRead"),
    }


def page_answer(page: Page) -> dict[str, Any]:
    """A page as it is answered."""
    return {
        "page": [document.value for document in page.page],
        "isDone": page.is_done,
        "continueCursor": page.continue_cursor,
    }
