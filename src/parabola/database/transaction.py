"""Writing: a snapshot with an overlay of pending writes that its own reads see.

Nothing leaves the transaction before `Database.commit`. Every write is checked against the active schema;
one that only the schema of a push under way forbids makes that push fail instead (semantics 3.5).
"""

from __future__ import annotations

import math
import random as random_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from parabola.database.commits.overlay import PendingWrite
from parabola.database.commits.write_set import is_effective
from parabola.database.model.documents import PENDING, Document, Revision
from parabola.database.model.indexes import BY_CREATION_TIME, BY_ID, Index, id_key, prefix_interval
from parabola.database.model.intervals import Interval, ReadSet
from parabola.database.model.schema_rows import StagedValidator
from parabola.database.model.system_tables import (
    COMPONENT_TABLES,
    INDEXES,
    SCHEMAS,
    STAGED_VALIDATORS,
    SYSTEM_TABLES,
    TABLES,
    TABLES_BY_NUMBER,
    VIRTUAL_TABLES,
)
from parabola.database.model.table_plans import table_plan
from parabola.database.model.tables import (
    METADATA_TABLES,
    Registry,
    SchemaRow,
    Table,
    TableState,
    row_of_index,
    row_of_table,
)
from parabola.database.snapshot import Access, Snapshot
from parabola.database.usage import Usage, Written
from parabola.values.encoding import dumps, dumps_plain
from parabola.values.errors import BadRequest, InvalidValue, ValidationError
from parabola.values.ids import day_of, new_id
from parabola.values.limits import MAX_TABLES
from parabola.values.names import check_identifier
from parabola.values.placeholders import UNDEFINED
from parabola.values.sizes import check_document, flat_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from parabola.database.commits.chain import Link
    from parabola.database.database import Database, ExecutorStart

__all__ = ["Savepoint", "Transaction"]

_UNDEFINED_JSON: Final = dumps(UNDEFINED)
"""In a document's JSON only an undefined inside it reads like this."""


class Savepoint(NamedTuple):
    """A state of a transaction's writes, to go back to with `Transaction.rollback_to`."""

    position: int
    registry: Registry
    written: Written


