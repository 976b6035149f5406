"""Calls to a deployment's HTTP API with an admin key. Blocking: a command makes one call after another."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any

from parabola.cli.console import console
from parabola.cli.target import Target
from parabola.values.errors import BadRequest, NotFound, UserError

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
            console.print(line, style="dim", markup=False)
        if answer["status"] == "error":
            raise FunctionFailed(answer["errorMessage"])
        return answer.get("value")

    def post(self, path: str, body: Any) -> Any:
        """POST a JSON body and return the JSON answer. Raises the deployment's own error, or says it is not
        there.
        """
        request = urllib.request.Request(
            self._target.url + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Convex {self._key}"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request) as response:
                return json.load(response)
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
