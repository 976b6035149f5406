"""Pages: what `usePaginatedQuery` sends as `paginationOpts`, and what it gets back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, Literal, NotRequired, TypedDict

from parabola.authoring.query_stream import Document
from parabola.values.validators.builder import v

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    DocumentT = TypeVar("DocumentT", default=Document)
else:
    from typing import TypeVar

    DocumentT = TypeVar("DocumentT")

__all__ = ["PaginationOpts", "PaginationResult", "pagination_opts"]


class PaginationOpts(TypedDict):
    """What clients send as `paginationOpts`: a hint for that parameter, to be passed on to `paginate`."""

    numItems: float
    cursor: str | None
    endCursor: NotRequired[str | None]
    id: NotRequired[float]
    maximumRowsRead: NotRequired[float]
    maximumBytesRead: NotRequired[float]


class PaginationResult(TypedDict, Generic[DocumentT]):
    """One page, spelled as `usePaginatedQuery` expects it, so that a query can return it as it is.

    As a hint it says what is on the page: `PaginationResult[Doc.tasks]`.
    """

    page: list[DocumentT]
    isDone: bool
    continueCursor: str
    splitCursor: NotRequired[str | None]
    pageStatus: NotRequired[Literal["SplitRecommended", "SplitRequired"] | None]


pagination_opts: Final = v.object(
    {
        "numItems": v.number(),
        "cursor": v.union(v.string(), v.null()),
        "endCursor": v.optional(v.union(v.string(), v.null())),
        "id": v.optional(v.number()),
        "maximumRowsRead": v.optional(v.number()),
        "maximumBytesRead": v.optional(v.number()),
    }
)
"""The validator of `PaginationOpts`."""
