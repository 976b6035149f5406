"""`_generated/server.pyi`: contexts, documents and indexes as the schema has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parabola.authoring.field_paths import field_paths
from parabola.authoring.python_types.python_types import (
    Json,
    TypeWriter,
    camel,
    is_attribute,
    literal_union,
    member_names,
    object_members,
    quoted,
    type_at,
    union_of,
)
from parabola.authoring.python_types.texts import HEADER, RE_EXPORTED, re_exports

__all__ = ["SchemaTypes", "schema_types", "server_stub"]

_HEAD: Final = (
    HEADER
    + """\
# mypy: disable-error-code="override,misc"
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportPrivateUsage=false, reportUnusedImport=false, reportOverlappingOverload=false
\"\"\"The contexts of this project's functions, which know its tables and functions.\"\"\"

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Never, TypeAlias, TypedDict, overload
from uuid import UUID

from typing_extensions import NotRequired, ReadOnly

from parabola.authoring.filters import Expression
from parabola.authoring.operations import Pending
from parabola.authoring.typed_contexts import (
    AnyTableQuery,
    FilterBuilder,
    IndexFields,
    IndexRange,
    Items,
    OrderedQuery,
    Query,
    Record,
    ScheduledFunction,
    Search,
    SearchFilter,
    StoredFile,
    SyncAnyTableQuery,
    SyncOrderedQuery,
    SyncQuery,
    SyncTableQuery,
    SyncTypedActionCtx,
    SyncTypedMutationCtx,
    SyncTypedQueryCtx,
    SyncTypedReader,
    SyncTypedWriter,
    TableQuery,
    TypedActionCtx,
    TypedMutationCtx,
    TypedQueryCtx,
    TypedReader,
    TypedWriter,
    TransactionalVectorFilter,
    VectorFilter,
    VectorResult,
)
from parabola.values.placeholders import CommitTs, Undefined

"""
)
_REFERENCES: Final = """\

