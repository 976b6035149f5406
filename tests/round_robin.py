"""A balancer that sends every request to another server than the one before."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp import web

__all__ = ["RoundRobin"]

_OWN: Final = ("transfer-encoding", "content-length", "connection", "content-encoding")


class RoundRobin:
    """In a thread of its own, at `url`; `sent` says how many requests each server has got."""

    def __init__(self, servers: Sequence[str]) -> None:
        self.url = ""
        self.sent = dict.fromkeys(servers, 0)
        self._turn = itertools.cycle(servers)
        self._is_listening = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._ended = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_listening.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        async with aiohttp.ClientSession(auto_decompress=False) as client:

            async def forward(request: web.Request) -> web.StreamResponse:
                server = next(self._turn)
                self.sent[server] += 1
                headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
                async with client.request(
                    request.method,
                    f"{server}{request.path_qs}",
                    headers=headers,
                    data=request.content if request.can_read_body else None,
                    allow_redirects=False,
                ) as response:
                    kept = {
                        name: value
                        for name, value in response.headers.items()
                        if name.lower() not in _OWN or name.lower() == "content-encoding"
                    }
                    body = await response.read()
                    return web.Response(status=response.status, headers=kept, body=body)

            app = web.Application(client_max_size=2**30)
            app.router.add_route("*", "/{path:.*}", forward)
            runner = web.AppRunner(app, auto_decompress=False)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            self.url = f"http://127.0.0.1:{port}"
            self._is_listening.set()
            await self._ended.wait()
            await runner.cleanup()