class Transaction(Snapshot):
    """A snapshot one can write to. `commit` on the database ends it; to abort, just forget it."""

    def __init__(
        self,
        database: Database,
        begin_ts: int,
        registry: Registry,
        usage: Usage,
        *,
        now_ms: float,
        random: random_module.Random | None = None,
        writable: bool = True,
        generation: int = 0,
        after: int = 0,
    ) -> None:
        super().__init__(database, begin_ts, registry, usage)
        self.writable = writable
        self.after = after
        """The timestamp of a commit without which this one must not be."""
        self.generation = generation
        """How many times uncommitted state had been rolled back when this transaction began."""
        self._random = random
        self._shared.has_chosen_ids = random is not None
        self._schemas_read: set[str] = set()
        self._now_ms = now_ms
        self._shared.next_creation_time = max((begin_ts + 1) / 1e6, now_ms)

    @property
    def is_committed(self) -> bool:
        """Whether it has been handed to the committer."""
        return self._shared.is_committed

    @is_committed.setter
    def is_committed(self, value: bool) -> None:
        self._shared.is_committed = value

    @property
    def builds_on(self) -> Sequence[Link]:
        """The transactions whose writes it has read, though they were not committed yet."""
        return self._shared.builds_on

    @property
    def chained_reads(self) -> ReadSet | None:
        """What has been read together with the writes of those; `read_set` was read without them."""
        return self._shared.chained_reads

    def build_on(self, links: Sequence[Link], reads: ReadSet) -> None:
        """It has read what these have written, before they were committed, in the course of these reads."""
        self._shared.builds_on, self._shared.chained_reads = links, reads

    @property
    def next_creation_time(self) -> float:
        """The creation time of the next insert, in milliseconds since 1970."""
        return self._shared.next_creation_time

    @next_creation_time.setter
    def next_creation_time(self, value: float) -> None:
        self._shared.next_creation_time = value

    def executor_start(self) -> ExecutorStart | None:
        """See `Database.executor_start`."""
        return self._database.executor_start(self)

    @property
    def began_with(self) -> Registry:
        """Tables, indexes and schemas as of the beginning."""
        return self._begin_registry

    def foretell_ids(self, inserts: Mapping[str, int]) -> dict[str, list[str]]:
        """The ids that the next inserts will have, so many into each table; of tables that there are."""
        told: dict[str, list[str]] = {}
        foretold = self._shared.foretold_ids = {}
        for name, count in inserts.items():
            table = self.registry.table(name, self.component)
            if table is not None:
                told[name] = [self._new_id(table) for _ in range(count)]
                foretold[table.tablet_id] = told[name][::-1]
        return told

    def take_foretold_ids(self, other: Transaction) -> None:
        """Inserts will have the ids that were foretold by another transaction, which is given up."""
        self._shared.foretold_ids = other._shared.foretold_ids

    @property
    def has_chosen_ids(self) -> bool:
        """Whether ids come from elsewhere than the system's randomness, so that they may not be new."""
        return self._shared.has_chosen_ids

    # User writes

    async def insert(self, table: str, value: dict[str, Any]) -> str:
        """Adds a document and returns its id; the table is created with its first document."""
        return self.insert_now(table, value)

    def insert_now(self, table: str, value: dict[str, Any]) -> str:
        """What `insert` does. The transaction keeps what is in `value`."""
        if not isinstance(value, dict):
            raise BadRequest(
                "Invalid argument `value` for `db.insert`: Value must be an Object", "InvalidArgument"
            )
        if table in VIRTUAL_TABLES:
            raise BadRequest(f"{table} is a read-only table", "ReadOnlyTable")
        if table.startswith("_"):
            raise BadRequest(
                f"Invalid table name {table} starts with metadata prefix '_'", "InvalidTableName"
            )
        found = self.find_table(table)
        if found is None:
            found = self.create_table(table)
        return self._insert(found, value).id

    async def patch(self, id: str, fields: dict[str, Any], *, table: str | None = None) -> Document:
        """Sets the given top-level fields, removes those given as `UNDEFINED`; returns the new document."""
        return self.patch_now(id, fields, table)

    def patch_now(self, id: str, fields: dict[str, Any], table: str | None = None) -> Document:
        """What `patch` does. The transaction keeps what is in `fields`."""
        found = self._table_to_write(id, "db.patch", table)
        return self._patch(found, id, _object(fields, "db.patch"))

    async def replace(self, id: str, value: dict[str, Any], *, table: str | None = None) -> Document:
        """Sets the whole document but for its system fields; returns the new document."""
        return self.replace_now(id, value, table)

    def replace_now(self, id: str, value: dict[str, Any], table: str | None = None) -> Document:
        """What `replace` does. The transaction keeps what is in `value`."""
        found = self._table_to_write(id, "db.replace", table)
        return self._replace(found, id, _object(value, "db.replace"))

    async def delete(self, id: str, *, table: str | None = None) -> Document:
        """Removes a document and returns what it was."""
        return self.delete_now(id, table)

    def delete_now(self, id: str, table: str | None = None) -> Document:
        """What `delete` does."""
        return self._delete(self._table_to_write(id, "db.delete", table), id)

    def _table_to_write(self, id: str, function: str, expected: str | None) -> Table:
        known = self._known.get(id) if type(id) is str else None
        if known is not None:
            table, _ = known
            if (
                (expected is None or expected == table.name)
                and not table.is_system
                and table.component == self.component
                and id[:4] in table_plan(self._shared.registry, table).heads
            ):
                # Its id was decoded when it was stored, and means the table it is in.
                self._look_up_number(table.number)
                return table
        return self._table_of_any(id, function, expected)

    def _table_of_any(self, id: str, function: str, expected: str | None) -> Table:
        table = self._table_of_id(id, function, expected, Access.USER)
        if table is None:
            raise BadRequest(
                f'Invalid argument `id` for `{function}`: Table for ID "{id}" not found', "InvalidArgument"
            )
        return table

    # The server's own writes

    async def insert_system(self, table: str, value: dict[str, Any]) -> str:
        """Adds a row to a system table, which must exist."""
        return self._insert(self._system_table(table), value).id

    async def patch_system(self, id: str, fields: dict[str, Any]) -> Document:
        """Like `patch`, for a document of any table."""
        return self._patch(self._any_table(id), id, fields)

    async def replace_system(self, id: str, value: dict[str, Any]) -> Document:
        """Like `replace`, for a document of any table."""
        return self._replace(self._any_table(id), id, value)

    async def delete_system(self, id: str) -> Document:
        """Like `delete`, for a document of any table."""
        return self._delete(self._any_table(id), id)

    async def import_document(self, table: Table, value: dict[str, Any]) -> str:
        """Adds a document to a table in any state, keeping `_id` and `_creationTime` where it has them."""
        self._shared.has_chosen_ids = True
        return self._insert(table, value, keep_system_fields=True).id

    def _system_table(self, name: str) -> Table:
        table = self.find_table(name, Access.SERVER)
        if table is None:
            raise BadRequest(f"There is no system table {name}.", "UnknownSystemTable")
        return table

    def _any_table(self, id: str) -> Table:
        table = self._table_of_id(id, "db", None, Access.SERVER)
        if table is None:
            raise BadRequest(f'Table for ID "{id}" not found', "InvalidArgument")
        return table

    # Documents

    def _insert(self, table: Table, fields: dict[str, Any], *, keep_system_fields: bool = False) -> Document:
        id, creation_time = fields.get("_id"), fields.get("_creationTime")
        if not keep_system_fields or id is None:
            foretold = self._shared.foretold_ids
            ids = None if foretold is None else foretold.get(table.tablet_id)
            new_id = ids.pop() if ids else self._new_id(table)
            if id is not None:
                raise _wrong_id(new_id, id)
            id = new_id
        if not keep_system_fields or creation_time is None:
            time = self._tick()
            if creation_time is not None:
                raise _wrong_creation_time(creation_time, id)
            creation_time = time
        value = {**fields, "_id": id, "_creationTime": creation_time}
        self.read_set.record(table.tablet_id, Interval.point(id_key(id)))
        old = self._current_revision(table, id) if keep_system_fields else None
        if old is not None:
            raise BadRequest(f'A document with ID "{id}" exists already', "DocumentExists")
        return self._write(table, id, None, value)

    def _patch(self, table: Table, id: str, fields: dict[str, Any]) -> Document:
        current = self._existing(table, id, "Update")
        before = current.value
        value = {**before, **fields}
        if "_id" in fields or "_creationTime" in fields:
            _check_system_fields(current, fields)
            # A patch of a system field with nothing keeps it.
            value["_id"], value["_creationTime"] = id, before["_creationTime"]
        for name, item in fields.items():
            if item is UNDEFINED and name != "_id" and name != "_creationTime":
                del value[name]
        return self._write(table, id, current, value)

    def _replace(self, table: Table, id: str, fields: dict[str, Any]) -> Document:
        current = self._existing(table, id, "Replace")
        _check_system_fields(current, fields)
        value = {**fields, "_id": id, "_creationTime": current.value["_creationTime"]}
        return self._write(table, id, current, value)

    def _delete(self, table: Table, id: str) -> Document:
        current = self._existing(table, id, "Delete")
        self._put(table, id, current, None)
        return Document(table, current)

    def _existing(self, table: Table, id: str, verb: str) -> Revision:
        if not self.writable:
            self._require_writable()
        revision = self._read_revision(table, id)
        if revision is None:
            raise BadRequest(f"{verb} on nonexistent document ID {id}", "NonexistentDocument")
        return revision

    def _write(self, table: Table, id: str, current: Revision | None, value: dict[str, Any]) -> Document:
        plan = table_plan(self._shared.registry, table)
        accepts = plan.accepts
        size = flat_size(value) if accepts is not None and value.keys() <= plan.names else None
        if size is None:
            size = check_document(value, system=table.is_system)
            raw = dumps(value)
            accepts = None
        else:
            raw = dumps_plain(value)
        if current is not None and raw == current.raw:
            return Document(table, current)
        if accepts is None or table.component != self.component:
            if _UNDEFINED_JSON in raw:
                raise InvalidValue("undefined is not a valid Convex value: leave the field out instead.")
            self._enforce_schemas(table, value)
        else:
            if table.component not in self._schemas_read:
                self._record_schemas(table.component)
            if not accepts(value, self):
                self._enforce_schemas(table, value)  # tells why
        document = Document(table, Revision(id, PENDING, raw, size, None, value))
        self._put(table, id, current, document)
        return document

    def _put(self, table: Table, id: str, current: Revision | None, new: Document | None) -> None:
        if not self.writable:
            self._require_writable()
        self.usage.count_write(0 if new is None else new.size, system=table.is_system)
        pending = self.overlay.get(table.tablet_id, id)
        stored = current if pending is None else pending.old
        self.overlay.put(PendingWrite(id, table, stored, new))
        if table.name in METADATA_TABLES:
            self._shared.registry = self.registry.with_row(
                table, None if current is None else current.value, None if new is None else new.value
            )

    def _require_writable(self) -> None:
        if not self.writable:
            raise BadRequest("Cannot write in a read-only transaction: only mutations write.", "ReadOnly")

    def _new_id(self, table: Table) -> str:
        source = self._random
        return new_id(table.number, day_of(self._now_ms), None if source is None else source.randbytes(14))

    def _tick(self) -> float:
        """The creation time of the next insert: one step of a double after that of the last one."""
        shared = self._shared
        time = shared.next_creation_time
        shared.next_creation_time = math.nextafter(time, math.inf)
        return time

    # Schemas

    def _enforce_schemas(self, table: Table, value: dict[str, Any]) -> None:
        if table.is_system or table.state == "hidden":
            # What is in a hidden table is checked by whoever activates it: ids in it may mean hidden tables.
            return
        component = table.component
        self._record_schemas(component)
        # Ids in a document mean tables of its own component, whoever writes it.
        names = self if component == self.component else self.view(component)
        active = self.registry.active_schema(component)
        if active is not None:
            active.schema.check_document(table.name, value, names)
            staged = active.schema.staged_mismatch(table.name, value, names)
            if staged is not None:
                names._fail_staged(table, staged)
        pending = self.registry.pending_schema(component)
        if pending is not None:
            error = pending.schema.mismatch(table.name, value, names)
            if error is not None:
                names._fail_schema(pending, pending.schema.new_document_error(table.name, error), table.name)

    def _fail_staged(self, table: Table, error: ValidationError) -> None:
        """Marks the staged validator of a table as failed; the write goes on."""
        row = self._find_system(STAGED_VALIDATORS, "by_table", (table.name,))
        if row is not None and StagedValidator.of(row).state != "failed":
            text = f'New document in table "{table.name}" does not match the staged schema: {error}'
            self._patch(self._any_table(row.id), row.id, {"state": "failed", "error": text})

    def _record_schemas(self, component: str) -> None:
        """Makes the transaction depend on every schema of a component."""
        if component in self._schemas_read:
            return
        self._schemas_read.add(component)
        rows = self.registry.table(SCHEMAS, component)
        if rows is not None:
            self.read_set.record(rows.tablet_id, Interval.everything())

    def depend_on_schemas(self, table: Table) -> None:
        """Makes the transaction depend on what is in force for a table."""
        self._record_schemas(table.component)

    def depend_on_index(self, table: Table, index: Index) -> None:
        """Makes the transaction depend on the state of an index: on whether it has been filled."""
        self._record_index(table, index.name)

    async def fail_schema(self, row: SchemaRow, error: str, table_name: str | None) -> None:
        """Marks the schema that a push brings this component as failed; the push sees why."""
        self._fail_schema(row, error, table_name)

    def _fail_schema(self, row: SchemaRow, error: str, table_name: str | None) -> None:
        id = row.document_id
        self._patch(self._any_table(id), id, {"state": "failed", "error": error, "tableName": table_name})

    # Tables and indexes

    def create_table(
        self,
        name: str,
        *,
        number: int | None = None,
        state: TableState = "active",
        component: str | None = None,
    ) -> Table:
        """Adds a table with `by_id` and `by_creation_time`; its number is the lowest free one if not given.

        The caller has looked the name up, or the table is hidden. Raises `BadRequest` for a bad name and
        when there are too many tables.
        """
        component = self.component if component is None else component
        if not name.startswith("_"):
            check_identifier(name, "InvalidTableName")
            users = sum(not table.is_system for table in self.registry.tables())
            if users >= MAX_TABLES:
                raise BadRequest(f"Number of tables cannot exceed {MAX_TABLES}.", "TooManyTables")
        if number is None:
            number = self.registry.free_table_number(component)
        self.read_set.record(TABLES_BY_NUMBER, prefix_interval((component, float(number))))
        table = Table(self._database.new_id(), name, number, state, component)
        self._insert_row(TABLES, row_of_table(table))
        created = self.registry.table_by_tablet(table.tablet_id)
        assert created is not None
        self.create_index(Index(created.tablet_id, created.tablet_id, BY_ID, ()))
        self.create_index(
            Index(self._database.new_id(), created.tablet_id, BY_CREATION_TIME, ("_creationTime",))
        )
        return created

    async def delete_table(self, table: Table) -> None:
        """Takes a table and its indexes away at once; the documents go later, bit by bit.

        Raises `BadRequest` while the active schema needs it.
        """
        self._record_schemas(table.component)
        active = self.registry.active_schema(table.component)
        if active is not None and table.state == "active":
            reason = _reason_to_keep(active, table.name)
            if reason is not None:
                raise BadRequest(f'Failed to delete table "{table.name}" because {reason}', "TableInUse")
        self._drop(table)

    async def activate_table(self, table: Table) -> None:
        """Shows a hidden table in place of the active one of its name, if there is one.

        So an import switches in one transaction: readers see the whole old or the whole new table.
        """
        present = self._table(table.name, table.component)
        if present is not None:
            self._drop(present)
        self._set_state(table, "active")

    def _drop(self, table: Table) -> None:
        for index in self.registry.indexes(table.tablet_id):
            self._delete(self._metadata(INDEXES), index.document_id)
        self._set_state(table, "deleting")

    def _set_state(self, table: Table, state: TableState) -> None:
        self._patch(self._metadata(TABLES), table.document_id, {"state": state})

    def _metadata(self, name: str) -> Table:
        """A table that all components share."""
        table = self.registry.table(name)
        assert table is not None
        return table

    def create_component(self, component: str) -> None:
        """Adds the system tables that a component has for itself; others come with their first document."""
        for name in COMPONENT_TABLES:
            definition = SYSTEM_TABLES[name]
            table = self.create_table(name, number=definition.number, component=component)
            for index, fields in definition.indexes.items():
                self.create_index(
                    Index(self._database.new_id(), table.tablet_id, index, (*fields, "_creationTime"))
                )

    async def delete_component(self, component: str) -> None:
        """Takes all tables of a component away at once; their documents go later, bit by bit."""
        assert component
        for table in self.registry.tables(component):
            if table.state != "deleting":
                self._drop(table)

    def create_index(self, index: Index) -> Index:
        """Adds an index, maintained by every write that commits later."""
        self._insert_row(INDEXES, row_of_index(index))
        return next(i for i in self.registry.indexes(index.tablet_id) if i.index_id == index.index_id)

    def _insert_row(self, table_name: str, row: dict[str, Any]) -> None:
        self._require_writable()
        table = self._metadata(table_name)
        id = self._new_id(table)
        value = {**row, "_id": id, "_creationTime": self._tick()}
        self.read_set.record(table.tablet_id, Interval.point(id_key(id)))
        size = check_document(value, system=True)
        self._put(table, id, None, Document(table, Revision.pending(value, size)))

    @property
    def has_changes(self) -> bool:
        """True if a commit now would write anything."""
        return any(map(is_effective, self.overlay))

    # Sub-transactions

    def savepoint(self) -> Savepoint:
        """The writes so far. Taking one costs nothing, to any depth."""
        return Savepoint(self.overlay.position, self.registry, self.usage.written())

    def rollback_to(self, savepoint: Savepoint) -> None:
        """Undoes the writes since `savepoint`, which count no more; reads and the creation clock stay as they
        are.
        """
        self.overlay.rollback_to(savepoint.position)
        self._shared.registry = savepoint.registry
        self.usage.take_back(savepoint.written)