from .api import api as api
from .api import components as components
from .api import internal as internal
"""

FORMS: Final = {"doc": "Doc", "new": "NewDoc", "patch": "PatchDoc"}


class SchemaTypes:
    """The types of one schema: their definitions, and what each table is called."""

    def __init__(self, schema: Mapping[str, Any] | None) -> None:
        self.writer = TypeWriter(_taken())
        self.is_open = schema is None or not schema.get("schemaValidation", False)
        """Whether a table that is not named may hold anything."""
        self.tables = sorted((schema or {}).get("tables", []), key=lambda table: str(table["tableName"]))
        self.names: dict[str, str] = {}
        for table in self.tables:
            # Every document has its name before any object in one is given one.
            name = table["tableName"]
            self.names[name] = self._free(camel(name) or name)
        self.index_types: dict[tuple[str, str], str] = {}
        for table in self.tables:
            self._describe(table)

    def _free(self, wanted: str) -> str:
        taken = self.writer.taken
        name, number = wanted, 1
        while not taken.isdisjoint(_names_of(name)):
            number += 1
            name = f"{wanted}{number}"
        taken.update(_names_of(name))
        return name

    def _describe(self, table: Mapping[str, Any]) -> None:
        table_name, name, writer = table["tableName"], self.names[table["tableName"]], self.writer
        for form in FORMS:
            writer.documents[form, table_name] = {"doc": name, "new": f"New{name}", "patch": f"Patch{name}"}[
                form
            ]
        members = object_members(table.get("documentType") or {"type": "any"})
        if members is None:
            for alias in (name, f"New{name}", f"Patch{name}"):
                writer.alias(alias, "Document")
            for alias in (f"_{name}", f"_{name}Replacement", f"_{name}Patch"):
                writer.alias(alias, "Mapping[str, Any]")
            return
        names = [name] if len(members) == 1 else self._member_names(members, name)
        for member, own in zip(members, names, strict=True):
            self._describe_member(table_name, member, own)
        if len(names) > 1:
            for prefix, suffix in (("", ""), ("New", ""), ("_", ""), ("_", "Replacement")):
                writer.alias(f"{prefix}{name}{suffix}", union_of(f"{prefix}{own}{suffix}" for own in names))
        self._describe_patch(members, name)

    def _member_names(self, members: list[Json], name: str) -> list[str]:
        return [self._free(wanted) for wanted in member_names(members, name)]

    def _describe_member(self, table: str, member: Json, name: str) -> None:
        writer = self.writer
        id = f"Literal[{quoted(table)}]"
        system = {"_id": id, "_creationTime": "float"}
        read = writer.fields(member, name, "read")
        writer.knows(_whole(table, member), "read", name)
        writer.knows(member, "read", f"New{name}")
        writer.knows(member, "write", f"_{name}")
        writer.define(name, {**system, **read})
        writer.define(f"New{name}", read)
        writer.define(f"_{name}", writer.fields(member, name, "write"))
        replaced = {each: f"NotRequired[ReadOnly[{type}]]" for each, type in system.items()}
        writer.define(f"_{name}Replacement", replaced, base=f"_{name}")

    def _describe_patch(self, members: list[Json], name: str) -> None:
        """A patch may say any field of any member, and `UNDEFINED` where a field may be absent."""
        writer = self.writer
        optional = {
            each: any(each not in member["value"] or member["value"][each]["optional"] for member in members)
            for member in members
            for each in member["value"]
        }
        for mode, own in (("read", f"Patch{name}"), ("write", f"_{name}Patch")):
            fields: dict[str, str] = {}
            for each, is_optional in optional.items():
                types = [
                    type
                    for member, of in zip(members, self._names_within(members, name), strict=True)
                    if each in member["value"]
                    for type in writer.alternatives(
                        member["value"][each]["fieldType"],
                        of + camel(each),
                        "read" if mode == "read" else "write",
                    )
                ]
                type = union_of([*types, "Undefined"] if is_optional else types)
                fields[each] = type if mode == "read" else f"ReadOnly[{type}]"
            writer.define(own, fields, total=False)

    def _names_within(self, members: list[Json], name: str) -> list[str]:
        return [name] if len(members) == 1 else member_names(members, name)

    def document(self, table: Mapping[str, Any]) -> Json:
        """The validator of a table's documents, with the system fields."""
        members = object_members(table.get("documentType") or {"type": "any"})
        if members is None:
            return {"type": "any"}
        whole = [_whole(table["tableName"], member) for member in members]
        return whole[0] if len(whole) == 1 else {"type": "union", "value": whole}


def _whole(table: str, member: Json) -> Json:
    id = {"fieldType": {"type": "id", "tableName": table}, "optional": False}
    created = {"fieldType": {"type": "number"}, "optional": False}
    return {"type": "object", "value": {"_id": id, "_creationTime": created, **member["value"]}}


def schema_types(schema: Mapping[str, Any] | None) -> SchemaTypes:
    """The types of a schema (its JSON), or of none."""
    return SchemaTypes(schema)


def server_stub(types: SchemaTypes) -> str:
    """The text of `server.pyi`."""
    queries = "".join(_query_classes(types, table) for table in types.tables)
    body = [
        _HEAD,
        re_exports(RE_EXPORTED),
        _REFERENCES,
        *(f"\n{text}" for text in types.writer.definitions.values()),
        *(f"\n{text}" for text in (_hints(types, form) for form in FORMS)),
        queries,
        _databases(types),
        _contexts(types),
    ]
    return "".join(body)


def _names_of(name: str) -> set[str]:
    return {
        f"{prefix}{name}{suffix}"
        for prefix, suffix in (
            ("", ""), ("New", ""), ("Patch", ""), ("_", ""), ("_", "Replacement"), ("_", "Patch"),
            ("_", "Query"), ("_Sync", "Query"), ("_", "Filter"),
        )
    }  # fmt: skip


