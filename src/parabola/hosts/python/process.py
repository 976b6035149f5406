"""A process that is a host: what is set up before user code comes into it, and the loop it lives in."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time

from parabola.hosts.python.endpoint import connect
from parabola.hosts.python.executions.executor import Executor
from parabola.hosts.python.executions.steps import Steps
from parabola.hosts.python.host import Host
from parabola.hosts.python.reports.activity import Activity
from parabola.hosts.python.reports.console import ConsoleHandler, ConsoleStream
from parabola.hosts.python.world.function_environ import reduce_process_environment
from parabola.hosts.python.world.sandbox import sandbox

__all__ = ["prepare_process", "serve"]


def prepare_process() -> None:
    """Make this process a host: its clock, output, logging and environment belong to functions now."""
    reduce_process_environment()
    os.environ["TZ"] = "UTC"
    time.tzset()
    sys.stdout = ConsoleStream(sys.stdout, "LOG")
    sys.stderr = ConsoleStream(sys.stderr, "ERROR")
    root = logging.getLogger()
    root.addHandler(ConsoleHandler(outside=True))
    root.setLevel(logging.DEBUG)
    for number in (signal.SIGALRM, signal.SIGVTALRM):
        # A timer that an action leaves behind must not end the next one. (A handler: what it starts does not
        # inherit those, as it would inherit that a signal is ignored.)
        signal.signal(number, lambda number, frame: None)
    sys.breakpointhook = _no_terminal
    sandbox.open()


def _no_terminal(*args: object, **options: object) -> None:
    raise RuntimeError(
        "breakpoint() has no terminal here: a server runs functions in processes of their own. "
        "Use it in a test with parabola.testing."
    )


async def serve(
    connection: socket.socket,
    activity_path: str | None,
    template: Host | None = None,
    executor: Executor | None = None,
) -> None:
    """Answer messages on the socket until it closes. `template` has loaded the modules already.

    `activity_path` is that of the activity file. `executor` runs transactions in this process.
    """
    endpoint = await connect(connection)
    loop = asyncio.get_running_loop()

    def post(call: object) -> None:
        loop.call_soon_threadsafe(call)  # type: ignore[arg-type]

    activity = Activity(activity_path)
    steps = Steps(activity, interrupt=True)
    steps.meanwhile(endpoint.send_waiting)
    host = Host(endpoint.send, post, steps=steps, executor=executor)
    if template is not None:
        host.begin_as(template)
        steps.memory.measure()
    endpoint.host = host
    host.has_its_process = True
    host.say_ready()
    await endpoint.ended
    activity.remove()
