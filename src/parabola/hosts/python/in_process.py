"""The host inside the engine's own process: for tests and debuggers.

The same host without a process around it: no limits of time and memory, and print and breakpoints go where
the developer looks. The clock and the randomness of functions are frozen all the same, for functions alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import orjson

from parabola.hosts.python.host import Host
from parabola.hosts.python.reports.console import ConsoleHandler
from parabola.hosts.python.reports.outgoing import encode_message
from parabola.hosts.python.world import capabilities
from parabola.hosts.python.world.sandbox import sandbox

__all__ = ["InProcessHost", "Json"]

Json = dict[str, Any]


class InProcessHost:
    """A host on the running event loop. `on_message` receives each message to the engine, in order."""

    def __init__(self, on_message: Callable[[Json], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._on_message = on_message
        self._host = Host(self._say, self._call)
        self._handler = ConsoleHandler()
        logging.getLogger().addHandler(self._handler)
        sandbox.open()
        capabilities.debuggers_allowed = True
        self._loop.call_soon(self._host.say_ready)

    def post(self, message: Json | bytes) -> None:
        """Hand over a message of the engine; it is acted on in the next turn of the event loop."""
        if not self._closed:
            # Through JSON, as over a socket: nothing is shared, and ready-made pieces of JSON become objects.
            raw = message if isinstance(message, bytes) else orjson.dumps(message)
            self._loop.call_soon(self._receive, orjson.loads(raw))

    async def send(self, message: Json | bytes) -> None:
        """The same as `post`, for those who await."""
        self.post(message)

    async def close(self) -> None:
        """Cancel what runs; nothing is sent any more."""
        if not self._closed:
            self._closed = True
            self._host.close()
            logging.getLogger().removeHandler(self._handler)
            sandbox.close()

    def _say(self, message: Json) -> None:
        self._on_message(orjson.loads(encode_message(message)))

    def _receive(self, message: Json) -> None:
        if not self._closed:
            self._host.receive(message)

    def _call(self, call: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(lambda: None if self._closed else call())
        except RuntimeError:
            pass  # the loop has closed before the action's thread noticed
