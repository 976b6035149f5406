"""A server that serves until it is told to end, and says what happens."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from parabola._version import __version__
from parabola.cli.options.server_options import ServerOptions, options_from
from parabola.cli.server import event_loop
from parabola.cli.server.local_server import LocalServer, in_role, is_lost_replica
from parabola.cli.server.server_log import LogFormat, ServerLog
from parabola.project import DATA_FOLDER
from parabola.services.moves import RoleChanged
from parabola.values.errors import ParabolaError

__all__ = ["serve_with"]

RETRY_SECONDS: Final = 2.0
"""Before a node that could not begin anew tries again."""


def serve_with(values: Mapping[str, Any]) -> None:
    """Serve with the options of these values, by name, until a signal comes. Raises a `ParabolaError`."""
    event_loop.run(_until_told_to_end(options_from({**values, "data": values["data"] or Path(DATA_FOLDER)})))


async def _until_told_to_end(options: ServerOptions) -> None:
    log = ServerLog(LogFormat(options.log_format))
    is_serving = has_served = is_awaited = False
    try:
        while True:
            try:
                async with LocalServer.running(options, log.say, is_awaited=is_awaited) as server:
                    is_serving = has_served = True
                    options = replace(options, port=server.port, site_port=server.site_port)
                    await _serve(server, log)
                return
            except ParabolaError as error:
                if isinstance(error, RoleChanged):
                    options = in_role(options, error.role)
                    log.say("role", f"Going on as {_role(options)}.", role=_role(options))
                elif is_serving and is_lost_replica(error):
                    # Its clients are with other nodes by now. Here everything begins anew, from the log.
                    log.say("replica", f"Starting anew. {error.message}", "warning", code=error.code)
                elif has_served and (error.code == "LogUnreachable" or is_lost_replica(error)):
                    # The log does not answer, or the disk is still full. Others serve meanwhile.
                    log.say("waiting", f"Trying again soon. {error.message}", "warning", code=error.code)
                    await asyncio.sleep(RETRY_SECONDS)
                elif options.log_format == LogFormat.json:
                    log.failed(error)
                    raise SystemExit(1) from None
                else:
                    raise
                is_serving, is_awaited = False, isinstance(error, RoleChanged)
    finally:
        log.close()


def _role(options: ServerOptions) -> str:
    return "a server that is alone" if options.node is None else f"node {options.node} of a shared log"


async def _serve(server: LocalServer, log: ServerLog) -> None:
    data = str(server.options.data_dir)
    if sys.stderr.isatty():
        server.introduce()
    log.say(
        "started",
        f"Parabola {__version__} serves {server.url}, HTTP actions at {server.site_url}, data in {data}.",
        version=__version__,
        url=server.url,
        siteUrl=server.site_url,
        data=data,
    )
    log.makes_traces = server.backend.runner.tracer is not None
    server.backend.log.listen(log.function_failed)
    server.backend.deploys.on_pushed = log.pushed
    await server.until_told_to_end()
