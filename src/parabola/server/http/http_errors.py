"""What an HTTP request gets when it fails outside a function: `{"code", "message"}` and a status
(sync-and-http 2.2).

Routes raise; this is the one place where an error becomes an answer.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from parabola.server.http.carried import INTAKE, LEASE
from parabola.server.http.open_requests import OPEN_REQUESTS
from parabola.values.errors import InternalServerError, ParabolaError, ServerShutdown
from parabola.values.texts import repaired, shortened

__all__ = ["MAX_CODE_LENGTH", "answer_errors", "error_response", "response_to"]

MAX_CODE_LENGTH: Final = 256
_CLIENT_HAS_GONE: Final = 499

_log: Final = logging.getLogger(__name__)


def error_response(error: ParabolaError) -> web.Response:
    """The answer for an error. Whatever has no class of its own is an internal error and shows no detail.

    A message never gives a long text back to whoever sent it.
    """
    code, message = error.code[:MAX_CODE_LENGTH], shortened(error.message)
    body = orjson.dumps({"code": repaired(code), "message": repaired(message)})
    response = web.Response(status=error.status, body=body, content_type="application/json")
    if error.status == 503 and (not isinstance(error, ServerShutdown) or error.can_be_repeated):
        response.headers["Retry-After"] = "1"
    elif error.status == 408:
        response.force_close()
    return response


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a route raises into its answer; unknown routes and wrong methods answer with an empty
    body. What a request holds of the server's memory for reading, it gives back here.

    A request that is cut because the server ends is answered, too.
    """
    open_requests = request.app[OPEN_REQUESTS]
    open_requests.enter(request.protocol)
    lease = request[LEASE] = request.app[INTAKE].lease()
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        return web.Response(status=405, headers={"Allow": error.headers.get("Allow", "")})
    except web.HTTPNotFound:
        return web.Response(status=404)
    except web.HTTPException as error:
        return web.Response(status=error.status, text=error.text, headers=_location(error))
    except asyncio.CancelledError:
        cut = open_requests.answer_of_cut()
        if cut is None:
            raise
        return error_response(cut)
    except Exception as error:
        return response_to(error, request.method, request.path, request.transport)
    finally:
        lease.release()
        open_requests.leave(request.protocol)


def response_to(
    error: Exception, method: str, path: str, transport: asyncio.Transport | None
) -> web.Response:
    """The answer for what a route has raised, which is being handled. `transport` is the client's."""
    if isinstance(error, ParabolaError):
        if error.status >= 500 and not isinstance(error, ServerShutdown):
            _log.error("%s %.200s: %s: %.2000s", method, path, error.code, error.message)
        return error_response(error)
    has_gone = transport is None or transport.is_closing()
    if isinstance(error, ConnectionError) and has_gone:
        # Clients leave all the time, and it is nobody's fault; and nobody hears this.
        return web.Response(status=_CLIENT_HAS_GONE)
    _log.exception("%s %.200s failed", method, path)
    return error_response(InternalServerError())


def _location(error: web.HTTPException) -> dict[str, str]:
    return {"Location": error.headers["Location"]} if "Location" in error.headers else {}
