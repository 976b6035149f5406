"""Bodies of requests: bounded, and JSON where JSON is asked for (sync-and-http 2.1)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import web

from parabola.server.json_faults import json_fault
from parabola.values.errors import BadRequest, ParabolaError
from parabola.values.sizes import humanize

MAX_BODY_BYTES: Final = 16 * 1024 * 1024 + 2000
"""Arguments of 16 MiB and what surrounds them."""


class BodyTooLarge(ParabolaError):
    """A body is longer than this endpoint takes. Send less at a time."""

    status = 413
    default_code = "BodyTooLarge"


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is longer than ``limit`` bytes, and BadRequest when
    it is not encoded as it says."""
    announced = request.content_length
    if announced is not None and announced > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.content.iter_any():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
    except web.RequestPayloadError as error:
        encoding = request.headers.get("Content-Encoding", "chunked")
        raise BadRequest(
            f"The request's body cannot be decoded as {encoding}", code="BadRequestBody"
        ) from error
    return b"".join(chunks)


async def read_json(request: web.Request, limit: int = MAX_BODY_BYTES) -> Any:
    """The body as parsed JSON. Raises BadRequest (BadJsonBody) for anything else."""
    kind = request.content_type
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise BadRequest("Expected a request with 'Content-Type: application/json'", code="BadJsonBody")
    try:
        body = await read_body(request, limit)
    except BodyTooLarge as error:
        raise BadRequest(error.message, code="BadJsonBody") from None
    return parse_json(body)


def parse_json(text: bytes | str) -> Any:
    """Parsed JSON. Raises BadRequest (BadJsonBody)."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        fault = json_fault(text, error)
        raise BadRequest(f"The request's JSON could not be read: {fault}", code="BadJsonBody") from None


def read_object(parsed: Any, **fields: type | tuple[type, ...]) -> dict[str, Any]:
    """The named fields of a JSON object; a field is there unless its type allows None.

    Raises BadRequest (BadJsonBody) naming the field that is missing or of another type.
    """
    if not isinstance(parsed, dict):
        raise BadRequest("Expected a JSON object as the request's body", code="BadJsonBody")
    values: dict[str, Any] = {}
    for name, kind in fields.items():
        value = parsed.get(name)
        if not isinstance(value, kind):
            what = "is missing" if name not in parsed else "has the wrong type"
            raise BadRequest(f"The field `{name}` of the request's body {what}", code="BadJsonBody")
        values[name] = value
    return values


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request's body is larger than {humanize(limit)}")
