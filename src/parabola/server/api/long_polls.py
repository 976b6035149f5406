"""Requests that are held open until there is news: a server that stops answers them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aiohttp import web

__all__ = ["answer_long_polls", "news_or_stop"]

T = TypeVar("T")

_STOPPING: Final = web.AppKey("stopping", asyncio.Event)


def answer_long_polls(app: web.Application) -> None:
    """Let the requests of `app` that wait for news end when the server stops."""
    app[_STOPPING] = asyncio.Event()

    async def stop(app: web.Application) -> None:
        app[_STOPPING].set()

    app.on_shutdown.append(stop)


async def news_or_stop(request: web.Request, waiting: Coroutine[Any, Any, T], otherwise: T) -> T:
    """What `waiting` comes to, or `otherwise` when the server stops before it is over."""
    news = asyncio.create_task(waiting)
    stop = asyncio.create_task(request.app[_STOPPING].wait())
    try:
        await asyncio.wait((news, stop), return_when=asyncio.FIRST_COMPLETED)
        return news.result() if news.done() else otherwise
    finally:
        news.cancel()
        stop.cancel()
        await asyncio.gather(news, stop, return_exceptions=True)
