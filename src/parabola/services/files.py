"""File storage: rows in `_file_storage`, bytes in a file store (semantics 8).

The row is the file: it appears once all bytes are safe and disappears in the transaction of its deletion. The
bytes follow; what a crash leaves behind is swept up at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
import uuid
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from parabola.functions.syscalls import ACTIONS, EVERYWHERE, CallArguments, SyscallTable
from parabola.services.file_store import FileStore
from parabola.services.partial_files import PartialFiles
from parabola.services.stored_files import FILES, STORAGE
from parabola.services.transactions import transact
from parabola.services.upload_tokens import UploadTokens
from parabola.values.encoding import Int64
from parabola.values.errors import BadRequest, InvalidId, NotFound, ParabolaError
from parabola.values.ids import decode_id

if TYPE_CHECKING:
    from pathlib import Path

    from parabola.database.database import Database
    from parabola.database.documents import Document
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction
    from parabola.database.write_set import WriteSet
    from parabola.functions.execution import Execution

__all__ = ["Files"]

MUTATIONS_AND_ACTIONS: Final = ACTIONS | {"mutation"}
SWEEP_AGE_SECONDS: Final = 24 * 3600.0
"""Bytes without a row are left alone for this long: their upload may still be under way."""
_READ_AT_ONCE: Final = 64 * 1024 * 1024
"""Bytes that one `storage.get` call may be answered with."""

logger = logging.getLogger("parabola.files")


class Files:
    """The stored files of a deployment. `cloud_url` is where their URLs begin."""

    def __init__(
        self, database: Database, store: FileStore, tokens: UploadTokens, cloud_url: str, scratch: Path
    ) -> None:
        self._database = database
        self._store = store
        self._tokens = tokens
        self._cloud_url = cloud_url.rstrip("/")
        self._partial = PartialFiles(scratch)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop_listening = database.on_commit(self._committed)

    def register(self, syscalls: SyscallTable) -> None:
        """Serve `ctx.storage`."""
        syscalls.register("1.0/storageGetUrl", self._get_url, contexts=EVERYWHERE)
        syscalls.register("1.0/storageGetMetadata", self._get_metadata, contexts=EVERYWHERE)
        syscalls.register(
            "1.0/storageGenerateUploadUrl", self._generate_upload_url, contexts=MUTATIONS_AND_ACTIONS
        )
        syscalls.register("1.0/storageDelete", self._delete, contexts=MUTATIONS_AND_ACTIONS)
        syscalls.register("1.0/storageStore", self._store_blob, contexts=MUTATIONS_AND_ACTIONS)
        syscalls.register("1.0/storageGet", self._get_blob, contexts=MUTATIONS_AND_ACTIONS)

    def start(self) -> None:
        """Sweep up in the background."""
        self._spawn(self._sweep())

    async def close(self) -> None:
        """Stop."""
        self._stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._partial.close()

    # For the server

    def check_upload_token(self, token: str) -> None:
        """Raises `Unauthenticated` unless `token` allows an upload now."""
        self._tokens.check(token)

    async def upload(
        self, content: AsyncIterable[bytes], content_type: str | None, sha256: bytes | None
    ) -> str:
        """Store a file; its id. Raises `BadRequest` (`Sha256Mismatch`) when the digest is another one."""
        row = await self.keep(content, storage_id=str(uuid.uuid4()), content_type=content_type, sha256=sha256)
        try:
            return await transact(
                self._database, "file upload", lambda tx: tx.insert_system(FILES, dict(row))
            )
        except BaseException:
            self._spawn(self._remove_bytes(row))
            raise

    async def find(self, storage_id: str) -> Mapping[str, Any] | None:
        """The row of a file by the UUID in its URL."""
        row = await _by_storage_id(self._database.begin(), storage_id)
        return None if row is None else row.value

    async def open(self, row: Mapping[str, Any], start: int, end: int) -> AsyncIterator[bytes]:
        """A part of a file's bytes."""
        return await self._store.open(_key(row), start, end)

    # For exports and imports (`StoredFiles`)

    async def read(self, row: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """All bytes of a file."""
        async for piece in await self._store.open(_key(row)):
            yield piece

    async def keep(
        self,
        content: AsyncIterable[bytes],
        *,
        storage_id: str,
        content_type: str | None,
        sha256: bytes | None,
    ) -> Mapping[str, Any]:
        """Keep bytes for a storage id; the row to write for them. Raises `BadRequest`.

        Bytes that are there already under this id stay as they are: an import brings the files of a backup
        along before it takes the place of what is there.
        """
        key = f"{storage_id}.{secrets.token_hex(4)}"
        stored = await self._store.put(key, content)
        if sha256 is not None and sha256 != stored.sha256:
            await self._store.delete(key)
            raise BadRequest(
                f"Sha256 mismatch. Expected: {b64encode(sha256).decode()} "
                f"Actual: {b64encode(stored.sha256).decode()}",
                code="Sha256Mismatch",
            )
        row: dict[str, Any] = {
            "storageId": storage_id,
            "storageKey": key,
            "sha256": stored.sha256,
            "size": Int64(stored.size),
        }
        if content_type is not None:
            row["contentType"] = content_type
        return row

    # Operations

    async def _get_url(self, execution: Execution, args: Mapping[str, Any]) -> str | None:
        row = await self._read_row(execution, args, "storage.getUrl")
        return None if row is None else f"{self._cloud_url}/api/storage/{row.value['storageId']}"

    async def _get_metadata(self, execution: Execution, args: Mapping[str, Any]) -> Any:
        row = await self._read_row(execution, args, "storage.getMetadata")
        if row is None:
            return None
        value = row.value
        return {
            "storageId": value["storageId"],
            "sha256": value["sha256"].hex(),
            "size": float(int(value["size"])),
            "contentType": value.get("contentType"),
        }

    async def _generate_upload_url(self, execution: Execution, args: Mapping[str, Any]) -> str:
        return f"{self._cloud_url}/api/storage/upload?token={self._tokens.issue()}"

    async def _delete(self, execution: Execution, args: Mapping[str, Any]) -> None:
        storage_id = CallArguments(args, "storage.delete").string("storageId")

        async def delete(tx: Transaction) -> None:
            row = await find_file(tx, storage_id, "storage.delete")
            if row is None:
                raise NotFound(f"storage id {storage_id} not found", code="StorageIdNotFound")
            await tx.delete_system(row.id)

        if execution.transaction is not None:
            await delete(execution.db)
        else:
            await transact(self._database, "storage.delete", delete)

    async def _store_blob(self, execution: Execution, args: Mapping[str, Any]) -> str | None:
        call = CallArguments(args, "storage.store")
        try:
            blob = b64decode(call.string("blob"), validate=True)
        except Base64Error:
            raise call.bad("blob", "expected base64") from None
        content: AsyncIterable[bytes]
        part = args.get("part")
        if isinstance(part, Mapping):
            whole = self._partial.add(str(part.get("upload")), blob, last=bool(part.get("last")))
            if whole is None:
                return None
            content = whole
        else:
            content = _once(blob)
        digest = call.optional_string("sha256")
        content_type = call.optional_string("contentType")
        sha256 = None if digest is None else _digest(digest)
        if execution.transaction is None:
            return await self.upload(content, content_type, sha256)
        row = await self.keep(content, storage_id=str(uuid.uuid4()), content_type=content_type, sha256=sha256)
        return await execution.db.insert_system(FILES, dict(row))

    async def _get_blob(self, execution: Execution, args: Mapping[str, Any]) -> Any:
        call = CallArguments(args, "storage.get")
        row = await self._read_row(execution, args, "storage.get")
        if row is None:
            return None
        size = int(row.value["size"])
        start = min(call.optional_integer("offset") or 0, size)
        wanted = call.optional_integer("length")
        end = size if wanted is None else min(size, start + wanted)
        if end - start > _READ_AT_ONCE:
            raise BadRequest(
                f"The file is {size:,} bytes long, too much to be read at once. Read it by its URL instead.",
                code="FileTooLarge",
            )
        try:
            pieces = [piece async for piece in await self.open(row.value, start, end)]
        except FileNotFoundError:
            return None
        return {
            "blob": b64encode(b"".join(pieces)).decode(),
            "contentType": row.value.get("contentType"),
            "size": size,
        }

    async def _read_row(self, execution: Execution, args: Mapping[str, Any], label: str) -> Document | None:
        storage_id = CallArguments(args, label).string("storageId")
        snapshot = execution.transaction or self._database.begin()
        return await find_file(snapshot, storage_id, label)

    # Bytes whose row is gone

    def _committed(self, writes: WriteSet, ts: int) -> None:
        for change in writes.changes:
            if change.table.name == FILES and change.new is None and change.old is not None:
                self._spawn(self._remove_bytes(change.old.value))

    async def _remove_bytes(self, row: Mapping[str, Any]) -> None:
        try:
            await self._store.delete(_key(row))
        except ParabolaError as error:
            logger.warning("The bytes of a deleted file stay until the next start: %s", error)

    async def _sweep(self) -> None:
        """Remove bytes that belong to no file: a crash came between the bytes and the row."""
        if any(table.name == FILES and table.state == "hidden" for table in self._database.registry.tables()):
            return  # an import brings rows along that cannot be found yet
        oldest = time.time() - SWEEP_AGE_SECONDS
        with contextlib.suppress(ParabolaError):
            async for batch in self._store.keys():
                for key, stored_at in batch:
                    if stored_at < oldest and _is_uuid(key[:36]) and not await self._is_needed(key):
                        await self._store.delete(key)

    async def _is_needed(self, key: str) -> bool:
        row = await self.find(key[:36])
        return row is not None and _key(row) == key

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def find_file(tx: Snapshot, storage_id: str, label: str) -> Document | None:
    """The row of a file by its document id or its UUID; None when there is none.

    Raises `BadRequest` for what is neither, and for an id of another table.
    """
    if _is_uuid(storage_id):
        return await _by_storage_id(tx, storage_id)
    try:
        number = decode_id(storage_id).table_number
    except InvalidId:
        raise BadRequest(
            f'Invalid argument `storageId` for `{label}`: Invalid storage ID: "{storage_id}". '
            "Storage ID should be an Id of '_storage' table, or a UUID string.",
            code="InvalidArgument",
        ) from None
    table = tx.registry.table(FILES)
    if table is None or number != table.number:
        raise BadRequest(
            f"Invalid argument `storageId` for `{label}`: Invalid storage ID. Storage ID cannot be an ID on "
            f"any table other than '{STORAGE}'.",
            code="InvalidArgument",
        )
    return await tx.get_system(storage_id)


async def _by_storage_id(tx: Snapshot, storage_id: str) -> Document | None:
    return await tx.find_system(FILES, "by_storage_id", storage_id.lower())


def _key(row: Mapping[str, Any]) -> str:
    """Where the bytes of a file are."""
    key: str = row.get("storageKey", row["storageId"])
    return key


def _is_uuid(text: str) -> bool:
    try:
        return len(text) == 36 and str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _digest(text: str) -> bytes:
    """A SHA-256 in base64 or hex."""
    with contextlib.suppress(ValueError):
        if len(text) == 64:
            return bytes.fromhex(text)
    try:
        return b64decode(text, validate=True)
    except Base64Error:
        raise BadRequest(f"`sha256` is neither base64 nor hex: {text!r}", code="InvalidArgument") from None


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