def _taken() -> set[str]:
    words = set(_HEAD.replace(",", " ").replace("(", " ").replace(")", " ").split())
    return {word for word in words if word.isidentifier()} | set(RE_EXPORTED) | set(FORMS.values()) | {
        "list", "dict", "str", "int", "float", "bool", "bytes", "Doc", "NewDoc", "PatchDoc",
        "DatabaseReader", "DatabaseWriter", "SyncDatabaseReader", "SyncDatabaseWriter",
        "QueryCtx", "MutationCtx", "ActionCtx", "SyncQueryCtx", "SyncMutationCtx", "SyncActionCtx",
    }  # fmt: skip


_ABOUT: Final = {
    "doc": "Hints for documents: `Doc.tasks` is one of the table `tasks`, with its system fields.",
    "new": "Hints for documents that are to be inserted: without system fields.",
    "patch": "Hints for the changes that `patch` takes: any of the fields.",
}
_SYSTEM_DOCUMENTS: Final = {"_storage": "StoredFile", "_scheduled_functions": "ScheduledFunction"}


def _hints(types: SchemaTypes, form: str) -> str:
    lines = [f"class {FORMS[form]}:\n", f'    """{_ABOUT[form]}"""\n\n']
    for table in types.tables:
        name = table["tableName"]
        own = name if is_attribute(name) else f"{name}_"
        if is_attribute(own):
            lines.append(f"    {own}: TypeAlias = {types.writer.documents[form, name]}\n")
    if form == "doc":
        lines += [f"    {name}: TypeAlias = {type}\n" for name, type in _SYSTEM_DOCUMENTS.items()]
    return "".join(lines)


def _query_classes(types: SchemaTypes, table: Mapping[str, Any]) -> str:
    name = types.names[table["tableName"]]
    document = types.document(table)
    paths = list(dict.fromkeys(field_paths(document)))
    known = [path for path in paths if path is not None]
    path_type = "str" if None in paths else literal_union(known)
    of = f"{name}, _{name}Filter"
    indexes = _indexes(types, table, document)
    parts = [f"\nclass _{name}Filter(FilterBuilder[{path_type}]): ...\n"]
    parts += [f"\nclass {own}({range}): ...\n" for own, range in indexes.values()]
    for is_sync in (False, True):
        prefix = "Sync" if is_sync else ""
        methods = _with_index(indexes, f"{prefix}Query[{of}]")
        methods += _with_search_index(table, f"{prefix}OrderedQuery[{of}]")
        parts.append(f"\nclass _{prefix}{name}Query({prefix}TableQuery[{of}]):\n{methods}")
    return "".join(parts)


def _indexes(types: SchemaTypes, table: Mapping[str, Any], document: Json) -> dict[str, tuple[str, str]]:
    """Index -> the name of the class of its ranges, and what that is made from."""
    name = types.names[table["tableName"]]
    fields_of = {"by_creation_time": ["_creationTime"], "by_id": ["_id"]}
    for index in table.get("indexes", []):
        fields = list(index["fields"])
        # An analysed schema ends each index with it, a declared one does not.
        fields_of[index["indexDescriptor"]] = (
            fields if "_creationTime" in fields else [*fields, "_creationTime"]
        )
    indexes = {}
    for index_name, fields in fields_of.items():
        range = "IndexRange"
        for each in reversed(fields):
            value = type_at(types.writer, document, each, name)
            range = f"IndexFields[Literal[{quoted(each)}], {value}, {range}]"
        indexes[index_name] = (types.writer.name(f"_{name}{camel(index_name)}"), range)
    return indexes


def _with_index(indexes: Mapping[str, tuple[str, str]], result: str) -> str:
    return _overloaded(
        [
            f"with_index(self, name: Literal[{quoted(index)}], "
            f"range: Callable[[{range}], IndexRange] | None = None) -> {result}"
            for index, (range, _) in indexes.items()
        ]
    )


