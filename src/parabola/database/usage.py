"""What a transaction has used of its limits, and the texts when a limit is reached (semantics 5.3, 5.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from parabola.values import limits as standard
from parabola.values.errors import BadRequest, PaginationLimit

__all__ = ["Limits", "Usage", "Written"]

READ_ADVICE: Final = (
    "Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a "
    "selective index range expressions."
)


class Limits(Struct, frozen=True):
    """What one transaction, nested calls included, may use."""

    documents_read: int = standard.MAX_DOCUMENTS_READ
    bytes_read: int = standard.MAX_BYTES_READ
    database_queries: int = standard.MAX_INTERVALS_READ
    documents_written: int = standard.MAX_DOCUMENTS_WRITTEN
    bytes_written: int = standard.MAX_BYTES_WRITTEN
    functions_scheduled: int = standard.MAX_FUNCTIONS_SCHEDULED
    scheduled_function_args_bytes: int = standard.MAX_SCHEDULED_ARGUMENT_BYTES
    system_documents_written: int = standard.MAX_SYSTEM_DOCUMENTS_WRITTEN
    system_bytes_written: int = standard.MAX_SYSTEM_BYTES_WRITTEN
    files_written: int = standard.MAX_FILES_WRITTEN
    file_write_bytes: int = standard.MAX_FILE_BYTES_WRITTEN
    files_read: int = standard.MAX_FILES_READ
    file_read_bytes: int = standard.MAX_FILE_BYTES_READ


_PUBLIC: Final = {
    "bytesRead": "bytes_read",
    "bytesWritten": "bytes_written",
    "databaseQueries": "database_queries",
    "documentsRead": "documents_read",
    "documentsWritten": "documents_written",
    "functionsScheduled": "functions_scheduled",
    "scheduledFunctionArgsBytes": "scheduled_function_args_bytes",
    "filesWritten": "files_written",
    "fileWriteBytes": "file_write_bytes",
    "filesRead": "files_read",
    "fileReadBytes": "file_read_bytes",
}
"""Names in `transactionLimits` and `getTransactionMetrics`."""

# Quantity -> code, subject of the error, subject of the warning, advice.
_TEXTS: Final = {
    "documents_read": (
        "TooManyDocumentsRead",
        "Too many documents read in a single function execution (limit: {limit}). {advice}",
        "Many documents read in a single function execution (actual: {used}, limit: {limit}). {advice}",
    ),
    "bytes_read": (
        "TooManyBytesRead",
        "Too many bytes read in a single function execution (limit: {limit} bytes). {advice}",
        "Many bytes read in a single function execution"
        " (actual: {used} bytes, limit: {limit} bytes). {advice}",
    ),
    "database_queries": (
        "TooManyReads",
        "Too many reads in a single function execution (limit: {limit}). {advice}",
        "Many reads in a single function execution (actual: {used}, limit: {limit}). {advice}",
    ),
    "documents_written": (
        "TooManyWrites",
        "Too many writes in a single function execution (limit: {limit})",
        "Many writes in a single function execution (actual: {used}, limit: {limit}).",
    ),
    "bytes_written": (
        "TooManyBytesWritten",
        "Too many bytes written in a single function execution (limit: {limit} bytes)",
        "Many bytes written in a single function execution (actual: {used} bytes, limit: {limit} bytes).",
    ),
    "system_documents_written": (
        "TooManySystemWrites",
        "Too many system documents written in a single function execution (limit: {limit})",
        "Many system documents written in a single function execution (actual: {used}, limit: {limit}).",
    ),
    "system_bytes_written": (
        "TooManySystemBytesWritten",
        "Too many bytes written to system documents in a single function execution (limit: {limit} bytes)",
        "Many bytes written to system documents in a single function execution"
        " (actual: {used} bytes, limit: {limit} bytes).",
    ),
    "functions_scheduled": (
        "TooManyFunctionsScheduled",
        "Too many functions scheduled by this mutation (limit: {limit})",
        "Many functions scheduled by this mutation (actual: {used}, limit: {limit}).",
    ),
    "scheduled_function_args_bytes": (
        "TooLargeScheduledFunctionArguments",
        "Too large total size of the arguments of scheduled functions from this mutation"
        " (limit: {limit} bytes)",
        "Large total size of the arguments of scheduled functions from this mutation"
        " (actual: {used} bytes, limit: {limit} bytes).",
    ),
    "files_written": (
        "TooManyFilesWritten",
        "Too many files stored by this mutation (limit: {limit})",
        "Many files stored by this mutation (actual: {used}, limit: {limit}).",
    ),
    "file_write_bytes": (
        "TooManyFileBytesWritten",
        "Too many bytes stored in files by this mutation (limit: {limit} bytes). Use an action",
        "Many bytes stored in files by this mutation (actual: {used} bytes, limit: {limit} bytes).",
    ),
    "files_read": (
        "TooManyFilesRead",
        "Too many files read by this mutation (limit: {limit})",
        "Many files read by this mutation (actual: {used}, limit: {limit}).",
    ),
    "file_read_bytes": (
        "TooManyFileBytesRead",
        "Too many bytes read from files by this mutation (limit: {limit} bytes). Use an action",
        "Many bytes read from files by this mutation (actual: {used} bytes, limit: {limit} bytes).",
    ),
}


class Written(NamedTuple):
    """How much a transaction has written."""

    documents: int
    bytes: int
    system_documents: int
    system_bytes: int


class Usage:
    """Counters of one transaction. They only grow: a rolled back sub-transaction gives nothing back."""

    documents_read = 0
    bytes_read = 0
    database_queries = 0
    documents_written = 0
    bytes_written = 0
    system_documents_written = 0
    system_bytes_written = 0
    functions_scheduled = 0
    scheduled_function_args_bytes = 0
    files_written = 0
    file_write_bytes = 0
    files_read = 0
    file_read_bytes = 0

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        """The limits in force, tightened or not."""

    def count_read(self, size: int) -> None:
        """One user document of `size` bytes was read. Raises `PaginationLimit`."""
        self.documents_read += 1
        self.bytes_read += size
        limits = self.limits
        if self.documents_read > limits.documents_read:
            raise self._exceeded("documents_read")
        if self.bytes_read > limits.bytes_read:
            raise self._exceeded("bytes_read")

    def count_short_read(self, documents: int, size: int) -> bool:
        """So many user documents of together `size` bytes were read in one interval; False, and nothing is
        counted, where that reaches beyond a limit.
        """
        limits = self.limits
        documents += self.documents_read
        size += self.bytes_read
        queries = self.database_queries + 1
        if documents > limits.documents_read or size > limits.bytes_read or queries > limits.database_queries:
            return False
        self.documents_read, self.bytes_read, self.database_queries = documents, size, queries
        return True

    def count_intervals(self, number: int) -> None:
        """The read set of user tables grew by this many intervals. Raises `PaginationLimit`."""
        self.database_queries += number
        if number > 0 and self.database_queries > self.limits.database_queries:
            raise self._exceeded("database_queries")

    def count_write(self, size: int, *, system: bool) -> None:
        """One document of `size` bytes was written, 0 bytes for a deletion. Raises `PaginationLimit`."""
        limits = self.limits
        if system:
            self.system_documents_written += 1
            self.system_bytes_written += size
            if self.system_documents_written > limits.system_documents_written:
                raise self._exceeded("system_documents_written")
            if self.system_bytes_written > limits.system_bytes_written:
                raise self._exceeded("system_bytes_written")
            return
        self.documents_written += 1
        self.bytes_written += size
        if self.documents_written > limits.documents_written:
            raise self._exceeded("documents_written")
        if self.bytes_written > limits.bytes_written:
            raise self._exceeded("bytes_written")

    def written(self) -> Written:
        """What has been written so far, for `take_back`."""
        return Written(
            self.documents_written,
            self.bytes_written,
            self.system_documents_written,
            self.system_bytes_written,
        )

    def take_back(self, before: Written) -> None:
        """What was written since then has been rolled back, and counts no more. What was read does, and
        functions that were scheduled do (semantics 14.23).
        """
        (
            self.documents_written,
            self.bytes_written,
            self.system_documents_written,
            self.system_bytes_written,
        ) = before

    def count_scheduled(self, argument_bytes: int) -> None:
        """One function was scheduled. Raises `PaginationLimit`."""
        self.functions_scheduled += 1
        self.scheduled_function_args_bytes += argument_bytes
        if self.functions_scheduled > self.limits.functions_scheduled:
            raise self._exceeded("functions_scheduled")
        if self.scheduled_function_args_bytes > self.limits.scheduled_function_args_bytes:
            raise self._exceeded("scheduled_function_args_bytes")

    def count_file_write(self, size: int, *, is_last: bool) -> None:
        """A file, or one part of it, of `size` bytes is to be stored. Raises `PaginationLimit`."""
        self.files_written += is_last
        self.file_write_bytes += size
        if self.files_written > self.limits.files_written:
            raise self._exceeded("files_written")
        if self.file_write_bytes > self.limits.file_write_bytes:
            raise self._exceeded("file_write_bytes")

    def count_file_read(self, size: int, *, is_first: bool) -> None:
        """A file, or one part of it, of `size` bytes is to be read. Raises `PaginationLimit`."""
        self.files_read += is_first
        self.file_read_bytes += size
        if self.files_read > self.limits.files_read:
            raise self._exceeded("files_read")
        if self.file_read_bytes > self.limits.file_read_bytes:
            raise self._exceeded("file_read_bytes")

    def to_json(self) -> dict[str, int]:
        """Bytes and documents, by the names that entries of the execution log have for them."""
        return {
            "databaseReadBytes": self.bytes_read,
            "databaseReadDocuments": self.documents_read,
            "databaseWriteBytes": self.bytes_written,
            "databaseWriteDocuments": self.documents_written,
            "storageReadBytes": self.file_read_bytes,
            "storageWriteBytes": self.file_write_bytes,
        }

    @contextmanager
    def tightened(self, transaction_limits: Mapping[str, Any] | None) -> Iterator[None]:
        """Inside, each named limit is what was used so far plus the given number, if that is less.

        `transaction_limits` has the public names (`documentsRead`, ...). Raises `BadRequest` for others.
        """
        before = self.limits
        tighter: dict[str, int] = {}
        for name, allowed in (transaction_limits or {}).items():
            if name not in _PUBLIC:
                raise BadRequest(
                    f"Unknown transaction limit `{name}`. The limits are {', '.join(sorted(_PUBLIC))}.",
                    "InvalidTransactionLimits",
                )
            if isinstance(allowed, bool) or not isinstance(allowed, (int, float)) or not allowed >= 0:
                raise BadRequest(
                    f"Transaction limit `{name}` must be a non-negative number, not {allowed!r}.",
                    "InvalidTransactionLimits",
                )
            field = _PUBLIC[name]
            present = getattr(before, field)
            # An infinite allowance is no tightening.
            ceiling = min(float(present), getattr(self, field) + allowed)
            tighter[field] = int(ceiling)
        if tighter:
            self.limits = replace(before, **tighter)
        try:
            yield
        finally:
            self.limits = before

    def metrics(self) -> dict[str, dict[str, float]]:
        """`{used, remaining}` for each public quantity, as `getTransactionMetrics` answers."""
        return {
            name: {
                "used": float(getattr(self, field)),
                "remaining": float(max(0, getattr(self.limits, field) - getattr(self, field))),
            }
            for name, field in _PUBLIC.items()
        }

    def warnings(self) -> list[tuple[str, str]]:
        """Text and code for each quantity above 80 % of its limit (js-runtime §5.9)."""
        limits, ratio = self.limits, standard.LIMIT_WARNING_RATIO
        if (
            self.documents_read <= limits.documents_read * ratio
            and self.bytes_read <= limits.bytes_read * ratio
            and self.database_queries <= limits.database_queries * ratio
            and self.documents_written <= limits.documents_written * ratio
            and self.bytes_written <= limits.bytes_written * ratio
            and self.system_documents_written <= limits.system_documents_written * ratio
            and self.system_bytes_written <= limits.system_bytes_written * ratio
            and self.functions_scheduled <= limits.functions_scheduled * ratio
            and self.scheduled_function_args_bytes <= limits.scheduled_function_args_bytes * ratio
            and self.files_written <= limits.files_written * ratio
            and self.file_write_bytes <= limits.file_write_bytes * ratio
            and self.files_read <= limits.files_read * ratio
            and self.file_read_bytes <= limits.file_read_bytes * ratio
        ):
            return []
        found = []
        for field, (code, _, text) in _TEXTS.items():
            used, limit = getattr(self, field), getattr(self.limits, field)
            if used > limit * standard.LIMIT_WARNING_RATIO:
                found.append((text.format(used=used, limit=limit, advice=READ_ADVICE), code))
        return found

    def _exceeded(self, field: str) -> PaginationLimit:
        code, text, _ = _TEXTS[field]
        return PaginationLimit(text.format(limit=getattr(self.limits, field), advice=READ_ADVICE), code)
