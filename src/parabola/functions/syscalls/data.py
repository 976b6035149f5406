"""Operations on documents: get, insert, patch, replace, delete, count, normalizeId (js-runtime §1.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from parabola.functions.syscalls.table import TRANSACTIONAL, CallArguments, Syscall
from parabola.values.encoding import decode
from parabola.values.errors import InvalidId, UserError

if TYPE_CHECKING:
    from parabola.functions.calls.execution import Execution

__all__ = [
    "MUTATIONS",
    "SYSCALLS",
    "count",
    "get",
    "insert",
    "normalize_id",
    "remove",
    "replace",
    "shallow_merge",
]

MUTATIONS: Final = frozenset(
    {"mutation", "query"}
)  # a query that writes gets a sentence about it, not an unknown operation


async def get(execution: Execution, args: Mapping[str, Any]) -> Any:
    """One document by id, `None` when there is none; with its table if the host asks for that too."""
    system = bool(args.get("isSystem"))
    call = CallArguments(args, "db.system.get" if system else "db.get")
    document_id = call.string("id")
    try:
        document = await execution.db.get(document_id, table=call.optional_string("table"), system=system)
    except InvalidId as error:
        raise call.bad("id", error) from None
    if document is None:
        return None
    raw = orjson.Fragment(document.raw)
    return {"table": document.table.name, "document": raw} if args.get("withTable") is True else raw


async def insert(execution: Execution, args: Mapping[str, Any]) -> Any:
    """A new document; answers its id."""
    call = CallArguments(args, "db.insert")
    value = _document(call, args.get("value"))
    return {"_id": await execution.db.insert(call.string("table"), value)}


async def shallow_merge(execution: Execution, args: Mapping[str, Any]) -> Any:
    """Merge top-level fields; `$undefined` removes one."""
    call = CallArguments(args, "db.patch")
    value = _document(call, args.get("value"), allow_undefined=True)
    document_id = call.string("id")
    try:
        await execution.db.patch(document_id, value, table=call.optional_string("table"))
    except InvalidId as error:
        raise call.bad("id", error) from None
    return None


async def replace(execution: Execution, args: Mapping[str, Any]) -> Any:
    """Replace everything but the system fields."""
    call = CallArguments(args, "db.replace")
    value = _document(call, args.get("value"))
    document_id = call.string("id")
    try:
        await execution.db.replace(document_id, value, table=call.optional_string("table"))
    except InvalidId as error:
        raise call.bad("id", error) from None
    return None


async def remove(execution: Execution, args: Mapping[str, Any]) -> Any:
    """Delete a document."""
    call = CallArguments(args, "db.delete")
    document_id = call.string("id")
    try:
        await execution.db.delete(document_id, table=call.optional_string("table"))
    except InvalidId as error:
        raise call.bad("id", error) from None
    return None


async def count(execution: Execution, args: Mapping[str, Any]) -> Any:
    """Number of documents of a table, pending writes included."""
    table = CallArguments(args, "db.count").string("table")
    return await execution.db.count(table, system=table.startswith("_"))


async def normalize_id(execution: Execution, args: Mapping[str, Any]) -> Any:
    """The id in its canonical form if it is one of this table, else null."""
    call = CallArguments(args, "db.normalizeId")
    return {"id": execution.db.normalize_id(call.string("table"), call.string("idString"))}


def _document(call: CallArguments, encoded: Any, *, allow_undefined: bool = False) -> dict[str, Any]:
    if not isinstance(encoded, dict):
        raise call.missing("value") if encoded is None else call.bad("value", "Value must be an Object")
    try:
        value = decode(encoded, allow_undefined=allow_undefined, allow_commit_ts=True)
    except UserError as error:
        raise call.bad("value", error) from None
    if not isinstance(value, dict):
        raise call.bad("value", "Value must be an Object")
    return value


SYSCALLS: Final = (
    Syscall("1.0/get", get, TRANSACTIONAL),
    Syscall("1.0/insert", insert, MUTATIONS, writes=True),
    Syscall("1.0/shallowMerge", shallow_merge, MUTATIONS, writes=True),
    Syscall("1.0/replace", replace, MUTATIONS, writes=True),
    Syscall("1.0/remove", remove, MUTATIONS, writes=True),
    Syscall("1.0/count", count, TRANSACTIONAL),
    Syscall("1.0/db/normalizeId", normalize_id, TRANSACTIONAL),
)