def _with_search_index(table: Mapping[str, Any], result: str) -> str:
    return _overloaded(
        [
            f"with_search_index(self, name: Literal[{quoted(index['indexDescriptor'])}], "
            f"filter: {_text_search(index)}) -> {result}"
            for index in table.get("searchIndexes", [])
        ]
    )


def _overloaded(signatures: list[str]) -> str:
    """Methods of one name: overloads, if there are several."""
    head = "    @overload\n" if len(signatures) > 1 else ""
    return "".join(f"{head}    def {signature}: ...\n" for signature in signatures)


def _databases(types: SchemaTypes) -> str:
    parts = []
    for is_sync in (False, True):
        prefix = "Sync" if is_sync else ""
        parts.append(
            f"\nclass {prefix}DatabaseReader({prefix}TypedReader):\n"
            '    """`ctx.db` in queries."""\n\n' + _reading(types, is_sync=is_sync)
        )
        parts.append(
            f"\nclass {prefix}DatabaseWriter({prefix}DatabaseReader, {prefix}TypedWriter):\n"
            '    """`ctx.db` in mutations."""\n\n' + _writing(types, is_sync=is_sync)
        )
    return "".join(parts)


def _result(type: str, is_sync: bool) -> str:
    return type if is_sync else f"Pending[{type}]"


def _reading(types: SchemaTypes, *, is_sync: bool) -> str:
    prefix = "Sync" if is_sync else ""
    by_id, by_table, queries, normalized = [], [], [], []
    for table in types.tables:
        table_name, name = quoted(table["tableName"]), types.names[table["tableName"]]
        found = _result(f"{name} | None", is_sync)
        by_id.append(f"get(self, id: Literal[{table_name}], /) -> {found}")
        by_table.append(f"get(self, table: Literal[{table_name}], id: Literal[{table_name}], /) -> {found}")
        queries.append(f"query(self, table: Literal[{table_name}]) -> _{prefix}{name}Query")
        normalized.append(
            f"normalize_id(self, table: Literal[{table_name}], id: str) -> "
            + _result(f"Literal[{table_name}] | None", is_sync)
        )
    # Which table a string is an id of, a checker may have lost on the way: pyright in a list it infers.
    found = _result("Document | None", is_sync)
    by_id.append(f"get(self, id: str, /) -> {found}")
    if types.is_open:
        by_table.append(f"get(self, table: str, id: str, /) -> {found}")
        queries.append(f"query(self, table: str) -> {prefix}AnyTableQuery")
        normalized.append(f"normalize_id(self, table: str, id: str) -> {_result('Any', is_sync)}")
    vectors = _vector_searches(types, is_sync=is_sync, in_transaction=True)
    hybrids = _hybrid_searches(types, is_sync=is_sync)
    methods = ([*by_id, *by_table], queries, normalized, vectors, hybrids)
    return "".join(map(_overloaded, methods)) or "    pass\n"


