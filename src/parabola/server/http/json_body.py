"""Bodies of requests that are JSON (sync-and-http 2.1)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import web

from parabola.server.http.carried import INTAKE, LEASE
from parabola.server.http.json_faults import json_fault
from parabola.server.http.json_weight import json_weight
from parabola.server.http.request_body import BodyTooLarge, read_body
from parabola.services.threads import in_thread
from parabola.values.errors import BadRequest

__all__ = ["MAX_BODY_BYTES", "PARSED_AT_ONCE_BYTES", "parse_body", "parse_json", "read_json", "read_object"]

MAX_BODY_BYTES: Final = 16 * 1024 * 1024 + 2000
"""Arguments of 16 MiB and what surrounds them."""
PARSED_AT_ONCE_BYTES: Final = 256 * 1024
"""Up to this length a body is parsed faster than it is handed to a thread and back."""


async def read_json(request: web.Request, limit: int = MAX_BODY_BYTES, *, compressed: bool = False) -> Any:
    """The body as parsed JSON, at most `limit` bytes of it. Raises BadRequest (BadJsonBody) for anything
    else, and what `read_body` raises.
    """
    kind = request.content_type
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise BadRequest("Expected a request with 'Content-Type: application/json'", code="BadJsonBody")
    try:
        body = await read_body(request, limit, compressed=compressed)
    except BodyTooLarge as error:
        raise BadRequest(error.message, code="BadJsonBody") from None
    return await parse_body(request, body)


async def parse_body(request: web.Request, body: bytes | bytearray) -> Any:
    """The JSON in a body that was read. What parsing it takes counts as read, too; a large one is parsed
    beside the event loop. Raises BadRequest (BadJsonBody), Overloaded.
    """
    lease = request[LEASE]
    if len(body) < PARSED_AT_ONCE_BYTES:
        lease.take(json_weight(body))
        return parse_json(body)
    lease.take(await in_thread(json_weight, body))
    return await request.app[INTAKE].parsing.run(parse_json, body)


def parse_json(text: bytes | bytearray | str) -> Any:
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
