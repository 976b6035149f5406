"""What contexts ask of whoever runs the function: as a message says it, and of a transaction beside the code.

An operation on documents is an object that knows both forms. A message has its JSON; a transaction in this
process is asked with plain values, which nobody else has, and answers with JSON that nobody else has.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol

from parabola.authoring.filters import Shape
from parabola.authoring.operations import SYSCALL_VERSION
from parabola.values.encoding import encode

__all__ = [
    "LARGEST",
    "NOT_AT_ONCE",
    "Delete",
    "Documents",
    "Get",
    "Insert",
    "Json",
    "Order",
    "Patch",
    "Replace",
    "in_order",
    "is_name",
]

Json = dict[str, Any]
Order = Literal["asc", "desc"]

NOT_AT_ONCE: Final = object()
"""Stands for the answer of a request that is to be made by message."""
LARGEST: Final = 64 * 1024
"""Bytes of a value up to which nobody needs to know how long its JSON is: at most eight times that."""


class Documents(Protocol):
    """A transaction in this process. What is asked by these methods may be answered with `NOT_AT_ONCE`, and
    then nothing has happened.
    """

    def get(self, id: str, table: str | None, *, with_table: bool) -> Any:
        """The answer of `1.0/get`."""

    def insert(self, table: str, value: Json) -> Any:
        """The answer of `1.0/insert`."""

    def patch(self, id: str, table: str | None, fields: Json) -> Any:
        """The answer of `1.0/shallowMerge`."""

    def replace(self, id: str, table: str | None, value: Json) -> Any:
        """The answer of `1.0/replace`."""

    def delete(self, id: str, table: str | None) -> Any:
        """The answer of `1.0/remove`."""

    def rows(
        self,
        table: str,
        index: str,
        shape: Shape,
        values: tuple[Any, ...],
        order: Order,
        limit: int | None,
        batch: int,
    ) -> Any:
        """The answer of the first `1.0/queryStreamNext` of a query that ends with it, whose rows are all
        wanted; they are values already (`revive`). `values` has what each condition compares with.
        """


class Get:
    """`1.0/get` of a document in a table that users have made."""

    __slots__ = ("id", "table", "with_table")
    op: Final = "1.0/get"

    def __init__(self, id: str, table: str | None, with_table: bool) -> None:
        self.id = id
        self.table = table
        self.with_table = with_table

    def args(self) -> Json:
        args: Json = {"id": self.id, "isSystem": False, "version": SYSCALL_VERSION}
        if self.table is not None:
            args["table"] = self.table
        elif self.with_table:
            args["withTable"] = True
        return args

    def answer(self, documents: Documents) -> Any:
        return documents.get(self.id, self.table, with_table=self.with_table)


class Insert:
    """`1.0/insert`."""

    __slots__ = ("table", "value")
    op: Final = "1.0/insert"

    def __init__(self, table: str, value: Json) -> None:
        self.table = table
        self.value = value

    def args(self) -> Json:
        return {"table": self.table, "value": encode(self.value)}

    def answer(self, documents: Documents) -> Any:
        return documents.insert(self.table, in_order(self.value))


class _Change:
    __slots__ = ("id", "table", "value")

    def __init__(self, id: str, table: str | None, value: Json) -> None:
        self.id = id
        self.table = table
        self.value = value

    def args(self) -> Json:
        args: Json = {"id": self.id, "value": encode(self.value)}
        if self.table is not None:
            args["table"] = self.table
        return args


class Patch(_Change):
    """`1.0/shallowMerge`; a field that is `UNDEFINED` is to be removed."""

    __slots__ = ()
    op: Final = "1.0/shallowMerge"

    def answer(self, documents: Documents) -> Any:
        return documents.patch(self.id, self.table, in_order(self.value))


class Replace(_Change):
    """`1.0/replace`."""

    __slots__ = ()
    op: Final = "1.0/replace"

    def answer(self, documents: Documents) -> Any:
        return documents.replace(self.id, self.table, in_order(self.value))


class Delete:
    """`1.0/remove`."""

    __slots__ = ("id", "table")
    op: Final = "1.0/remove"

    def __init__(self, id: str, table: str | None) -> None:
        self.id = id
        self.table = table

    def args(self) -> Json:
        return {"id": self.id} if self.table is None else {"id": self.id, "table": self.table}

    def answer(self, documents: Documents) -> Any:
        return documents.delete(self.id, self.table)


def is_name(name: Any) -> bool:
    """Whether a name is a string like any other, which can be written and takes little room."""
    return type(name) is str and len(name) <= LARGEST and name.isascii()


def in_order(value: Any) -> Any:
    """The same with the members of all objects sorted by name, as they are when they have been JSON."""
    if type(value) is list:
        return [in_order(item) for item in value]
    if type(value) is not dict:
        return value
    ordered = {}
    for name in sorted(value):
        item = value[name]
        kind = type(item)
        ordered[name] = in_order(item) if kind is dict or kind is list else item
    return ordered
