"""File storage: rows in `_file_storage`, bytes in a file store (semantics 8).

The row is the file: it appears once all bytes are safe and disappears in the transaction of its deletion. The
bytes follow. What a crash, or a mutation that did not commit, leaves behind is removed by `FileGarbage`.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import uuid
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from parabola.database.model.shown_rows import StoredFile
from parabola.functions.syscalls.table import ACTIONS, EVERYWHERE, CallArguments, SyscallTable
from parabola.services.files.file_garbage import FileGarbage
from parabola.services.files.file_rows import by_storage_id, find_file
from parabola.services.files.file_store import FileStore
from parabola.services.files.partial_files import PartialFiles
from parabola.services.files.passed_files import PassedFiles
from parabola.services.files.stored_files import FILES
from parabola.services.files.upload_limits import UploadLimits
from parabola.services.files.upload_tokens import UploadToken, UploadTokens
from parabola.values.encoding import Int64
from parabola.values.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from parabola.database.database import Database
    from parabola.database.transaction import Transaction
    from parabola.functions.calls.execution import Execution
    from parabola.services.files.common_place import Settle

__all__ = ["Files"]

MUTATIONS_AND_ACTIONS: Final = ACTIONS | {"mutation"}
TRANSACTION_SECONDS: Final = 300.0
"""After this long a mutation that stored a file has committed or never will."""
_CONTENT_TYPE: Final = re.compile(r"[\x20-\x7e\xa0-\U0010ffff]*\Z")
_READ_AT_ONCE: Final = 40 * 1024 * 1024
"""Bytes that one `storage.get` call may be answered with: in base64 they must fit into a message."""


class Files:
    """The stored files of a deployment. `cloud_url` is where the URLs of uploads begin, `files_origin` where
    those of files do, if that is elsewhere.
    """

    def __init__(
        self,
        database: Database,
        store: FileStore,
        tokens: UploadTokens,
        cloud_url: str,
        scratch: Path,
        limits: UploadLimits,
        files_origin: str | None = None,
    ) -> None:
        self._database = database
        self._store = store
        self._tokens = tokens
        self._cloud_url = cloud_url.rstrip("/")
        self._files_url = (files_origin or cloud_url).rstrip("/")
        self._limits = limits
        self._partial = PartialFiles(scratch)
        self._garbage = FileGarbage(database, store)
        self.passed = PassedFiles(store) if database.is_shared else None
        """What nodes leave for each other, if there are several."""
        self.on_sent: Callable[[str, int], None] = lambda _id, _bytes: None
        """Told how many bytes of a file, by its storage id, somebody has fetched who has its address."""

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

    async def check_common_place(self, settle: Settle) -> None:
        """Raises `BadRequest` where other nodes have their files elsewhere (`common_place`)."""
        from parabola.services.files.common_place import check_common_place

        await check_common_place(self._store, settle)

    def start(self) -> None:
        """Begin to remove bytes that no file owns."""
        self._garbage.start()

    async def close(self) -> None:
        """Stop."""
        await self._garbage.close()
        self._partial.close()

    # For the server

    def check_upload_token(self, token: str) -> UploadToken:
        """The token that `token` spells. Raises `Unauthenticated` unless it allows an upload now."""
        return self._tokens.check(token)

    async def check_room(self, announced: int | None) -> None:
        """Before a file of `announced` bytes is received. Raises `FileTooLarge`, `StorageFull`."""
        await self._limits.check(announced or 0)

    def leaving_room(self, content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """`content` of any size, as long as the disk has room for it: what is uploaded to be imported."""
        return replace(self._limits, max_file=None).watch(content)

    async def upload(
        self,
        content: AsyncIterable[bytes],
        content_type: str | None,
        sha256: bytes | None,
        component: str = "",
    ) -> str:
        """Store a file in a component, by its id, or in the app; the file's id. Raises `BadRequest`
        (`Sha256Mismatch`) when the digest is another one.
        """
        row = await self.keep(
            self._limits.watch(content),
            storage_id=str(uuid.uuid4()),
            content_type=content_type,
            sha256=sha256,
        )
        try:
            return await self._database.transact(
                lambda tx: tx.view(component).insert_system(FILES, row.fields()), source="file upload"
            )
        except BaseException:
            # Whoever was interrupted may have committed nevertheless: it looks first.
            self._garbage.collect_unless_owned(row.key)
            raise

    async def find(self, storage_id: str, component: str = "") -> StoredFile | None:
        """The row of a file of a component by the UUID in its URL. Whatever is no component has no files."""
        snapshot = self._database.begin()
        if snapshot.registry.table(FILES, component) is None:
            return None
        return await by_storage_id(snapshot.view(component), storage_id)

    async def open(self, row: StoredFile, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """A part of a file's bytes."""
        return await self._store.open(row.key, start, end)

    # For exports and imports (`StoredFiles`)

    async def read(self, row: StoredFile) -> AsyncIterator[bytes]:
        """All bytes of a file."""
        async for piece in await self._store.open(row.key):
            yield piece

    async def keep(
        self,
        content: AsyncIterable[bytes],
        *,
        storage_id: str,
        content_type: str | None,
        sha256: bytes | None,
    ) -> StoredFile:
        """Keep bytes for a storage id; the row to write for them. Raises `BadRequest`.

        Bytes that are there already under this id stay as they are: an import brings the files of a backup
        along before it takes the place of what is there.
        """
        if content_type is not None and not _CONTENT_TYPE.match(content_type):
            raise BadRequest(
                f"The content type {content_type!r} cannot be sent in a header. Use one such as 'image/png'.",
                code="InvalidContentType",
            )
        key = self._store.new_key(f"{storage_id}.{secrets.token_hex(4)}")
        stored = await self._store.put(key, content)
        if sha256 is not None and sha256 != stored.sha256:
            await self._store.delete(key)
            raise BadRequest(
                f"Sha256 mismatch. Expected: {b64encode(sha256).decode()} "
                f"Actual: {b64encode(stored.sha256).decode()}",
                code="Sha256Mismatch",
            )
        return StoredFile(
            storage_id=storage_id,
            storage_key=key,
            sha256=stored.sha256,
            size=Int64(stored.size),
            content_type=UNSET if content_type is None else content_type,
        )

    # Operations

    async def _get_url(self, execution: Execution, args: Mapping[str, Any]) -> str | None:
        row = await self._read_row(execution, args, "storage.getUrl")
        if row is None:
            return None
        component = f"?component={execution.component.id}" if execution.component.id else ""
        return f"{self._files_url}/api/storage/{row.storage_id}{component}"

    async def _get_metadata(self, execution: Execution, args: Mapping[str, Any]) -> Any:
        row = await self._read_row(execution, args, "storage.getMetadata")
        if row is None:
            return None
        return {
            "storageId": row.storage_id,
            "sha256": row.sha256.hex(),
            "size": float(row.size),
            "contentType": row.type,
        }

    async def _generate_upload_url(self, execution: Execution, args: Mapping[str, Any]) -> str:
        return f"{self._cloud_url}/api/storage/upload?token={self._tokens.issue(execution.component.id)}"

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
            await self._database.transact(
                lambda tx: delete(tx.view(execution.component.id)), source="storage.delete"
            )

    async def _store_blob(self, execution: Execution, args: Mapping[str, Any]) -> str | None:
        call = CallArguments(args, "storage.store")
        try:
            blob = b64decode(call.string("blob"), validate=True)
        except ValueError:
            raise call.bad("blob", "expected base64") from None
        content: AsyncIterable[bytes]
        part = args.get("part")
        is_last = bool(part.get("last")) if isinstance(part, Mapping) else True
        if execution.transaction is not None:
            execution.db.usage.count_file_write(len(blob), is_last=is_last)
        if isinstance(part, Mapping):
            upload = f"{execution.attempt.seed} {part.get('upload')}"  # a seed belongs to one run
            whole = self._partial.add(upload, blob, last=is_last)
            if whole is None:
                return None
            content = whole
        else:
            content = _once(blob)
        digest = call.optional_string("sha256")
        content_type = call.optional_string("contentType") or None  # a Blob of no type says ""
        sha256 = None if digest is None else _digest(digest)
        if execution.transaction is None:
            return await self.upload(content, content_type, sha256, execution.component.id)
        row = await self.keep(
            self._limits.watch(content),
            storage_id=str(uuid.uuid4()),
            content_type=content_type,
            sha256=sha256,
        )
        self._garbage.collect_unless_owned(row.key, after=TRANSACTION_SECONDS)
        return await execution.db.insert_system(FILES, row.fields())

    async def _get_blob(self, execution: Execution, args: Mapping[str, Any]) -> Any:
        call = CallArguments(args, "storage.get")
        row = await self._read_row(execution, args, "storage.get")
        if row is None:
            return None
        size = int(row.size)
        start = min(call.optional_integer("offset") or 0, size)
        wanted = call.optional_integer("length")
        end = size if wanted is None else min(size, start + wanted)
        if end - start > _READ_AT_ONCE:
            raise BadRequest(
                f"The file is {size:,} bytes long, too much to be read at once. Read it by its URL instead.",
                code="FileTooLarge",
            )
        if execution.transaction is not None:
            execution.db.usage.count_file_read(end - start, is_first=start == 0)
        try:
            async with aclosing(await self.open(row, start, end)) as stream:
                pieces = [piece async for piece in stream]
        except FileNotFoundError:
            return None
        return {
            "blob": b64encode(b"".join(pieces)).decode(),
            "contentType": row.type,
            "size": size,
        }

    async def _read_row(self, execution: Execution, args: Mapping[str, Any], label: str) -> StoredFile | None:
        storage_id = CallArguments(args, label).string("storageId")
        snapshot = execution.transaction or self._database.begin().view(execution.component.id)
        return await find_file(snapshot, storage_id, label)


def _digest(text: str) -> bytes:
    """A SHA-256 in base64 or hex."""
    with contextlib.suppress(ValueError):
        if len(text) == 64:
            return bytes.fromhex(text)
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise BadRequest(f"`sha256` is neither base64 nor hex: {text!r}", code="InvalidArgument") from None


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
