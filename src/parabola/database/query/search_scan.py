"""The results of a text search as rows of a query, best first (semantics 9.1).

A position between two results is the rank of the one above, together with the weights it was ranked by: pages
and re-runs of a page rank by the weights of the first, so that they neither overlap nor leave gaps.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from parabola.database.derived.ranks import Rank
from parabola.database.derived.text.text_reads import TextRead
from parabola.database.derived.text.weights import Weights
from parabola.database.model.indexes import id_key
from parabola.database.model.searches import OpenSearch
from parabola.database.model.tables import Table
from parabola.database.query.cursors import END, Position
from parabola.database.query.scans import AnyScan, RangeScan, Scan
from parabola.database.query.sources import QueryReader, QuerySource, SearchSource
from parabola.values.errors import BadRequest
from parabola.values.limits import MAX_SEARCH_RESULTS

__all__ = ["SearchScan", "open_scan"]

_FIRST: Final = 100
"""Results that are ranked at first; who wants more wants them all."""
_BATCH_BYTES: Final = 4 * 1024 * 1024
"""A batch ends early with documents of this many bytes."""
_NUMBERS: Final = Struct("<ddB")


def open_scan(
    reader: QueryReader,
    source: QuerySource | SearchSource,
    start: Position | None = None,
    end: Position | None = None,
    *,
    is_page: bool = False,
) -> AnyScan:
    """The rows of a source after one position and up to another; of a search for a page as many as wanted."""
    if isinstance(source, SearchSource):
        return SearchScan(reader, source, start, end, is_page=is_page)
    return RangeScan(reader, source, start, end)


class SearchScan(Scan[Rank]):
    """The results of one search, and the read they make: the search, down to the last result consumed.

    Without a page more results than `MAX_SEARCH_RESULTS` are an error when they are asked for.
    """

    most = MAX_SEARCH_RESULTS

    def __init__(
        self,
        reader: QueryReader,
        source: SearchSource,
        start: Position | None = None,
        end: Position | None = None,
        *,
        is_page: bool,
    ) -> None:
        super().__init__(reader)
        self._source = source
        self._after, self._weights = _decode(start)
        self._through, weights = _decode(end)
        self._weights = self._weights or weights
        self._ceiling = self._after
        self._is_page = is_page
        self._results: list[Rank] = []
        self._exhausted = not source.query.words or start == END
        self._read: OpenSearch | None = None
        self.ended = self._exhausted

    async def fetch(self, limit: int) -> bool:
        if self._at < len(self._rows):
            return True
        if not self._results and not self._exhausted:
            await self._search(limit)
        self._rows, self._at = [], 0
        if not self._results:
            self.ended = True
            return False
        size = 0
        taken = 0
        for rank in self._results[:limit]:
            document = await self._reader.document(self._source.table, rank.id)
            taken += 1
            if document is None:
                continue  # the transaction has deleted it since it searched
            self._rows.append((rank, document))
            size += document.size
            if size > _BATCH_BYTES:
                break
        del self._results[:taken]
        return bool(self._rows) or await self.fetch(limit)

    async def _search(self, limit: int) -> None:
        consumed = len(self.keys)
        if not self._is_page and consumed >= MAX_SEARCH_RESULTS:
            raise BadRequest(
                f"Search query scanned too many documents (fetched {MAX_SEARCH_RESULTS}). Consider using a "
                "smaller limit, paginating the query, or using a filter field to limit the number of "
                "documents pulled from the search index.",
                "SearchQueryScannedTooManyDocumentsError",
            )
        wanted = max(limit, _FIRST if not consumed else MAX_SEARCH_RESULTS)
        if not self._is_page:
            wanted = min(wanted, MAX_SEARCH_RESULTS - consumed)
        found = await self._reader.search_text(
            self._source.index,
            self._source.query,
            wanted,
            weights=self._weights,
            after=self._after,
            through=self._through,
        )
        self._weights = found.weights
        self._results = list(found.hits)
        self._exhausted = found.exhausted
        if self._results:
            self._after = self._results[-1]

    def record(self) -> None:
        if self._closed:
            return
        if self._read is None:
            if not self.keys and not (self.ended and self._weights is not None):
                return
            self._read = self._reader.open_search(self._source.table)
        table_keys = [id_key(rank.id) for rank in self.keys]
        floor = self._through if self.ended else self.keys[-1] if self.keys else None
        is_read = self._weights is not None and (self.ended or bool(self.keys))
        self._read.keys = table_keys
        self._read.read = (
            TextRead(
                self._source.index.index_id,
                self._source.query,
                self._weights,
                floor=floor,
                ceiling=self._ceiling,
            )
            if is_read and self._weights is not None
            else None
        )

    def close(self) -> None:
        super().close()
        self._results, self._exhausted = [], True
        if self._read is not None:
            self._reader.close_search(self._read)
            self._read = None

    def position(self) -> Position:
        assert self._weights is not None
        rank = self.keys[-1]
        id = rank.id.encode()
        numbers = _NUMBERS.pack(rank.score, rank.creation_time, len(id))
        return Position(numbers + id + self._weights.to_bytes())

    @property
    def split_position(self) -> Position | None:
        return None

    @property
    def _table(self) -> Table:
        return self._source.table


def _decode(position: Position | None) -> tuple[Rank | None, Weights | None]:
    if position is None or position.after is None:
        return None, None
    text = position.after
    score, creation_time, length = _NUMBERS.unpack_from(text)
    end = _NUMBERS.size + length
    rank = Rank(score, creation_time, text[_NUMBERS.size : end].decode())
    return rank, Weights.from_bytes(text[end:])
