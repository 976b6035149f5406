"""The `q` of `filter`, `with_index` and `with_search_index` (js-runtime 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parabola.authoring.absent import absent
from parabola.values.encoding import encode, normalize
from parabola.values.errors import BadRequest
from parabola.values.normalization import MAX_SAFE_INTEGER
from parabola.values.placeholders import UNDEFINED

__all__ = [
    "Expression",
    "FilterBuilder",
    "IndexRangeBuilder",
    "Json",
    "SearchFilterBuilder",
    "Shape",
    "VectorFilterBuilder",
    "encode_operand",
    "filter_json",
]

Json = dict[str, Any]


def encode_operand(value: Any) -> Any:
    """The JSON of a value to compare with; `UNDEFINED` stands for a missing field."""
    return {"$undefined": None} if value is UNDEFINED else encode(normalize(value))


class Expression:
    """Part of a filter: a field, a literal, or an operation on those."""

    __slots__ = ("json",)

    def __init__(self, json: Json) -> None:
        self.json = json

    def __bool__(self) -> bool:
        raise TypeError(
            "A filter expression has no truth value here, it is evaluated for each document. "
            "Combine expressions with q.and_, q.or_ and q.not_."
        )

    def __eq__(self, other: object) -> bool:
        # Without this it would be False, and the filter would silently match nothing.
        raise TypeError("Compare with q.eq(left, right) in a filter: == says nothing about the documents.")

    def __ne__(self, other: object) -> bool:
        raise TypeError("Compare with q.neq(left, right) in a filter: != says nothing about the documents.")

    __hash__ = object.__hash__

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            if name.startswith("_"):
                raise AttributeError(name)
            nested = f"{self.json['$field']}.{name}" if "$field" in self.json else name
            raise AttributeError(
                f"A filter expression has no attribute {name!r}. A nested field is `q.field({nested!r})`."
            )

        def __lt__(self, other):
            raise TypeError("Compare with q.lt, q.lte, q.gt or q.gte in a filter, as in `q.lt(left, right)`.")

        __le__ = __gt__ = __ge__ = __lt__


def _json(operand: Any) -> Json:
    return operand.json if isinstance(operand, Expression) else {"$literal": encode_operand(operand)}


class FilterBuilder:
    """The `q` of `.filter(lambda q: ...)`. Operands are expressions or plain values."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            raise absent(self, "q", name)

        def __getitem__(self, path):
            raise TypeError(f"In a filter, the value of a field is `q.field({path!r})`.")

    def field(self, path: str) -> Expression:
        """The value of a field, nested ones with dots: `q.field("author.name")`."""
        if not isinstance(path, str):
            raise BadRequest(f"Field paths are strings, found {path!r}.")
        return Expression({"$field": path})

    def eq(self, left: Any, right: Any) -> Expression:
        return _binary("$eq", left, right)

    def neq(self, left: Any, right: Any) -> Expression:
        return _binary("$neq", left, right)

    def lt(self, left: Any, right: Any) -> Expression:
        return _binary("$lt", left, right)

    def lte(self, left: Any, right: Any) -> Expression:
        return _binary("$lte", left, right)

    def gt(self, left: Any, right: Any) -> Expression:
        return _binary("$gt", left, right)

    def gte(self, left: Any, right: Any) -> Expression:
        return _binary("$gte", left, right)

    def add(self, left: Any, right: Any) -> Expression:
        return _binary("$add", left, right)

    def sub(self, left: Any, right: Any) -> Expression:
        return _binary("$sub", left, right)

    def mul(self, left: Any, right: Any) -> Expression:
        return _binary("$mul", left, right)

    def div(self, left: Any, right: Any) -> Expression:
        return _binary("$div", left, right)

    def mod(self, left: Any, right: Any) -> Expression:
        return _binary("$mod", left, right)

    def neg(self, operand: Any) -> Expression:
        return Expression({"$neg": _json(operand)})

    def not_(self, operand: Any) -> Expression:
        return Expression({"$not": _json(operand)})

    def and_(self, *operands: Any) -> Expression:
        return Expression({"$and": [_json(operand) for operand in operands]})

    def or_(self, *operands: Any) -> Expression:
        return Expression({"$or": [_json(operand) for operand in operands]})


