"""What a transaction has read, written and used, on its way from one process to another.

An executor runs a function on a transaction of its own. What became of that is absorbed by the engine's,
which began at the same timestamp and has seen nothing of the function yet: then it is as if the function had
run there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from parabola.database.commits.chain import NO_LINKS, Link
from parabola.database.commits.overlay import PendingWrite
from parabola.database.commits.write_set import changed_keys
from parabola.database.model.documents import PENDING, Document, Revision
from parabola.database.model.intervals import Interval, ReadSet
from parabola.database.model.table_plans import table_plan
from parabola.database.query.wide_reads import WideRead
from parabola.database.store.persistence import EntryChange
from parabola.database.transaction import Transaction

__all__ = ["ForeignWrite", "TransactionState", "absorb", "depend_on_everything", "state_of", "writes_of"]

Number = Annotated[int, Meta(ge=0)]


class ForeignWrite(ValueError):
    """A state writes where its function may not, or is built upon what it was not told of."""


class StoredRevision(Struct, frozen=True, gc=False, array_like=True):
    """The revision that a write replaces. One that is not stored yet has no number."""

    number: Number | None
    ts: Number
    size: Number
    raw: str


class Write(Struct, frozen=True, gc=False, array_like=True):
    """One document's change, with its keys in every index of the table."""

    tablet: Number
    id: str
    old: StoredRevision | None
    new: str | None
    size: Number
    entries: tuple[EntryChange, ...]


class TransactionState(Struct, frozen=True, gc=False, rename="camel"):
    """Keys are written in base64. `reads` has for each index the starts and the ends of its intervals; no end
    is the end of the index. `used` is what a function can use of its limits without the engine: documents
    read, bytes read, intervals read, documents written, bytes written. `builds_on` are the runs of the same
    host whose writes were read before they were committed.
    """

    reads: list[tuple[int, list[bytes], list[bytes | None]]]
    used: tuple[Number, Number, Number, Number, Number]
    creation_time: float
    writes: list[Write] = []
    wide_reads: list[WideRead] = []
    builds_on: list[Number] = []


def writes_of(tx: Transaction) -> list[PendingWrite]:
    """What a transaction has written, with the keys in every index."""
    registry = tx.registry
    writes: list[PendingWrite] = []
    for id, table, old, new, _ in tx.overlay:
        before = None if old is None else old.value
        after = None if new is None else new.revision.value
        entries = changed_keys(table_plan(registry, table).indexes, id, before, after)
        writes.append(PendingWrite(id, table, old, new, entries))
    return writes


def state_of(
    tx: Transaction,
    wide_reads: Sequence[WideRead] = (),
    builds_on: Sequence[int] = (),
    writes: Sequence[PendingWrite] | None = None,
) -> bytes:
    """The state of a transaction as JSON. `writes` are its own (`writes_of`), if they are known."""
    usage = tx.usage
    state: dict[str, Any] = {
        "reads": tx.read_set.bounds(),
        "used": (
            usage.documents_read,
            usage.bytes_read,
            usage.database_queries,
            usage.documents_written,
            usage.bytes_written,
        ),
        "creationTime": tx.next_creation_time,
    }
    if writes is None:
        writes = writes_of(tx)
    if writes:
        state["writes"] = list(map(_write, writes))
    if wide_reads:
        state["wideReads"] = wide_reads
    if builds_on:
        state["buildsOn"] = builds_on
    return msgspec.json.encode(state)


def _write(write: PendingWrite) -> tuple[Any, ...]:
    """As `Write` has it."""
    id, table, old, new, entries = write
    replaced = None if old is None else (old.number, old.ts, old.size, old.raw.decode())
    if new is None:
        return table.tablet_id, id, replaced, None, 0, entries
    return table.tablet_id, id, replaced, new.raw.decode(), new.size, entries


def depend_on_everything(tx: Transaction, links: Mapping[int, Link] = NO_LINKS) -> None:
    """Make a transaction depend on every document of its component, and on all that it may have been built
    upon: what it has read is not known.
    """
    if links:
        tx.build_on(tuple(links.values()), ReadSet())
    for table in tx.registry.tables(tx.component):
        if not table.is_system:
            tx.read_set.record(table.tablet_id, Interval.everything())


def absorb(tx: Transaction, state: TransactionState, links: Mapping[int, Link] = NO_LINKS) -> None:
    """Make what another process did on the same snapshot a part of a transaction. `links` are the runs it may
    have been built upon.

    Raises `ForeignWrite` for writes into what is no table of the function's component, and `OutOfRetention`
    where what was read may have been removed meanwhile.
    """
    tx.check_retention()
    reads = ReadSet() if state.builds_on else tx.read_set
    reads.record_bounds(state.reads)
    usage = tx.usage
    documents_read, bytes_read, database_queries, documents_written, bytes_written = state.used
    usage.documents_read += documents_read
    usage.bytes_read += bytes_read
    usage.database_queries += database_queries
    usage.documents_written += documents_written
    usage.bytes_written += bytes_written
    if state.builds_on:
        try:
            tx.build_on([links[run] for run in state.builds_on], reads)
        except KeyError as error:
            raise ForeignWrite(f"run {error}") from None
    registry, component, overlay = tx.registry, tx.component, tx.overlay
    for write in state.writes:
        table = registry.table_by_tablet(write.tablet)
        if table is None or table.is_system or table.component != component:
            raise ForeignWrite(f"tablet {write.tablet}")
        id, old, new = write.id, write.old, write.new
        before = None if old is None else Revision(id, old.ts, old.raw.encode(), old.size, old.number)
        after = None if new is None else Document(table, Revision(id, PENDING, new.encode(), write.size))
        overlay.put(PendingWrite(id, table, before, after, write.entries))
    tx.next_creation_time = max(tx.next_creation_time, state.creation_time)
