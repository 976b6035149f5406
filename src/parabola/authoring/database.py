"""`ctx.db`: documents by id, queries on tables, and, in mutations, writes."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from parabola.authoring.absent import absent
from parabola.authoring.integer_places import IntegerPlaces
from parabola.authoring.operations import Operation, Pending, Syscalls, Wait, async_only
from parabola.authoring.query_builder import BaseQuery, Query, SyncQuery
from parabola.authoring.query_stream import Document, decode_document
from parabola.authoring.requests import LARGEST, Delete, Get, Insert, Patch, Replace, is_name
from parabola.authoring.search import SearchFilter, VectorFilter, hybrid_search, vector_search
from parabola.values.encoding import normalize
from parabola.values.errors import BadRequest
from parabola.values.placeholders import COMMIT_TS, UNDEFINED, CommitTs
from parabola.values.sizes import size_of
from parabola.values.validators.integers import Convert

__all__ = [
    "BaseReader",
    "BaseWriter",
    "DatabaseReader",
    "DatabaseVariables",
    "DatabaseWriter",
    "Json",
    "SyncDatabaseReader",
    "SyncDatabaseWriter",
    "SyncSystemReader",
    "SystemReader",
]

Json = dict[str, Any]
Write = Insert | Patch | Replace | Delete
QueryT = TypeVar("QueryT", bound=BaseQuery)

_WRITES: Final = frozenset({"insert", "patch", "replace", "delete", "vars"})


class DatabaseVariables:
    """`ctx.db.vars`: values that are only known when the mutation commits."""

    __slots__ = ()

    @property
    def commit_ts(self) -> CommitTs:
        """The commit timestamp, as a field to write: an Int64 of nanoseconds once it is known."""
        return COMMIT_TS


class BaseReader:
    """What readers of both styles share: the making of syscalls."""

    def __init__(self, syscalls: Syscalls, wait: Wait = async_only, *, is_system: bool = False) -> None:
        self._syscalls = syscalls
        self._wait = wait
        self._is_system = is_system

    if not TYPE_CHECKING:  # checkers would take every name for one that is there

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            if name in _WRITES:
                where = "a query" if self._syscalls.kind == "query" else "system tables"
                advice = (
                    "Make the function a mutation."
                    if self._syscalls.kind == "query"
                    else "System tables (prefixed with `_`) are read-only."
                )
                raise AttributeError(
                    f"There is no `db.{name}` in {where}: this database can only be read. {advice}"
                )
            raise absent(self, "ctx.db.system" if self._is_system else "ctx.db", name)

    def _get(self, table_or_id: str, id: str | None) -> Pending[Document | None]:
        table, id = _table_and_id("get", table_or_id, id)
        if table is not None:
            self._check_table(table)
        integers = self._syscalls.integer_places
        convert: Convert = _document_or_none
        with_table = False
        if table is None:
            with_table = integers.any_documents and not self._is_system
            if with_table:
                convert = partial(_document_of_table, integers)
        elif (of_table := integers.in_documents(table)) is not None:
            convert = partial(_document_or_none, integers=of_table)
        request = Get(id, table, with_table)
        if not self._is_system and is_name(id) and (table is None or is_name(table)):
            return Operation(self._syscalls.ask(request), convert)
        args = {**request.args(), "isSystem": self._is_system}
        return Operation(self._syscalls.call("1.0/get", args), convert)

    def _normalize_id(self, table: str, id: str) -> Pending[Any]:
        self._check_table(table)
        args = {"table": table, "idString": id}
        return Operation(self._syscalls.call("1.0/db/normalizeId", args), lambda result: result["id"])

    def _query(self, kind: type[QueryT], table: str) -> QueryT:
        if self._is_system or type(table) is not str or table[:1] == "_":
            self._check_table(table)
        return kind(self._syscalls, table, self._wait)

    def _check_table(self, table: Any) -> None:
        if not isinstance(table, str):
            raise BadRequest(f"The name of a table is a string. Received {table!r}.")
        if table.startswith("_") is not self._is_system:
            raise BadRequest(
                "User tables can only be accessed from db.query()."
                if self._is_system
                else "System tables can only be accessed from db.system.query()."
            )


class BaseWriter(BaseReader):
    """What writers of both styles share."""

    vars: Final = DatabaseVariables()

    def _insert(self, table: str, value: object) -> Pending[Any]:
        _check_writable(table)
        document = _document("insert", value)
        return Operation(self._ask(Insert(table, document), "", table, document), _inserted)

    def _patch(self, table_or_id: str, id: Any, fields: object) -> Pending[None]:
        table: str | None = None
        if fields is None and type(table_or_id) is str and id is not None:
            id, fields = table_or_id, id
        else:
            table, id, fields = _write_target("patch", table_or_id, id, fields)
        value = _document("patch", fields)
        if type(fields) is dict or isinstance(fields, Mapping):
            for name, item in fields.items():
                if item is UNDEFINED:
                    value[str.__str__(name)] = UNDEFINED
        return Operation(self._ask(Patch(id, table, value), id, table, value), _nothing)

    def _replace(self, table_or_id: str, id: Any, value: object) -> Pending[None]:
        table, id, value = _write_target("replace", table_or_id, id, value)
        document = _document("replace", value)
        return Operation(self._ask(Replace(id, table, document), id, table, document), _nothing)

    def _delete(self, table_or_id: str, id: str | None) -> Pending[None]:
        table, id = _table_and_id("delete", table_or_id, id)
        if table is not None:
            _check_writable(table)
        return Operation(self._ask(Delete(id, table), id, table, None), _nothing)

    def _ask(self, request: Write, id: str, table: str | None, value: Json | None) -> Awaitable[Any]:
        """Issue a write: as a call where nobody knows whether it can be written, and how long it is."""
        if is_name(id) and (table is None or is_name(table)) and (value is None or size_of(value) <= LARGEST):
            return self._syscalls.ask(request)
        return self._syscalls.call(request.op, request.args())


class SystemReader(BaseReader):
    """`ctx.db.system`: the system tables, such as `_storage` and `_scheduled_functions`."""

    def get(self, table_or_id: str, id: str | None = None, /) -> Pending[Document | None]:
        """A document by id, `None` when it does not exist."""
        return self._get(table_or_id, id)

    def query(self, table: str) -> Query:
        """A query on a system table."""
        return self._query(Query, table)

    def normalize_id(self, table: str, id: str) -> Pending[Any]:
        """The id a string stands for, if it is one of the table; `None` otherwise."""
        return self._normalize_id(table, id)


class DatabaseReader(SystemReader):
    """`ctx.db` in queries: `get`, `query`, `normalize_id`, `vector_search`, `hybrid_search` and `system`.

    `get(id)` and `get(table, id)` are the same, but the second refuses an id of another table.
    """

    @property
    def system(self) -> SystemReader:
        """The system tables."""
        return SystemReader(self._syscalls, self._wait, is_system=True)

    def vector_search(
        self,
        table: str,
        index: str,
        *,
        vector: list[float],
        limit: int | None = None,
        filter: VectorFilter | None = None,
        minimum_score: float | None = None,
    ) -> Pending[list[dict[str, Any]]]:
        """The documents whose vectors point the nearest way: a list of `{"_id", "_score"}`, best first.

        A score is a cosine, from -1 to 1. What is found is a part of the transaction: a live query runs again
        when another document would be among them.
        """
        return vector_search(self._syscalls, table, index, vector, limit, filter, minimum_score)

    def hybrid_search(
        self,
        table: str,
        *,
        search_index: str,
        search: SearchFilter,
        vector_index: str,
        vector: list[float],
        limit: int | None = None,
        filter: VectorFilter | None = None,
    ) -> Pending[list[dict[str, Any]]]:
        """What a text search and a vector search of a table find, as one list of `{"_id", "_score"}`.

        `search` is that of `with_search_index`, `filter` that of `vector_search`. A document's score comes
        from its place in either list: 1 / (60 + place), added.
        """
        return hybrid_search(self._syscalls, table, search_index, search, vector_index, vector, limit, filter)


class DatabaseWriter(BaseWriter, DatabaseReader):
    """`ctx.db` in mutations: what readers have, and writes, which become true together, at the end."""

    def insert(self, table: str, value: object) -> Pending[Any]:
        """Add a document (a dict, dataclass or struct); gives its id."""
        return self._insert(table, value)

    def patch(self, table_or_id: str, id_or_fields: Any, fields: object = None, /) -> Pending[None]:
        """Set the given fields and keep the others; a field given as `UNDEFINED` is removed."""
        return self._patch(table_or_id, id_or_fields, fields)

    def replace(self, table_or_id: str, id_or_value: Any, value: object = None, /) -> Pending[None]:
        """Give the document these fields and no others."""
        return self._replace(table_or_id, id_or_value, value)

    def delete(self, table_or_id: str, id: str | None = None, /) -> Pending[None]:
        """Remove the document."""
        return self._delete(table_or_id, id)


class SyncSystemReader(BaseReader):
    """`ctx.db.system` in plain `def` functions."""

    def get(self, table_or_id: str, id: str | None = None, /) -> Document | None:
        """A document by id, `None` when it does not exist."""
        return self._wait(self._get(table_or_id, id))

    def query(self, table: str) -> SyncQuery:
        """A query on a system table."""
        return self._query(SyncQuery, table)

    def normalize_id(self, table: str, id: str) -> Any:
        """The id a string stands for, if it is one of the table; `None` otherwise."""
        return self._wait(self._normalize_id(table, id))


class SyncDatabaseReader(SyncSystemReader):
    """`ctx.db` in plain `def` queries."""

    @property
    def system(self) -> SyncSystemReader:
        """The system tables."""
        return SyncSystemReader(self._syscalls, self._wait, is_system=True)

    def vector_search(
        self,
        table: str,
        index: str,
        *,
        vector: list[float],
        limit: int | None = None,
        filter: VectorFilter | None = None,
        minimum_score: float | None = None,
    ) -> list[dict[str, Any]]:
        """The documents whose vectors point the nearest way: a list of `{"_id", "_score"}`, best first.

        A score is a cosine, from -1 to 1. What is found is a part of the transaction: a live query runs again
        when another document would be among them.
        """
        return self._wait(vector_search(self._syscalls, table, index, vector, limit, filter, minimum_score))

    def hybrid_search(
        self,
        table: str,
        *,
        search_index: str,
        search: SearchFilter,
        vector_index: str,
        vector: list[float],
        limit: int | None = None,
        filter: VectorFilter | None = None,
    ) -> list[dict[str, Any]]:
        """What a text search and a vector search of a table find, as one list of `{"_id", "_score"}`.

        `search` is that of `with_search_index`, `filter` that of `vector_search`. A document's score comes
        from its place in either list: 1 / (60 + place), added.
        """
        return self._wait(
            hybrid_search(self._syscalls, table, search_index, search, vector_index, vector, limit, filter)
        )


class SyncDatabaseWriter(BaseWriter, SyncDatabaseReader):
    """`ctx.db` in plain `def` mutations."""

    def insert(self, table: str, value: object) -> Any:
        """Add a document (a dict, dataclass or struct); its id."""
        return self._wait(self._insert(table, value))

    def patch(self, table_or_id: str, id_or_fields: Any, fields: object = None, /) -> None:
        """Set the given fields and keep the others; a field given as `UNDEFINED` is removed."""
        self._wait(self._patch(table_or_id, id_or_fields, fields))

    def replace(self, table_or_id: str, id_or_value: Any, value: object = None, /) -> None:
        """Give the document these fields and no others."""
        self._wait(self._replace(table_or_id, id_or_value, value))

    def delete(self, table_or_id: str, id: str | None = None, /) -> None:
        """Remove the document."""
        self._wait(self._delete(table_or_id, id))


def _table_and_id(method: str, table_or_id: Any, id: Any) -> tuple[str | None, str]:
    table, id = (None, table_or_id) if id is None else (table_or_id, id)
    if not isinstance(id, str):
        raise BadRequest(
            f"Invalid argument `id` for `db.{method}`, expected string but got '{type(id).__name__}': {id!r}"
        )
    return table, str(id)


def _write_target(method: str, table_or_id: Any, id: Any, value: Any) -> tuple[str | None, str, Any]:
    """Tell `(id, value)` from `(table, id, value)`."""
    if value is None:
        table_or_id, id, value = None, table_or_id, id
    if value is None:
        raise TypeError(f"Must provide arg 2 `value` to `{method}`")
    if table_or_id is not None:
        _check_writable(table_or_id)
    _, id = _table_and_id(method, id, None)
    return table_or_id, id, value


def _check_writable(table: Any) -> None:
    if not isinstance(table, str):
        raise BadRequest(f"The name of a table is a string. Received {table!r}.")
    if table.startswith("_"):
        raise BadRequest("System tables (prefixed with `_`) are read-only.")


def _document(method: str, value: object) -> Json:
    """What is to be written, as a value that nobody else has."""
    normal = normalize(value)
    if type(normal) is not dict:
        raise BadRequest(f"Invalid argument `value` for `db.{method}`: Value must be an Object")
    return normal


def _document_or_none(json: Any, integers: Convert | None = None) -> Document | None:
    return None if json is None else decode_document(json, integers)


def _document_of_table(integers: IntegerPlaces, json: Any) -> Document | None:
    if json is None:
        return None
    return decode_document(json["document"], integers.in_documents(json["table"]))


def _inserted(json: Any) -> Any:
    return json["_id"]


def _nothing(_: Any) -> None:
    return None