def _object(value: Any, function: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadRequest(
            f"Invalid argument `value` for `{function}`: Value must be an Object", "InvalidArgument"
        )
    return value


def _check_system_fields(document: Revision, fields: dict[str, Any]) -> None:
    id = fields.get("_id", UNDEFINED)
    if id is not UNDEFINED and id != document.id:
        raise _wrong_id(document.id, id)
    time = fields.get("_creationTime", UNDEFINED)
    if time is not UNDEFINED and (isinstance(time, bool) or time != document.value["_creationTime"]):
        raise _wrong_creation_time(time, document.id)


def _wrong_id(id: str, given: Any) -> BadRequest:
    return BadRequest(f"Provided document ID {given} doesn't match '_id' field {id}", "InvalidIdError")


def _wrong_creation_time(given: Any, id: str) -> BadRequest:
    return BadRequest(
        f"Provided creation time {given} doesn't match '_creationTime' field in {id}",
        "InvalidCreationTimeError",
    )


def _reason_to_keep(row: SchemaRow, table_name: str) -> str | None:
    """Why the active schema does not allow a table to go, or None (semantics 2.3)."""
    if table_name in row.schema.tables:
        return "it appears in the schema"
    for name, definition in row.schema.tables.items():
        validator = definition.document_type
        if validator is not None and _mentions(validator.to_json(), table_name):
            return f'`v.id("{table_name}")` appears in the schema of table "{name}"'
    return None


def _mentions(validator_json: Any, table_name: str) -> bool:
    if isinstance(validator_json, dict):
        if validator_json.get("type") == "id" and validator_json.get("tableName") == table_name:
            return True
        return any(_mentions(part, table_name) for part in validator_json.values())
    return isinstance(validator_json, list) and any(_mentions(part, table_name) for part in validator_json)
