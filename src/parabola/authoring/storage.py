"""`ctx.storage`: files (semantics 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parabola.authoring.absent import absent, snake_case
from parabola.authoring.blobs import Blob, ReadInParts, SentInParts
from parabola.authoring.operations import SYSCALL_VERSION, Operation, Pending, Syscalls, Wait, async_only
from parabola.values.errors import BadRequest

__all__ = ["BaseStorage", "Storage", "StorageReader", "SyncStorage", "SyncStorageReader"]


class BaseStorage:
    """What all styles and kinds share."""

    def __init__(self, syscalls: Syscalls, wait: Wait = async_only) -> None:
        self._syscalls = syscalls
        self._wait = wait

    if not TYPE_CHECKING:  # checkers would take every name for one that is there

        def __getattr__(self, name: str) -> Any:
            if snake_case(name) in ("store", "get", "delete", "generate_upload_url"):
                raise AttributeError(
                    f"There is no `storage.{name}` in a query: files can only be looked up there."
                )
            raise absent(self, "ctx.storage", name)

    def _of_file(self, op: str, storage_id: Any) -> Pending[Any]:
        if not isinstance(storage_id, str):
            method = {"storageGetUrl": "get_url", "storageGetMetadata": "get_metadata"}.get(op, "delete")
            raise BadRequest(f"storage.{method} requires a string storageId but received {storage_id!r}")
        args = {**self._head(), "storageId": str(storage_id)}
        return Operation(self._syscalls.call(f"1.0/{op}", args))

    def _generate_upload_url(self) -> Pending[str]:
        return Operation(self._syscalls.call("1.0/storageGenerateUploadUrl", self._head()))

    def _store(
        self, content: Blob | bytes | bytearray | memoryview, content_type: str | None, sha256: str | None
    ) -> Pending[Any]:
        blob = content if isinstance(content, Blob) else Blob(content)  # type: ignore[arg-type]
        if not isinstance(blob.content, (bytes, bytearray, memoryview)):
            raise BadRequest(f"store() expects bytes or a Blob. Received {type(content).__name__}.")
        args = {**self._head(), "blob": ""}
        content_type = content_type or blob.content_type
        if content_type is not None:
            args["contentType"] = content_type
        if sha256 is not None:
            args["sha256"] = sha256
        return Operation(SentInParts(self._syscalls, args, memoryview(blob.content).cast("B")))

    def _get(self, storage_id: Any) -> Pending[Blob | None]:
        if not isinstance(storage_id, str):
            raise BadRequest(f"storage.get requires a string storageId but received {storage_id!r}")
        args = {**self._head(), "storageId": str(storage_id)}
        return Operation(ReadInParts(self._syscalls, args))

    def _head(self) -> dict[str, Any]:
        return {"requestId": self._syscalls.request_id, "version": SYSCALL_VERSION}


class StorageReader(BaseStorage):
    """`ctx.storage` in queries."""

    def get_url(self, storage_id: str) -> Pending[str | None]:
        """A URL to download the file from; `None` when there is no such file."""
        return self._of_file("storageGetUrl", storage_id)

    def get_metadata(self, storage_id: str) -> Pending[dict[str, Any] | None]:
        """`storageId`, `sha256`, `size` and `contentType`; prefer `ctx.db.system.get`."""
        return self._of_file("storageGetMetadata", storage_id)


class Storage(StorageReader):
    """`ctx.storage` in mutations and actions."""

    def generate_upload_url(self) -> Pending[str]:
        """A URL that takes an upload by POST for one hour."""
        return self._generate_upload_url()

    def delete(self, storage_id: str) -> Pending[None]:
        """Delete a file."""
        return self._of_file("storageDelete", storage_id)

    def store(
        self, content: Blob | bytes, *, content_type: str | None = None, sha256: str | None = None
    ) -> Pending[Any]:
        """Store a file; gives its id. `sha256` (base64) is checked when given."""
        return self._store(content, content_type, sha256)

    def get(self, storage_id: str) -> Pending[Blob | None]:
        """The content of a file, `None` when there is no such file."""
        return self._get(storage_id)


class SyncStorageReader(BaseStorage):
    """`ctx.storage` in plain `def` queries."""

    def get_url(self, storage_id: str) -> str | None:
        """A URL to download the file from; `None` when there is no such file."""
        url: str | None = self._wait(self._of_file("storageGetUrl", storage_id))
        return url

    def get_metadata(self, storage_id: str) -> dict[str, Any] | None:
        """`storageId`, `sha256`, `size` and `contentType`; prefer `ctx.db.system.get`."""
        metadata: dict[str, Any] | None = self._wait(self._of_file("storageGetMetadata", storage_id))
        return metadata


class SyncStorage(SyncStorageReader):
    """`ctx.storage` in plain `def` mutations and actions."""

    def generate_upload_url(self) -> str:
        """A URL that takes an upload by POST for one hour."""
        return self._wait(self._generate_upload_url())

    def delete(self, storage_id: str) -> None:
        """Delete a file."""
        self._wait(self._of_file("storageDelete", storage_id))

    def store(
        self, content: Blob | bytes, *, content_type: str | None = None, sha256: str | None = None
    ) -> Any:
        """Store a file; its id. `sha256` (base64) is checked when given."""
        return self._wait(self._store(content, content_type, sha256))

    def get(self, storage_id: str) -> Blob | None:
        """The content of a file, `None` when there is no such file."""
        return self._wait(self._get(storage_id))
