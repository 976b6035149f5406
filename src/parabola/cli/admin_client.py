"""Calls to a deployment's HTTP API with an admin key. Blocking: a command makes one call after another."""

from __future__ import annotations

import base64
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Any, Final

from parabola.cli.console import console
from parabola.cli.target import Target
from parabola.values.errors import BadRequest, NotFound, UserError
from parabola.values.texts import displayable

__all__ = ["AdminClient", "FunctionFailed", "ServerGone"]


_HEAD: Final = re.compile(r"(\[Request ID: \w+\]) Server Error\n(?=.)")


class FunctionFailed(UserError):
    """The function that was called raised an error."""

    default_code = "FunctionFailed"


class ServerGone(UserError):
    """The connection to the server broke while it was answering."""

    default_code = "ServerGone"


class AdminClient:
    """One deployment, seen by its administrator. `identity`: act as the user with these attributes."""

    def __init__(self, target: Target, identity: dict[str, Any] | None = None) -> None:
        self._target = target
        self._key = target.admin_key
        if identity is not None:
            self._key += ":" + base64.b64encode(json.dumps(identity).encode()).decode()

    def call(
        self, path: str, args: dict[str, Any], format: str = "json", component: str | None = None
    ) -> Any:
        """Run a function of any kind, of the app or of the component at a path; its log lines go to standard
        error. Raises `FunctionFailed`.
        """
        body = {"path": path, "args": args, "format": format}
        if component is not None:
            body["componentPath"] = component
        answer = self.post("/api/function", body)
        for line in answer.get("logLines", ()):
            console.print(displayable(line), style="dim", markup=False)
        if answer["status"] == "error":
            raise FunctionFailed(_told(answer["errorMessage"]))
        return answer.get("value")

    def get(self, path: str) -> Any:
        """GET and return the JSON answer. Raises like `post`."""
        return self._answer(path, "GET", None, {})

    def post(self, path: str, body: Any) -> Any:
        """POST a JSON body and return the JSON answer, None for an empty one. Raises the deployment's own
        error, or says it is not there.
        """
        return self._post(path, json.dumps(body).encode(), "application/json")

    def post_bytes(self, path: str, content: bytes) -> Any:
        """POST bytes and return the JSON answer. Raises like `post`."""
        return self._post(path, content, "application/octet-stream")

    def open(self, path: str) -> HTTPResponse:
        """GET something that is read bit by bit; to be closed. Raises like `post`."""
        return self._request(path, "GET", None, {})

    def _post(self, path: str, body: bytes, kind: str) -> Any:
        return self._answer(path, "POST", body, {"Content-Type": kind})

    def _answer(self, path: str, method: str, body: bytes | None, headers: dict[str, str]) -> Any:
        """The whole answer, read from JSON; None for an empty one."""
        with self.broken_connections(), self._request(path, method, body, headers) as response:
            if response.headers.get("Content-Length") is None and not response.chunked:
                raise HTTPException("its head was cut off")
            text = response.read()
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise BadRequest(
                f"{self._target.url}{path} did not answer with JSON. Is it the address of a deployment?"
            ) from None

    @contextmanager
    def broken_connections(self) -> Iterator[None]:
        """While an answer is read: a server that goes away meanwhile is a `ServerGone`."""
        try:
            yield
        except (OSError, HTTPException) as error:
            raise self._gone(error) from None

    def _gone(self, error: Exception) -> ServerGone:
        return ServerGone(
            f"{self._target.url} went away in the middle of an answer ({_why(error)}). What was asked for "
            "may have been done. Look at the server, then try again."
        )

    def _request(self, path: str, method: str, body: bytes | None, headers: dict[str, str]) -> HTTPResponse:
        request = urllib.request.Request(
            self._target.url + path,
            data=body,
            headers={**headers, "Authorization": f"Convex {self._key}"},
            method=method,
        )
        try:
            response: HTTPResponse = urllib.request.urlopen(request)
            return response
        except urllib.error.HTTPError as error:
            with self.broken_connections():
                raise _error_of(error, self._target.url + path) from None
        except urllib.error.URLError as error:
            raise NotFound(
                f"{self._target.url} does not answer ({error.reason}). Is the server running there?"
            ) from None
        except (OSError, HTTPException) as error:
            raise self._gone(error) from None
        except ValueError:
            raise BadRequest(f"{self._target.url} is not a URL such as https://my-app.com.") from None


def _told(message: str) -> str:
    """What went wrong first; the request id, by which the log finds it, last."""
    found = _HEAD.match(message)
    return message if found is None else f"{message[found.end() :].rstrip()}\n{found[1]}"


def _why(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or str(error).rstrip(".") or type(error).__name__


def _error_of(error: urllib.error.HTTPError, url: str) -> UserError:
    text = error.read().decode("utf-8", "replace")
    try:
        content = json.loads(text)
        return BadRequest(content["message"], code=content["code"])
    except (ValueError, KeyError, TypeError):
        return BadRequest(f"{url} answered with status {error.code}: {text[:200] or error.reason}")
