"""A transaction in memory for the query evaluator, and a naive evaluator to compare with.

`MemoryReader` offers what `QueryReader` asks of a transaction over plain lists, and writes can be made at any
moment. `naive_query` filters and sorts a Python list by the rules of the reference, knowing nothing of keys,
intervals or batches. `rows()` and friends are hypothesis strategies for values that are easy to confuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cmp_to_key
from math import fmod, inf, nan
from typing import Any

from hypothesis import strategies as st

from parabola.database.model.documents import Document, Revision
from parabola.database.model.indexes import BY_CREATION_TIME, BY_ID, Index
from parabola.database.model.intervals import Interval, OpenRead, ReadSet
from parabola.database.model.tables import Table
from parabola.database.snapshot import Access
from parabola.database.store.persistence import Order, Rows
from parabola.values.encoding import dumps, encode
from parabola.values.errors import BadRequest, PaginationLimit
from parabola.values.int64 import Int64
from parabola.values.ordering import compare
from parabola.values.placeholders import COMMIT_TS, UNDEFINED

TABLE = Table(tablet_id=100, name="items", number=10001)
SECRETS = Table(tablet_id=200, name="_secrets", number=600)

INDEXES = {
    name: Index(index_id=number, tablet_id=TABLE.tablet_id, name=name, fields=fields)
    for number, (name, fields) in enumerate(
        {
            BY_ID: (),
            BY_CREATION_TIME: ("_creationTime",),
            "by_a": ("a", "_creationTime"),
            "by_a_b": ("a", "b", "_creationTime"),
            "by_nested": ("o.x", "_creationTime"),
        }.items(),
        start=100,
    )
}


class MemoryReader:
    """A `QueryReader` over one table of documents that tests change as they like."""

    def __init__(
        self,
        documents: Iterable[dict[str, Any]] = (),
        *,
        chunk: int = 10_000,
        max_documents: int = 1_000_000,
        max_intervals: int = 4_096,
    ) -> None:
        self.documents = {document["_id"]: document for document in documents}
        self.indexes = dict(INDEXES)
        self.tables = {TABLE.name: TABLE, SECRETS.name: SECRETS}
        self.component = ""
        self.paginated = False
        self.read_set = ReadSet()
        self.chunk = chunk
        self.max_documents = max_documents
        self.max_intervals = max_intervals
        self.documents_read = 0
        self.bytes_read = 0
        self.names_read: list[str] = []
        self.scans: list[int] = []
        self.open_reads = 0

    def put(self, document: dict[str, Any]) -> None:
        self.documents[document["_id"]] = document

    def keys(self, document: dict[str, Any]) -> dict[int, bytes]:
        """The keys of a document, by index id."""
        return {index.index_id: index.key(document) for index in self.indexes.values()}

    def find_index(self, table_name: str, index_name: str, access: Access) -> tuple[Table, Index] | None:
        self.names_read.append(f"{table_name}.{index_name}")
        if table_name.startswith("_") and access is Access.USER:
            raise BadRequest("System tables can only be accessed with db.system.")
        table = self.tables.get(table_name)
        if table is None and index_name in (BY_ID, BY_CREATION_TIME):
            return None
        if table is None or index_name not in self.indexes:
            raise BadRequest(f"Index {table_name}.{index_name} not found.", "IndexNotFoundError")
        return table, self.indexes[index_name]

    async def scan(
        self, index: Index, interval: Interval, order: Order, limit: int
    ) -> Rows[tuple[bytes, Document]]:
        self.scans.append(limit)
        rows = sorted((index.key(document), document) for document in self.documents.values())
        rows = [row for row in rows if interval.contains(row[0])]
        if order == "desc":
            rows.reverse()
        taken = rows[: min(limit, self.chunk)]
        return Rows(
            [(key, Document(TABLE, stored(document))) for key, document in taken],
            exhausted=len(taken) == len(rows),
        )

    def open_read(self, index: Index) -> OpenRead:
        if self.read_set.count >= self.max_intervals:
            raise PaginationLimit("Too many reads in a single function execution")
        self.open_reads += 1
        return self.read_set.open(index.index_id)

    def close_read(self, read: OpenRead) -> None:
        self.open_reads -= 1
        self.read_set.close(read)

    def count_document(self, document: Document) -> None:
        self.documents_read += 1
        self.bytes_read += document.size
        if self.documents_read > self.max_documents:
            raise PaginationLimit("Too many documents read in a single function execution")

    def uncount_documents(self, table: Table, documents: int, size: int) -> None:
        self.documents_read -= documents
        self.bytes_read -= size


def stored(document: dict[str, Any]) -> Revision:
    """Size 100 each, so that bytes read are easy to foresee; not decoded yet."""
    return Revision(document["_id"], 1, dumps(document), 100)


# Query JSON


def table_scan(order: str | None = None, *operators: Any, table: str = "items") -> dict[str, Any]:
    return {
        "source": {"type": "FullTableScan", "tableName": table, "order": order},
        "operators": list(operators),
    }


def index_range(
    index: str,
    comparisons: Iterable[tuple[str, str, Any]] = (),
    order: str | None = None,
    *operators: Any,
    table: str = "items",
) -> dict[str, Any]:
    """`comparisons` are (Eq | Gt | Gte | Lt | Lte, field, value)."""
    return {
        "source": {
            "type": "IndexRange",
            "indexName": f"{table}.{index}",
            "range": [
                {"type": kind, "fieldPath": field, "value": wire(value)} for kind, field, value in comparisons
            ],
            "order": order,
        },
        "operators": list(operators),
    }


def wire(value: Any) -> Any:
    if value is UNDEFINED:
        return {"$undefined": None}
    if value is COMMIT_TS:
        return {"$commitTs": None}
    return encode(value)


# The naive evaluator


def at_path(document: Any, path: str) -> Any:
    value = document
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return UNDEFINED
        value = value[name]
    return value


COMPARISONS: dict[str, Callable[[int], bool]] = {
    "eq": lambda sign: sign == 0,
    "neq": lambda sign: sign != 0,
    "gt": lambda sign: sign > 0,
    "gte": lambda sign: sign >= 0,
    "lt": lambda sign: sign < 0,
    "lte": lambda sign: sign <= 0,
}


class NaiveError(Exception):
    """An expression does not apply to a document."""


def naive_expression(json: dict[str, Any], document: dict[str, Any]) -> Any:
    ((name, operand),) = json.items()
    name = name[1:]
    if name == "field":
        return at_path(document, operand)
    if name == "literal":
        return unwire(operand)
    if name in ("and", "or"):
        for part in operand:
            value = naive_expression(part, document)
            if not isinstance(value, bool):
                raise NaiveError
            if value == (name == "or"):
                return value
        return name == "and"
    if name == "not":
        value = naive_expression(operand, document)
        if not isinstance(value, bool):
            raise NaiveError
        return not value
    if name == "neg":
        value = naive_expression(operand, document)
        return naive_arithmetic("sub", Int64(0) if isinstance(value, Int64) else -0.0, value)
    left, right = (naive_expression(part, document) for part in operand)
    if name in COMPARISONS:
        return COMPARISONS[name](compare(left, right))
    return naive_arithmetic(name, left, right)


def naive_arithmetic(name: str, left: Any, right: Any) -> Any:
    if isinstance(left, Int64) and isinstance(right, Int64):
        a, b = left.value, right.value
        if name in ("div", "mod") and b == 0:
            raise NaiveError
        exact = {"add": a + b, "sub": a - b, "mul": a * b}
        if name in ("div", "mod"):
            quotient = (a // b) if (a % b == 0 or (a < 0) == (b < 0)) else a // b + 1
            exact = {"div": quotient, "mod": a - quotient * b}
        if not -(2**63) <= exact[name] < 2**63:
            raise NaiveError
        return Int64(exact[name])
    if isinstance(left, float) and isinstance(right, float):
        if name == "div":
            if right == 0:
                zero_sign = -1.0 if str(right) == "-0.0" else 1.0
                return nan if left == 0 or left != left else inf * zero_sign * (1 if left > 0 else -1)
            return left / right
        if name == "mod":
            return nan if right == 0 or left in (inf, -inf) or left != left else fmod(left, right)
        return {"add": left + right, "sub": left - right, "mul": left * right}[name]
    raise NaiveError


def unwire(json: Any) -> Any:
    if json == {"$undefined": None}:
        return UNDEFINED
    from parabola.values.encoding import decode

    return decode(json)


def naive_query(
    documents: Iterable[dict[str, Any]],
    fields: tuple[str, ...],
    comparisons: Iterable[tuple[str, str, Any]] = (),
    order: str | None = None,
    operators: Iterable[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """What the query must return. `fields` are the indexed ones, without the closing `_id`."""
    result = [
        document
        for document in documents
        if all(
            COMPARISONS[kind.lower()](compare(at_path(document, field), value))
            for kind, field, value in comparisons
        )
    ]

    def by_fields(one: dict[str, Any], two: dict[str, Any]) -> int:
        signs = (compare(at_path(one, field), at_path(two, field)) for field in (*fields, "_id"))
        return next((sign for sign in signs if sign), 0)

    result.sort(key=cmp_to_key(by_fields), reverse=order == "desc")
    for operator in operators:
        if "limit" in operator:
            result = result[: int(operator["limit"])]
        else:
            result = [document for document in result if naive_filter(operator["filter"], document)]
    return result


def naive_filter(json: dict[str, Any], document: dict[str, Any]) -> bool:
    value = naive_expression(json, document)
    if not isinstance(value, bool):
        raise NaiveError
    return value


# Strategies: few values, so that equal and neighbouring ones meet often

CONFUSABLE = [
    None,
    False,
    True,
    Int64(0),
    Int64(1),
    Int64(-1),
    Int64(128),
    Int64(2**63 - 1),
    Int64(-(2**63)),
    0.0,
    -0.0,
    1.0,
    -1.0,
    1.5,
    inf,
    -inf,
    nan,
    "",
    "a",
    "a\0",
    "ab",
    "\uff5e",
    "\U0001f600",
    b"",
    b"\0",
    b"a",
    [],
    [1.0],
    [1.0, 0.0],
    {},
    {"a": 1.0},
    {"a": 1.0, "b": 0.0},
    {"b": 0.0},
]
values = st.sampled_from(CONFUSABLE)
values_or_undefined = st.sampled_from([*CONFUSABLE, UNDEFINED, UNDEFINED, UNDEFINED])
few_values = st.sampled_from([UNDEFINED, None, 0.0, 1.0, Int64(1), "a"])


@st.composite
def rows(draw: st.DrawFn, max_size: int = 12) -> list[dict[str, Any]]:
    """Documents with fields a, b and o.x, and distinct ids; creation times may repeat."""
    result = []
    for number in range(draw(st.integers(0, max_size))):
        result.append(draw(row(number)))
    return result


@st.composite
def row(draw: st.DrawFn, number: int) -> dict[str, Any]:
    pool = draw(st.sampled_from([values_or_undefined, few_values]))
    document: dict[str, Any] = {
        "_id": f"id{number:04}",
        "_creationTime": float(draw(st.integers(1, 4))),
        "a": draw(pool),
        "b": draw(pool),
    }
    x = draw(pool)
    document["o"] = draw(st.sampled_from([{"x": x}, {"x": x, "y": 1.0}, x])) if x is not UNDEFINED else {}
    return {name: value for name, value in document.items() if value is not UNDEFINED}


@st.composite
def ranges(draw: st.DrawFn, documents: list[dict[str, Any]]) -> tuple[str, list[tuple[str, str, Any]]]:
    """An index and comparisons that are valid on it, their values often those of a document."""
    name = draw(st.sampled_from(sorted(INDEXES)))
    fields = (*INDEXES[name].fields, "_id")

    def value(field: str) -> Any:
        present = [at_path(document, field) for document in documents]
        if field == "_id":
            return draw(st.sampled_from([*present, "id", "id0003", "x"]))
        if field == "_creationTime":
            return draw(st.sampled_from([1.0, 2.0, 3.0, 2.5]))
        return draw(st.sampled_from(present) if present and draw(st.booleans()) else values_or_undefined)

    equal = draw(st.integers(0, len(fields)))
    comparisons = [("Eq", field, value(field)) for field in fields[:equal]]
    if equal < len(fields):
        field = fields[equal]
        for kinds in (("Gt", "Gte"), ("Lt", "Lte")):
            if draw(st.booleans()):
                comparisons.append((draw(st.sampled_from(kinds)), field, value(field)))
    return name, draw(st.permutations(comparisons))


def literals(pool: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return pool.map(lambda value: {"$literal": wire(value)})


operands = st.one_of(
    st.sampled_from(["a", "b", "o.x", "o", "_id", "_creationTime", "a.b"]).map(lambda path: {"$field": path}),
    literals(values_or_undefined),
)


def binary(names: list[str], parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda name, left, right: {name: [left, right]}, st.sampled_from(names), parts, parts)


comparison_expressions = binary(["$eq", "$neq", "$lt", "$lte", "$gt", "$gte"], operands)
boolean_expressions = st.recursive(
    comparison_expressions,
    lambda inner: st.one_of(
        st.builds(
            lambda name, parts: {name: parts}, st.sampled_from(["$and", "$or"]), st.lists(inner, max_size=3)
        ),
        inner.map(lambda part: {"$not": part}),
    ),
    max_leaves=5,
)
any_expressions = st.recursive(
    operands,
    lambda inner: st.one_of(
        binary(["$eq", "$lt", "$gte", "$add", "$sub", "$mul", "$div", "$mod"], inner),
        st.builds(
            lambda name, parts: {name: parts}, st.sampled_from(["$and", "$or"]), st.lists(inner, max_size=3)
        ),
        inner.map(lambda part: {"$not": part}),
        inner.map(lambda part: {"$neg": part}),
    ),
    max_leaves=6,
)
operators = st.lists(
    st.one_of(
        boolean_expressions.map(lambda expression: {"filter": expression}),
        st.integers(0, 6).map(lambda count: {"limit": count}),
    ),
    max_size=3,
)
orders = st.sampled_from([None, "asc", "desc"])
