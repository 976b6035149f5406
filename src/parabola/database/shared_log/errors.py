"""What can become of a node whose log is shared. The texts say what to do."""

from __future__ import annotations

from typing import Final

from parabola.database.model.errors import StorageError, StorageFailed

__all__ = [
    "HAS_ENTRIES",
    "LogUnreachable",
    "ReplicaForked",
    "ReplicaLost",
    "ReplicaTooOld",
    "UnreadableEntry",
]


HAS_ENTRIES: Final = (
    "There is a deployment in this database already. Name one of PostgreSQL that is empty, or start a server "
    "with --database and an empty data directory, to be a node of that deployment."
)


class LogUnreachable(StorageError):
    """The shared log does not answer. What waits for it goes on as soon as it does."""

    default_code = "LogUnreachable"


class ReplicaLost(StorageFailed):
    """A node's copy of the data is not what the log says, so the node stops and begins anew from the log."""

    default_code = "ReplicaLost"


class ReplicaForked(ReplicaLost):
    """The log does not have an entry that this node has: entries were lost when the log's server failed."""

    default_code = "ReplicaForked"


class ReplicaTooOld(ReplicaLost):
    """The log has forgotten entries that this node has not read. Its copy is to be made anew."""

    default_code = "ReplicaTooOld"


class UnreadableEntry(ReplicaLost):
    """An entry of the log cannot be read: a newer version wrote it, or it is damaged."""

    default_code = "UnreadableEntry"
