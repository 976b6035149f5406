"""Requests that are held open until there is news: a server that stops answers them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import web

from parabola.server.http.open_requests import OPEN_REQUESTS

__all__ = ["news_or_stop"]

T = TypeVar("T")


async def news_or_stop(request: web.Request, waiting: Coroutine[Any, Any, T], otherwise: T) -> T:
    """What `waiting` comes to, or `otherwise` when the server stops before it is over."""
    news = asyncio.create_task(waiting)
    stop = asyncio.create_task(request.app[OPEN_REQUESTS].stopping.wait())
    try:
        await asyncio.wait((news, stop), return_when=asyncio.FIRST_COMPLETED)
        return news.result() if news.done() else otherwise
    finally:
        news.cancel()
        stop.cancel()
        await asyncio.gather(news, stop, return_exceptions=True)
