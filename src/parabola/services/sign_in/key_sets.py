"""Fetching the documents that identity providers publish: discovery documents and key sets.

Answers are kept as long as their Cache-Control allows; concurrent requests for one address share one fetch;
an issuer that is down fails the call that needed it and nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import aiohttp
import orjson
from msgspec import Struct

from parabola.services.threads import in_thread
from parabola.values.errors import Overloaded, ParabolaError, Unauthenticated

__all__ = [
    "DEFAULT_FRESHNESS_S",
    "FETCH_TIMEOUT_S",
    "MAX_DOCUMENT_BYTES",
    "MAX_FRESHNESS_S",
    "REFETCH_INTERVAL_S",
    "DocumentCache",
    "Fetch",
    "Fetched",
    "fetch_over_http",
]

FETCH_TIMEOUT_S: Final = 10.0
MAX_DOCUMENT_BYTES: Final = 1 << 20
DEFAULT_FRESHNESS_S: Final = 300.0
MAX_FRESHNESS_S: Final = 24 * 3600.0
# A token that no known key fits may mean the issuer has new keys. At most one early refetch in this time, so
# that hostile tokens cannot turn the server into a load generator against the issuer, nor against one that is
# down.
REFETCH_INTERVAL_S: Final = 10.0

_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age\s*=\s*(\d+)", re.IGNORECASE)
_KEY_SET_TYPES: Final = ("application/json", "application/jwk-set+json")


class Fetched(Struct, frozen=True):
    """An HTTP answer, reduced to what matters here."""

    status: int
    content_type: str
    cache_control: str
    body: bytes


Fetch = Callable[[str], Awaitable[Fetched]]


async def fetch_over_http(url: str) -> Fetched:
    """Get `url` with a bound on time and size. Raises `OSError`-like client errors and `TimeoutError`."""
    timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
    certificates = await in_thread(ssl.create_default_context)
    async with (
        aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=certificates)) as session,
        session.get(url, headers={"Accept": "application/json"}, max_redirects=5) as response,
    ):
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > MAX_DOCUMENT_BYTES:
                break
        return Fetched(
            response.status,
            response.headers.get("Content-Type", ""),
            response.headers.get("Cache-Control", ""),
            bytes(body),
        )


class _Entry(Struct):
    document: dict[str, Any]
    fetched_at: float
    fresh_until: float


class _EarlyRefetch(Struct):
    """The last fetch before a document's time was over, and how it failed if it did."""

    at: float
    failure: ParabolaError | None = None


class DocumentCache:
    """JSON documents by address, fetched on demand.

    `own` has the documents that this server itself publishes: it may not reach its own public address.
    `fetch` and `clock` (seconds, monotonic) can be replaced for tests.
    """

    def __init__(
        self,
        fetch: Fetch = fetch_over_http,
        clock: Callable[[], float] = time.monotonic,
        own: Mapping[str, Callable[[], Awaitable[dict[str, Any]]]] | None = None,
    ) -> None:
        self._own = own or {}
        self._fetch = fetch
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._in_flight: dict[str, asyncio.Task[_Entry]] = {}
        self._early: dict[str, _EarlyRefetch] = {}

    @property
    def now(self) -> float:
        """The moment on the clock that `get` compares with, in seconds."""
        return self._clock()

    async def get(
        self, url: str, *, key_set: bool = False, newer_than: float | None = None
    ) -> dict[str, Any]:
        """The document at `url`. With `newer_than` one that was fetched at that moment (`now`) or later is
        asked for: an early refetch is granted once per `REFETCH_INTERVAL_S`, then the known one must do.

        Raises `Unauthenticated` (`AuthProviderDiscoveryFailed`) when the answer is unusable, and `Overloaded`
        when the issuer itself is failing, so that a client tries again instead of signing out.
        """
        if url.startswith("data:"):
            return _parse(url, _data_url_body(url))
        if (document := self._own.get(url)) is not None:
            return await document()
        now = self._clock()
        entry = self._entries.get(url)
        task = self._in_flight.get(url)
        early: _EarlyRefetch | None = None
        if entry is not None and newer_than is not None and entry.fetched_at >= newer_than:
            return entry.document
        if entry is not None and now < entry.fresh_until:
            if newer_than is None:
                return entry.document
            early = self._early.get(url)
            if task is None and early is not None and now - early.at < REFETCH_INTERVAL_S:
                if early.failure is not None:
                    raise early.failure.with_traceback(None)
                return entry.document
            early = self._early[url] = _EarlyRefetch(now)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._refresh(url, key_set))
            self._in_flight[url] = task
            task.add_done_callback(lambda done: self._settled(url, done))
        try:
            return (await asyncio.shield(task)).document
        except ParabolaError as error:
            if early is not None:
                early.failure = error
            raise

    def forget(self, url: str) -> None:
        """What was fetched from there is of no use: fetch it again when it is needed next."""
        self._entries.pop(url, None)

    def _settled(self, url: str, task: asyncio.Task[_Entry]) -> None:
        self._in_flight.pop(url, None)
        if not task.cancelled():
            task.exception()

    async def _refresh(self, url: str, key_set: bool) -> _Entry:
        try:
            fetched = await self._fetch(url)
        except ParabolaError:
            raise
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise _failed(url, f"could not be reached ({reason})", transient=True) from error
        if fetched.status >= 500:
            raise _failed(url, f"answered with status {fetched.status}", transient=True)
        if fetched.status != 200:
            raise _failed(url, f"answered with status {fetched.status}")
        if len(fetched.body) > MAX_DOCUMENT_BYTES:
            raise _failed(url, f"answered with more than {MAX_DOCUMENT_BYTES} bytes")
        if key_set:
            _check_key_set_type(url, fetched.content_type)
        now = self._clock()
        entry = _Entry(_parse(url, fetched.body), now, now + _freshness(fetched.cache_control))
        self._entries[url] = entry
        return entry


def _freshness(cache_control: str) -> float:
    lowered = cache_control.lower()
    if "no-store" in lowered or "no-cache" in lowered:
        return 0.0
    match = _MAX_AGE.search(cache_control)
    return DEFAULT_FRESHNESS_S if match is None else min(float(match[1]), MAX_FRESHNESS_S)


def _check_key_set_type(url: str, content_type: str) -> None:
    kind, _, parameters = content_type.partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\";\s]+)", parameters, re.IGNORECASE)
    if kind.strip().lower() not in _KEY_SET_TYPES or (
        charset and charset[1].lower() not in ("utf-8", "utf8")
    ):
        raise _failed(
            url,
            f"answered with content type {content_type!r}; a key set is one of {', '.join(_KEY_SET_TYPES)}",
        )


def _parse(url: str, body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _failed(_shortened(url), "did not answer with JSON") from error
    if not isinstance(document, dict):
        raise _failed(_shortened(url), "did not answer with a JSON object")
    return document


def _data_url_body(url: str) -> bytes:
    header, comma, data = url[len("data:") :].partition(",")
    if not comma:
        raise _failed(_shortened(url), "is not a data URL with content")
    raw = unquote_to_bytes(data)
    if not header.endswith(";base64"):
        return raw
    try:
        return base64.b64decode(raw, validate=True)
    except ValueError as error:
        raise _failed(_shortened(url), "is not valid base64") from error


def _shortened(url: str) -> str:
    return url if len(url) <= 120 else f"{url[:117]}..."


def _failed(url: str, what: str, *, transient: bool = False) -> ParabolaError:
    message = f"Auth provider discovery failed: {url} {what}."
    kind = Overloaded if transient else Unauthenticated
    return kind(message, code="AuthProviderDiscoveryFailed")
