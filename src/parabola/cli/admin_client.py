"""Calls to a deployment's HTTP API with an admin key. Blocking: a command makes one call after another."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from http.client import HTTPResponse
from typing import Any

from parabola.cli.console import console
from parabola.cli.target import Target
from parabola.values.errors import BadRequest, NotFound, UserError
from parabola.values.texts import displayable

__all__ = ["AdminClient", "FunctionFailed"]


class FunctionFailed(UserError):
    """The function that was called raised an error."""

    default_code = "FunctionFailed"


class AdminClient:
    """One deployment, seen by its administrator. `identity`: act as the user with these attributes."""

    def __init__(self, target: Target, identity: dict[str, Any] | None = None) -> None:
        self._target = target
        self._key = target.admin_key
        if identity is not None:
            self._key += ":" + base64.b64encode(json.dumps(identity).encode()).decode()

    def call(self, path: str, args: dict[str, Any], format: str = "json") -> Any:
        """Run a function of any kind; its log lines go to standard error. Raises `FunctionFailed`."""
        answer = self.post("/api/function", {"path": path, "args": args, "format": format})
        for line in answer.get("logLines", ()):
            console.print(displayable(line), style="dim", markup=False)
        if answer["status"] == "error":
            raise FunctionFailed(answer["errorMessage"])
        return answer.get("value")

    def get(self, path: str) -> Any:
        """GET and return the JSON answer. Raises like `post`."""
        with self.open(path) as response:
            return json.load(response)

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
        with self._request(path, "POST", body, {"Content-Type": kind}) as response:
            text = response.read()
        return json.loads(text) if text else None

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
            raise _error_of(error, self._target.url + path) from None
        except urllib.error.URLError as error:
            raise NotFound(
                f"{self._target.url} does not answer ({error.reason}). Is the server running there?"
            ) from None


def _error_of(error: urllib.error.HTTPError, url: str) -> UserError:
    text = error.read().decode("utf-8", "replace")
    try:
        content = json.loads(text)
        return BadRequest(content["message"], code=content["code"])
    except (ValueError, KeyError, TypeError):
        return BadRequest(f"{url} answered with status {error.code}: {text[:200] or error.reason}")
