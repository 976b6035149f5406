"""Uploading and downloading stored files (sync-and-http 4). Both stream."""

from __future__ import annotations

import base64
import logging
import re
import uuid
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final, Protocol

from aiohttp import web

from parabola.server.api.files.file_containment import containment
from parabola.server.api.files.upload_turns import UploadTurns
from parabola.server.http.carried import LEASE, rules_of
from parabola.server.http.request_body import arriving, refuse_encoding
from parabola.server.served_backend import ServedBackend
from parabola.services.files.file_store import PIECE_BYTES
from parabola.services.files.files import Files
from parabola.values.errors import BadRequest, NotFound

__all__ = ["byte_range", "routes"]

_UPLOAD_BYTES: Final = 2 * PIECE_BYTES + 128 * 1024
"""What an upload holds: a piece that is written, one that comes in, and the connection's buffer."""
_CACHE: Final = "private, max-age=2592000"
_RANGE: Final = re.compile(r"bytes=(.+)\Z")
_ONE_RANGE: Final = re.compile(r"([0-9]{0,19})-([0-9]{0,19})\Z")
_CONTENT_TYPE: Final = re.compile(r"[\w!#$&^.+*%'`|~-]+/[\w!#$&^.+*%'`|~-]+\s*(;.*)?\Z", re.ASCII)

_log: Final = logging.getLogger(__name__)


class StoringBackend(ServedBackend, Protocol):
    """A backend with file storage."""

    @property
    def files(self) -> Files: ...


class Unsatisfiable(Exception):
    """A range that the file does not have, or several ranges."""


def routes(backend: StoringBackend) -> list[web.RouteDef]:
    """The endpoints."""

    turns = UploadTurns()

    async def upload(request: web.Request) -> web.Response:
        token = request.query.get("token")
        if token is None:
            raise BadRequest("The upload URL has no `token`. Use it as it was given.", code="BadQueryArgs")
        allowed = backend.files.check_upload_token(token)
        refuse_encoding(request)
        content_type, digest = _content_type(request), _expected_digest(request)
        await backend.files.check_room(request.content_length)
        async with turns.one_of(allowed.key, rules_of(request)):
            request[LEASE].take(_UPLOAD_BYTES)
            try:
                storage_id = await backend.files.upload(
                    _body(request), content_type, digest, allowed.component
                )
            except ConnectionError:
                # Clients go away all the time. One that still listens is told.
                raise BadRequest(
                    "The upload was cut off. Send the file again.", code="IncompleteUpload"
                ) from None
        return web.json_response({"storageId": storage_id})

    async def download(request: web.Request) -> web.StreamResponse:
        path = request.match_info["storage_id"]
        try:
            storage_id = str(uuid.UUID(path))
        except ValueError:
            raise BadRequest(
                f'Invalid storage path: "{path}". It must be a UUID, as in the URLs of files.',
                code="InvalidStoragePath",
            ) from None
        row = await backend.files.find(storage_id, request.query.get("component", ""))
        if row is None:
            raise NotFound(f"File {storage_id} not found", code="FileNotFound")
        size = int(row.size)
        headers = {"Accept-Ranges": "bytes", "Cache-Control": _CACHE}
        if row.type is not None:
            headers["Content-Type"] = row.type
        headers.update(containment(row.type))
        try:
            wanted = byte_range(request.headers.get("Range"), size)
        except Unsatisfiable:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
        start, end = wanted or (0, size)
        if wanted is None:
            headers["Digest"] = f"sha-256={b64encode(row.sha256).decode()}"
        else:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        headers["Content-Length"] = str(end - start)
        response = web.StreamResponse(status=200 if wanted is None else 206, headers=headers)
        if request.method == "HEAD":
            await response.prepare(request)
            await response.write_eof()
            return response
        try:
            pieces = await backend.files.open(row, start, end)
        except FileNotFoundError:
            raise NotFound(f"File {storage_id} not found", code="FileNotFound") from None
        await response.prepare(request)
        rest = end - start
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    await response.write(piece)  # who takes too little of it loses the connection
                    rest -= len(piece)
            if rest:
                raise EOFError(f"{rest} bytes are missing in the file store")
            await response.write_eof()
        except ConnectionError:
            pass  # the client has gone
        except Exception as error:
            # It is too late for another answer: what was sent must not look like the whole.
            _log.error("the download of file %s broke off: %s", storage_id, error)
            if request.transport is not None:
                request.transport.abort()
        finally:
            backend.files.on_sent(storage_id, end - start - rest)
        return response

    return [
        web.post("/api/storage/upload", upload),
        web.get("/api/storage/{storage_id}", download),
    ]


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of the one range that is asked for; None for the whole file.

    A header that cannot be read, and any range of an empty file, mean the whole file. Raises `Unsatisfiable`.
    """
    match = _RANGE.match(header.strip()) if header else None
    if match is None or size == 0:
        return None
    if "," in match[1]:
        raise Unsatisfiable
    one = _ONE_RANGE.match(match[1].strip())
    if one is None or one[0] == "-":
        return None
    first, last = one[1], one[2]
    if not first:
        length = min(int(last), size)
        if length == 0:
            raise Unsatisfiable
        return size - length, size
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    if start >= size or end <= start:
        raise Unsatisfiable
    return start, end


def _content_type(request: web.Request) -> str | None:
    """The header, if it says anything: browsers leave it empty for files of a type that they do not know."""
    header = request.headers.get("Content-Type", "").strip()
    if header and not _CONTENT_TYPE.match(header):
        raise BadRequest(
            f"The Content-Type header must be like 'image/png', not {header!r}", code="BadHeader"
        )
    return header or None


def _expected_digest(request: web.Request) -> bytes | None:
    header = request.headers.get("Digest")
    if header is None:
        return None
    algorithm, _, value = header.partition("=")
    try:
        digest = base64.b64decode(value.strip(), validate=True)
    except ValueError:
        digest = b""
    if algorithm.strip().lower() != "sha-256" or len(digest) != 32:
        raise BadRequest("The Digest header must be 'sha-256=<base64>'", code="BadHeader")
    return digest


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises `ConnectionError` when it breaks off, `TooSlow` when it stops."""
    received = 0
    async for chunk in arriving(request):
        received += len(chunk)
        yield chunk
    if request.content_length is not None and received < request.content_length:
        raise ConnectionResetError("the upload was cut off")
