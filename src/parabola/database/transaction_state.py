"""What a transaction has read, written and used, on its way from one process to another.

An executor runs a function on a transaction of its own. What became of that is absorbed by the engine's,
which began at the same timestamp and has seen nothing of the function yet: then it is as if the function had
run there.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from parabola.database.commits.overlay import PendingWrite
from parabola.database.commits.write_set import Change, document_write
from parabola.database.model.documents import PENDING, Document, Revision
from parabola.database.model.indexes import key_of_text, text_of_key
from parabola.database.model.intervals import Interval
from parabola.database.query.wide_reads import WideRead
from parabola.database.store.persistence import EntryChange
from parabola.database.transaction import Transaction

__all__ = ["ForeignWrite", "TransactionState", "absorb", "depend_on_everything", "state_of"]

Number = Annotated[int, Meta(ge=0)]

COUNTERS: Final = (
    "documents_read",
    "bytes_read",
    "database_queries",
    "documents_written",
    "bytes_written",
)
"""What a function can use of its limits without the engine."""


class ForeignWrite(ValueError):
    """A state writes where its function may not."""


class StoredRevision(Struct, frozen=True, gc=False, array_like=True):
    """The revision that a write replaces."""

    number: Number
    ts: Number
    size: Number
    raw: str


class Write(Struct, frozen=True, gc=False, array_like=True):
    """One document's change; its keys in every index of the table as `EntryChange` has them, but as text."""

    tablet: Number
    id: str
    old: StoredRevision | None
    new: str | None
    size: Number
    entries: list[tuple[int, str | None, str | None]]


class TransactionState(Struct, frozen=True, gc=False, rename="camel"):
    """Keys are texts of one character a byte. `reads` has for each index the bounds of its intervals, a start
    and an end by turns; no end is the end of the index.
    """

    reads: list[tuple[int, list[str | None]]]
    used: list[Number]
    creation_time: float
    writes: list[Write] = []
    wide_reads: list[WideRead] = []


def state_of(tx: Transaction) -> dict[str, Any]:
    """The state of a transaction as JSON."""
    state: dict[str, Any] = {
        "reads": [
            [
                index_id,
                [text_of_key(bound) for each in read for bound in each],
            ]
            for index_id, read in tx.read_set.by_index.items()
        ],
        "used": [getattr(tx.usage, name) for name in COUNTERS],
        "creationTime": tx.next_creation_time,
    }
    if len(tx.overlay):
        state["writes"] = [_write(tx, write) for write in tx.overlay]
    return state


def _write(tx: Transaction, write: PendingWrite) -> list[Any]:
    id, table, old, new, _ = write
    revision = None if new is None else new.revision
    changed = document_write(
        tx.registry, Change(table, id, old, revision), None if new is None else new.value
    )
    return [
        table.tablet_id,
        id,
        None if old is None else [old.number, old.ts, old.size, old.raw.decode()],
        None if new is None else new.raw.decode(),
        0 if new is None else new.size,
        [[index_id, text_of_key(before), text_of_key(after)] for index_id, before, after in changed.entries],
    ]


def depend_on_everything(tx: Transaction) -> None:
    """Make a transaction depend on every document of its component: what it has read is not known."""
    for table in tx.registry.tables(tx.component):
        if not table.is_system:
            tx.read_set.record(table.tablet_id, Interval.everything())


def absorb(tx: Transaction, state: TransactionState) -> None:
    """Make what another process did on the same snapshot a part of a transaction.

    Raises `ForeignWrite` for writes into what is no table of the function's component, and `OutOfRetention`
    where what was read may have been removed meanwhile.
    """
    tx.check_retention()
    for index_id, bounds in state.reads:
        starts = [key_of_text(start) for start in bounds[::2] if start is not None]
        ends = [None if end is None else key_of_text(end) for end in bounds[1::2]]
        tx.read_set.record_all(index_id, starts, ends)
    usage = tx.usage
    for name, number in zip(COUNTERS, state.used, strict=True):
        setattr(usage, name, getattr(usage, name) + number)
    registry, component = tx.registry, tx.component
    for write in state.writes:
        table = registry.table_by_tablet(write.tablet)
        if table is None or table.is_system or table.component != component:
            raise ForeignWrite(f"tablet {write.tablet}")
        old = write.old
        before = None if old is None else Revision(write.id, old.ts, old.raw.encode(), old.size, old.number)
        after = (
            None
            if write.new is None
            else Document(table, Revision(write.id, PENDING, write.new.encode(), write.size))
        )
        entries: tuple[EntryChange, ...] = tuple(
            [
                (
                    index_id,
                    None if old_key is None else key_of_text(old_key),
                    None if new_key is None else key_of_text(new_key),
                )
                for index_id, old_key, new_key in write.entries
            ]
        )
        tx.overlay.put(PendingWrite(write.id, table, before, after, entries))
    tx.next_creation_time = max(tx.next_creation_time, state.creation_time)
