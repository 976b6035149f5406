"""`pagination_opts`: the validator of what `usePaginatedQuery` sends as `paginationOpts`."""

from __future__ import annotations

from typing import Final

from parabola.values.validators.builder import v

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
