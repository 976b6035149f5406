"""The nearest vectors of an index: the shape of a search, its rules, and how it runs (semantics 9.2).

Actions ask for it as the official library does. Queries and mutations may ask as well, and for more: there
the result is a part of the transaction, filters combine with `$and`, results may have to reach a minimum
score, and only the limit of documents bounds how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from parabola.database.derived.filters import And, Eq, FilterExpression, Or
from parabola.values.encoding import decode
from parabola.values.errors import BadRequest, InvalidValue
from parabola.values.limits import MAX_DOCUMENTS_READ, MAX_VECTOR_CONDITIONS, MAX_VECTOR_RESULTS
from parabola.values.ordering import encode_key

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot

__all__ = [
    "DEFAULT_VECTOR_LIMIT",
    "VectorHit",
    "VectorSearch",
    "parse_vector_search",
    "plan_filter",
    "run_vector_search",
]

DEFAULT_VECTOR_LIMIT: Final = 10
MAX_DEPTH: Final = 64
"""How deep the parts of a filter may be inside one another."""

_NOT_A_FILTER: Final = "Filters should be a combination of `q.eq` and `q.or`."


@dataclass(frozen=True, slots=True)
class VectorSearch:
    """What is asked for. `filter` is the JSON of an expression, which is checked against the index."""

    table: str
    index: str
    vector: tuple[float, ...]
    limit: int
    filter: Any
    minimum_score: float | None

    @property
    def name(self) -> str:
        return f"{self.table}.{self.index}"


@dataclass(frozen=True, slots=True)
class VectorHit:
    """A document that was found; `score` is the cosine of the angle, from -1 to 1."""

    id: str
    score: float


def parse_vector_search(json: Any, *, in_transaction: bool) -> VectorSearch:
    """Reads the `query` of a `vectorSearch`. Raises `BadRequest` for what is not one, and for a limit that is
    too large.
    """
    if not isinstance(json, dict):
        raise _bad("expected an object")
    table, dot, index = str(json.get("indexName")).partition(".")
    if not dot or not isinstance(json.get("indexName"), str):
        raise _bad(f"An index is named as table.index, not {json.get('indexName')!r}.")
    limit = _limit(json.get("limit"), in_transaction=in_transaction)
    minimum = json.get("minimumScore")
    if minimum is not None and (isinstance(minimum, bool) or not isinstance(minimum, (int, float))):
        raise _bad(f"`minimumScore` must be a number, not {minimum!r}.")
    vector = _vector(json.get("vector"))
    return VectorSearch(table, index, vector, limit, json.get("expressions"), minimum)


def _limit(limit: Any, *, in_transaction: bool) -> int:
    if limit is None:
        return DEFAULT_VECTOR_LIMIT
    is_whole = type(limit) is int or (type(limit) is float and limit.is_integer())
    if not is_whole or limit < 0:
        raise _bad(f"`limit` must be a non-negative integer, not {limit!r}.")
    most = MAX_DOCUMENTS_READ if in_transaction else MAX_VECTOR_RESULTS
    if limit > most:
        raise BadRequest(
            f"Vector queries can fetch at most {most} results, requested {int(limit)}.",
            "VectorLimitTooLargeError",
        )
    return int(limit)


def _vector(json: Any) -> tuple[float, ...]:
    if not isinstance(json, list):
        raise _bad("`vector` must be an array of numbers.")
    try:
        numbers: list[Any] = [item if type(item) is float else decode(item) for item in json]
    except InvalidValue as error:
        raise _bad(str(error)) from None
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise _bad(f"`vector` must be an array of numbers, found {number!r} in it.")
    return tuple(map(float, numbers))


def plan_filter(
    index_name: str, filter_fields: Sequence[str], json: Any, *, in_transaction: bool
) -> FilterExpression | None:
    """The filter of a search of `table.index`. Raises `BadRequest` with the codes of semantics 9.2."""
    if json is None:
        return None
    planning = _Planning(index_name, filter_fields, in_transaction)
    expression = planning.plan(json, 0)
    if planning.conditions > MAX_VECTOR_CONDITIONS:
        raise BadRequest(
            f"Vector query against {index_name} has too many conditions. "
            f"Max: {MAX_VECTOR_CONDITIONS} Actual: {planning.conditions}",
            "TooManyElementsInVectorQueryError",
        )
    return expression


class _Planning:
    def __init__(self, index_name: str, filter_fields: Sequence[str], in_transaction: bool) -> None:
        self._index_name = index_name
        self._filter_fields = filter_fields
        self._in_transaction = in_transaction
        self.conditions = 0

    def plan(self, json: Any, depth: int) -> FilterExpression:
        if isinstance(json, dict) and len(json) == 1 and depth <= MAX_DEPTH:
            (kind, operands), *_ = json.items()
            if kind == "$eq" and isinstance(operands, list) and len(operands) == 2:
                return self._equality(*operands)
            if kind == "$or" and isinstance(operands, list):
                return Or(tuple(self.plan(operand, depth + 1) for operand in operands))
            if kind == "$and" and isinstance(operands, list) and self._in_transaction:
                return And(tuple(self.plan(operand, depth + 1) for operand in operands))
        raise BadRequest(_NOT_A_FILTER, "InvalidVectorSearchFilter")

    def _equality(self, field: Any, literal: Any) -> FilterExpression:
        if isinstance(field, dict) and isinstance(literal, dict):
            path = field.get("$field")
            if isinstance(path, str) and "$literal" in literal:
                if path not in self._filter_fields:
                    raise BadRequest(
                        f"Vector query against {self._index_name} contains a filter on {path} but that field "
                        "isn't indexed for filtering in `filterFields`.",
                        "IncorrectVectorFilterField",
                    )
                self.conditions += 1
                value = decode(literal["$literal"], allow_undefined=True)
                return Eq(self._filter_fields.index(path), encode_key([value]))
        raise BadRequest(_NOT_A_FILTER, "InvalidVectorSearchFilter")


async def run_vector_search(tx: Snapshot, json: Any, *, in_transaction: bool) -> list[VectorHit]:
    """Runs a search. A table that does not exist has no documents.

    A transaction then depends on what it found and on what could have been among it, and has read as many
    documents as it found. Raises `BadRequest` as `parse_vector_search` and `plan_filter` do, for a vector of
    another length than the index has, and for an index that is missing, filling or no vector index.
    """
    search = parse_vector_search(json, in_transaction=in_transaction)
    if tx.find_table(search.table) is None:
        return []
    found = tx.find_index(search.table, search.index)
    if found is None or found[1].kind != "vector":
        raise BadRequest(f"Index {search.name} is not a vector index", "IndexNotAVectorIndexError")
    table, index = found
    options = dict(index.options)
    dimensions = int(options["dimensions"])
    if len(search.vector) != dimensions:
        raise BadRequest(
            f"Expected a vector with dimensions {dimensions}, received {len(search.vector)}.",
            "VectorDimensionsMismatch",
        )
    filter_fields = tuple(options.get("filterFields", ()))
    filter = plan_filter(search.name, filter_fields, search.filter, in_transaction=in_transaction)
    if not search.limit:
        return []

    from parabola.database.derived.vectors.vector_query import VectorQuery
    from parabola.database.derived.vectors.vector_reads import VectorRead

    query = VectorQuery.of(search.vector, filter, search.minimum_score)
    if in_transaction:
        read = tx.open_search(table)
        try:
            result = await tx.search_vectors(index, query, search.limit)
            floor = None if result.exhausted or not result.hits else result.hits[-1]
            read.read = VectorRead(index.index_id, query, floor)
            for _ in result.hits:
                tx.usage.count_read(0)
        finally:
            tx.close_search(read)
    else:
        result = await tx.search_vectors(index, query, search.limit)
    return [VectorHit(hit.id, hit.score) for hit in result.hits]


def _bad(reason: str) -> BadRequest:
    return BadRequest(f"Invalid argument `query` for `vectorSearch`: {reason}", "InvalidArgument")
