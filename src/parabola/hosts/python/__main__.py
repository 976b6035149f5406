"""``python -m parabola.hosts.python``: the Python host as a process, on the socket the engine gave it."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from typing import Final

from parabola.hosts.python.activity import Activity
from parabola.hosts.python.endpoint import connect
from parabola.hosts.python.host import PROTOCOL_VERSION, Host
from parabola.hosts.python.steps import Steps

DESCRIPTOR_VARIABLE: Final = "PARABOLA_HOST_FD"


def main(argv: list[str] | None = None) -> None:
    """Serve until the engine closes the socket."""
    parser = argparse.ArgumentParser(prog="python -m parabola.hosts.python", description=__doc__)
    parser.add_argument(
        "--fd", type=int, default=os.environ.get(DESCRIPTOR_VARIABLE), help="inherited socket"
    )
    parser.add_argument("--time-limit", type=float, default=1.0, help="seconds of a query or mutation")
    options = parser.parse_args(argv)
    if options.fd is None:
        parser.error("--fd is needed: this program is started by the engine")
    asyncio.run(serve(socket.socket(fileno=options.fd), options.time_limit))


async def serve(descriptor: socket.socket, time_limit: float) -> None:
    """Answer messages on the socket until it closes."""
    endpoint = await connect(descriptor)
    steps = Steps(Activity.from_environment(), limit=time_limit, interrupt=True)
    endpoint.host = Host(endpoint.send, steps=steps, post=asyncio.get_running_loop().call_soon_threadsafe)
    endpoint.send(
        {
            "type": "ready",
            "protocol": PROTOCOL_VERSION,
            "language": "python",
            "pid": os.getpid(),
            "version": ".".join(map(str, sys.version_info[:3])),
        }
    )
    await endpoint.ended


if __name__ == "__main__":
    main()
