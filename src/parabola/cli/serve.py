"""`parabola serve`: the server alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parabola.cli import event_loop
from parabola.cli.local_server import LocalServer
from parabola.cli.server_command import server_command
from parabola.cli.server_options import ServerOptions, options_from
from parabola.project import DATA_FOLDER

__all__ = ["serve"]


def _serve(values: Mapping[str, Any]) -> None:
    """Serve a deployment. Functions come to it by [b]parabola deploy[/b] or [b]npx convex deploy[/b].

    Options come from flags, from environment variables, from a file: in this order.
    """
    event_loop.run(_until_told_to_end(options_from({**values, "data": values["data"] or Path(DATA_FOLDER)})))


serve = server_command(_serve)


async def _until_told_to_end(options: ServerOptions) -> None:
    async with LocalServer.running(options) as server:
        server.introduce()
        await server.until_told_to_end()
