"""What `promote` and `demote` have in common: to begin a move, and to wait for the server."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, Final

from parabola.cli.admin_client import AdminClient
from parabola.cli.console import console
from parabola.values.errors import BadRequest, ParabolaError

__all__ = ["move"]

POLL_SECONDS: Final = 0.2
RETURN_SECONDS: Final = 60.0
"""The server is opened anew within this."""


def move(client: AdminClient, path: str, body: dict[str, Any], *, to_node: bool) -> None:
    """Has a server change its role, and returns when it serves in the new one. Raises what went wrong."""
    client.post(path, body)
    with console.status("Moving the data") as status:
        deadline = None
        while True:
            try:
                if bool(client.get("/api/parabola/nodes")["nodes"]) is to_node:
                    return
                moving = client.get("/api/parabola/moves")
            except ParabolaError:
                # It is being opened anew, or about to be.
                deadline = deadline or time.monotonic() + RETURN_SECONDS
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)
                continue
            if moving["state"] == "failed":
                raise BadRequest(moving["message"], code=moving["code"])
            with suppress(KeyError):
                status.update(f"Moving the data: {moving['copied']:,} documents copied")
            time.sleep(POLL_SECONDS)