def _binary(operator: str, left: Any, right: Any) -> Expression:
    return Expression({operator: [_json(left), _json(right)]})


def filter_json(condition: Any) -> Json:
    """The JSON of what a filter's callback returned: an expression, or a constant."""
    return _json(condition)


Shape = tuple[tuple[str, str], ...]
"""The kind and the field of each condition on an index."""


class _Chain:
    """Conditions collected by chained calls; each link can be continued once."""

    __slots__ = ("_conditions", "_used")
    _conditions: tuple[Any, ...]
    _used: bool

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            raise absent(self, "q", name)

        def __getitem__(self, path):
            raise TypeError(
                f"A condition on an index is `q.eq({path!r}, value)`, or `gt`, `gte`, `lt`, `lte`."
            )

    def _use(self) -> None:
        if self._used:
            raise BadRequest(
                f"{type(self).__name__} has already been used! Chain your method calls like "
                "`lambda q: q.eq(...).eq(...)`. See https://docs.convex.dev/using/indexes"
            )
        self._used = True


class IndexRangeBuilder(_Chain):
    """The `q` of `with_index`: equalities on the first fields, then bounds on the next one."""

    __slots__ = ("_values",)

    def __init__(self, shape: Shape = (), values: tuple[Any, ...] = ()) -> None:
        self._conditions = shape
        self._values = values
        self._used = False

    def _compared(self, kind: str, field: str, value: Any) -> IndexRangeBuilder:
        kind_of_value = type(value)
        if kind_of_value is int and -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            value = float(value)  # as `normalize` does
        elif kind_of_value is not float and value is not UNDEFINED:
            value = normalize(value)
        if self._used:
            self._use()
        self._used = True
        return IndexRangeBuilder((*self._conditions, (kind, field)), (*self._values, value))

    def export(self) -> tuple[Shape, tuple[Any, ...]]:
        """The conditions in the order they were said, and apart from them what each compares with."""
        self._use()
        return self._conditions, self._values

    def eq(self, field: str, value: Any) -> IndexRangeBuilder:
        return self._compared("Eq", field, value)

    def gt(self, field: str, value: Any) -> IndexRangeBuilder:
        return self._compared("Gt", field, value)

    def gte(self, field: str, value: Any) -> IndexRangeBuilder:
        return self._compared("Gte", field, value)

    def lt(self, field: str, value: Any) -> IndexRangeBuilder:
        return self._compared("Lt", field, value)

    def lte(self, field: str, value: Any) -> IndexRangeBuilder:
        return self._compared("Lte", field, value)


class SearchFilterBuilder(_Chain):
    """The `q` of `with_search_index`: one `search`, then equalities on filter fields."""

    __slots__ = ()

    def __init__(self, conditions: tuple[Json, ...] = ()) -> None:
        self._conditions = conditions
        self._used = False

    def _extended(self, kind: str, field: str, value: Any) -> SearchFilterBuilder:
        self._use()
        return SearchFilterBuilder((*self._conditions, {"type": kind, "fieldPath": field, "value": value}))

    def export(self) -> list[Json]:
        """All conditions in the order they were said."""
        self._use()
        return list(self._conditions)

    def search(self, field: str, text: str) -> SearchFilterBuilder:
        if not isinstance(text, str):
            raise BadRequest(f"The text to search for is a string, found {text!r}.")
        return self._extended("Search", field, text)

    def eq(self, field: str, value: Any) -> SearchFilterBuilder:
        return self._extended("Eq", field, encode_operand(value))


class VectorFilterBuilder:
    """The `q` of a vector search filter: `q.eq` and `q.or_` (js-runtime 3.6); for `ctx.db` also `q.and_`."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            raise absent(self, "q", name)

    def eq(self, field: str, value: Any) -> Expression:
        return Expression({"$eq": [{"$field": field}, {"$literal": encode_operand(value)}]})

    def and_(self, *operands: Expression) -> Expression:
        return Expression({"$and": [_json(operand) for operand in operands]})

    def or_(self, *operands: Expression) -> Expression:
        return Expression({"$or": [_json(operand) for operand in operands]})