def _writing(types: SchemaTypes, *, is_sync: bool) -> str:
    inserts, patches, replaces, deletes = [], [], [], []
    nothing = _result("None", is_sync)
    known = [(quoted(table["tableName"]), types.names[table["tableName"]]) for table in types.tables]
    for table, name in known:
        inserts.append(
            f"insert(self, table: Literal[{table}], value: _{name} | Record) -> "
            + _result(f"Literal[{table}]", is_sync)
        )
        patches.append(f"patch(self, id: Literal[{table}], fields: _{name}Patch | Record, /) -> {nothing}")
        replaces.append(
            f"replace(self, id: Literal[{table}], value: _{name} | _{name}Replacement | Record, /) "
            f"-> {nothing}"
        )
    for table, name in known:
        both = f"table: Literal[{table}], id: Literal[{table}]"
        patches.append(f"patch(self, {both}, fields: _{name}Patch | Record, /) -> {nothing}")
        replaces.append(
            f"replace(self, {both}, value: _{name} | _{name}Replacement | Record, /) -> {nothing}"
        )
    deletes.append(f"delete(self, id: str, /) -> {nothing}")
    deletes += [
        f"delete(self, table: Literal[{table}], id: Literal[{table}], /) -> {nothing}" for table, _ in known
    ]
    if types.is_open:
        value = "Mapping[str, Any] | Record"
        inserts.append(f"insert(self, table: str, value: {value}) -> {_result('Any', is_sync)}")
        for methods, verb, what in ((patches, "patch", "fields"), (replaces, "replace", "value")):
            methods.append(f"{verb}(self, id: str, {what}: {value}, /) -> {nothing}")
            methods.append(f"{verb}(self, table: str, id: str, {what}: {value}, /) -> {nothing}")
        deletes.append(f"delete(self, table: str, id: str, /) -> {nothing}")
    return "".join(map(_overloaded, (inserts, patches, replaces, deletes))) or "    pass\n"


def _contexts(types: SchemaTypes) -> str:
    searches = {
        is_sync: _overloaded(_vector_searches(types, is_sync=is_sync, in_transaction=False)) or "    pass\n"
        for is_sync in (False, True)
    }
    parts = []
    for prefix, style in (("", "`async def`"), ("Sync", "plain `def`")):
        parts.append(f'''
class {prefix}QueryCtx({prefix}TypedQueryCtx[{prefix}DatabaseReader]):
    """The context of {style} queries."""

class {prefix}MutationCtx({prefix}TypedMutationCtx[{prefix}DatabaseWriter], {prefix}QueryCtx):
    """The context of {style} mutations."""

class {prefix}ActionCtx({prefix}TypedActionCtx):
    """The context of {style} actions."""

{searches[bool(prefix)]}''')
    return "".join(parts)


def _vector_searches(types: SchemaTypes, *, is_sync: bool, in_transaction: bool) -> list[str]:
    minimum = "minimum_score: float | None = None, " if in_transaction else ""
    return [
        f"vector_search(self, table: Literal[{quoted(table['tableName'])}], "
        f"index: Literal[{quoted(index['indexDescriptor'])}], *, vector: list[float], "
        f"limit: int | None = None, {minimum}"
        f"filter: {_vector_filter(index, in_transaction=in_transaction)} = None) -> "
        + _result(_vector_results(table), is_sync)
        for table in types.tables
        for index in table.get("vectorIndexes", [])
    ]


def _hybrid_searches(types: SchemaTypes, *, is_sync: bool) -> list[str]:
    return [
        f"hybrid_search(self, table: Literal[{quoted(table['tableName'])}], *, "
        f"search_index: Literal[{quoted(text['indexDescriptor'])}], search: {_text_search(text)}, "
        f"vector_index: Literal[{quoted(index['indexDescriptor'])}], vector: list[float], "
        f"limit: int | None = None, filter: {_vector_filter(index, in_transaction=True)} = None) -> "
        + _result(_vector_results(table), is_sync)
        for table in types.tables
        for text in table.get("searchIndexes", [])
        for index in table.get("vectorIndexes", [])
    ]


def _vector_filter(index: Mapping[str, Any], *, in_transaction: bool) -> str:
    filters = index.get("filterFields", [])
    builder = "TransactionalVectorFilter" if in_transaction else "VectorFilter"
    return f"Callable[[{builder}[{literal_union(filters) if filters else 'Never'}]], Expression] | None"


def _vector_results(table: Mapping[str, Any]) -> str:
    return f"list[VectorResult[Literal[{quoted(table['tableName'])}]]]"


def _text_search(index: Mapping[str, Any]) -> str:
    filters = index.get("filterFields", [])
    filtered = literal_union(filters) if filters else "Never"
    return (
        f"Callable[[Search[Literal[{quoted(index['searchField'])}], {filtered}]], SearchFilter[{filtered}]]"
    )
