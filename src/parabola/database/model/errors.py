"""What the database can report besides user errors. The texts say what to do."""

from __future__ import annotations

from parabola.values.errors import OptimisticConcurrencyControlFailure, ParabolaError, SystemFault

__all__ = [
    "BuiltOnLost",
    "ConflictError",
    "DataDirectoryLocked",
    "DataDirectoryLost",
    "DataMoved",
    "EarlierWriteLost",
    "NotToBuildOn",
    "StorageBusy",
    "StorageDamaged",
    "StorageError",
    "StorageFailed",
    "StorageFull",
    "TryAgain",
    "UnusableData",
]


class ConflictError(OptimisticConcurrencyControlFailure):
    """A commit since the snapshot changed what the transaction had read. Run the whole of it again.

    `table` and `document_id` name the first document that stood in the way and `source` the commit that
    wrote it (as it was given to `Database.commit`); all are None where the reason is not one document.
    """

    def __init__(
        self,
        message: str,
        *,
        table: str | None = None,
        document_id: str | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(message)
        self.table = table
        self.document_id = document_id
        self.source = source


class TryAgain(Exception):
    """An attempt was lost for a reason that is no conflict; nothing of it remains. See `Database.contend`."""


class BuiltOnLost(TryAgain):
    """A transaction was built upon another one (`commits.chain`) that was not committed."""


class NotToBuildOn(TryAgain):
    """What a function does cannot be part of a chain: it needs a turn of its own."""


class StorageError(SystemFault):
    """The store did not take a write; nothing of it was kept."""

    status = 503
    default_code = "StorageError"


class EarlierWriteLost(StorageError):
    """What should come after another write was not done, since that one was not kept. Send both again."""

    default_code = "EarlierWriteLost"


class StorageBusy(StorageError):
    """Another program holds a lock on the database file. Stop it or let it finish, then try again."""

    default_code = "StorageBusy"


class StorageFull(StorageError):
    """No room for the write; nothing of it was kept. Make room on the disk, then try again."""

    default_code = "StorageFull"


class StorageFailed(StorageError):
    """The disk did not take or confirm a write. Writes are refused until the server is started again.

    `detail` says what and where, for whoever runs the server: it is in the text of the exception and in the
    log, and not in the message, which every caller may see.
    """

    status = 500
    default_code = "StorageFailed"

    def __init__(self, message: str, code: str | None = None, *, detail: str = "") -> None:
        super().__init__(message, code)
        self.detail = detail

    def __str__(self) -> str:
        return self.detail or self.message


class DataMoved(StorageFailed):
    """The data of this server have moved into or out of a shared log, and are opened anew. Ask again."""

    status = 503
    default_code = "DataMoved"


class StorageDamaged(StorageFailed):
    """What the disk gave back is not what was written. Writes are refused; restore a backup."""

    default_code = "StorageDamaged"

    def __str__(self) -> str:
        return f"{self.message} {self.detail}".rstrip()


class DataDirectoryLost(StorageFailed):
    """The data directory was deleted or replaced under the server. Put it back, then start the server."""

    default_code = "DataDirectoryLost"


class DataDirectoryLocked(ParabolaError):
    """Another server has the data directory. Stop that one, or use another directory."""

    default_code = "DataDirectoryLocked"


class UnusableData(ParabolaError):
    """The data directory holds something this version cannot read. Use the version that wrote it."""

    default_code = "UnusableData"
