"""A server that serves until it is told to end, and says what happens."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parabola._version import __version__
from parabola.cli import event_loop
from parabola.cli.local_server import LocalServer
from parabola.cli.server_log import LogFormat, ServerLog
from parabola.cli.server_options import ServerOptions, options_from
from parabola.project import DATA_FOLDER

__all__ = ["serve_with"]


def serve_with(values: Mapping[str, Any]) -> None:
    """Serve with the options of these values, by name, until a signal comes. Raises a `ParabolaError`."""
    event_loop.run(_until_told_to_end(options_from({**values, "data": values["data"] or Path(DATA_FOLDER)})))


async def _until_told_to_end(options: ServerOptions) -> None:
    log = ServerLog(LogFormat(options.log_format))
    try:
        async with LocalServer.running(options, log.say) as server:
            if sys.stderr.isatty():
                server.introduce()
            log.say(
                "started",
                f"Parabola {__version__} serves {server.url}, HTTP actions at {server.site_url}, "
                f"data in {options.data_dir}.",
                version=__version__,
                url=server.url,
                siteUrl=server.site_url,
                data=str(options.data_dir),
            )
            server.backend.log.listen(log.function_failed)
            server.backend.deploys.on_pushed = log.pushed
            await server.until_told_to_end()
    finally:
        log.close()
