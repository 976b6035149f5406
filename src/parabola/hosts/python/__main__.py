"""`python -m parabola.hosts.python`: the Python host as a process, on the socket the engine gave it."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from typing import Final

from parabola.hosts.python.executions.executor import Executor
from parabola.hosts.python.process import prepare_process, serve
from parabola.hosts.python.reports.activity import ACTIVITY_VARIABLE
from parabola.hosts.python.zygote import Zygote

DESCRIPTOR_VARIABLE: Final = "PARABOLA_HOST_FD"
HASH_SEED: Final = "PYTHONHASHSEED"


def main(argv: list[str] | None = None, executor: Executor | None = None) -> None:
    """Serve until the engine closes the socket. `executor` runs transactions in this process."""
    parser = argparse.ArgumentParser(prog="python -m parabola.hosts.python", description=__doc__)
    parser.add_argument(
        "--fd", type=int, default=os.environ.get(DESCRIPTOR_VARIABLE), help="inherited socket"
    )
    parser.add_argument(
        "--zygote", action="store_true", help="load once, fork a host for each socket received"
    )
    options = parser.parse_args(argv)
    if options.fd is None:
        parser.error("--fd is needed: this program is started by the engine")
    if os.environ.get(HASH_SEED) != "0":
        _restart_with_fixed_hashes()
    connection = socket.socket(fileno=options.fd)
    connection.set_inheritable(False)
    activity = os.environ.get(ACTIVITY_VARIABLE)
    prepare_process()
    if options.zygote:
        Zygote(connection, activity, executor).serve()
    else:
        asyncio.run(serve(connection, activity, executor=executor))
    # Threads of user code may still run and must not hold up the end.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _restart_with_fixed_hashes() -> None:
    """The order of sets depends on the hashes of strings: it must be the same on every host, every time."""
    os.environ[HASH_SEED] = "0"
    os.execv(sys.executable, sys.orig_argv)


if __name__ == "__main__":
    main()
