"""Following what functions log and how they end, on all nodes.

Each node remembers what ran there. While somebody follows, at whichever node, all of them share what runs,
in one order that they all see; so a cursor from one node is good at every other. Whoever follows is heard of
with the next beat of its node, and what has run since is shared then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson
from msgspec.structs import asdict, replace

from parabola.functions.outcomes.execution_history import LogSearch
from parabola.functions.outcomes.execution_log import ExecutionEntry, ExecutionLog
from parabola.services.errands import Errands
from parabola.values.errors import ParabolaError

if TYPE_CHECKING:
    from parabola.database.database import Database

__all__ = ["Followed", "FollowedLog"]

_log: Final = logging.getLogger(__name__)

FOLLOWING_SECONDS: Final = 90.0
"""Somebody follows who has asked within so long."""
SHARE_SECONDS: Final = 0.2
"""Between two looks for what is to be shared, and for what others have shared."""
SHARED_AT_ONCE: Final = 500
EARLIER: Final = 200
"""Entries of each node that are told to who begins to follow."""
MOST_FOUND: Final = 1000
"""Entries that a search finds on each other node."""
ANSWER_SECONDS: Final = 5.0
_SEARCH: Final = "search of executions"
_EARLIER: Final = "earlier executions"

Followed: TypeAlias = tuple[list[ExecutionEntry], float]
"""Entries, and the cursor behind them in seconds."""


class FollowedLog:
    """The logs of all nodes, as somebody follows them at one; of a server alone it is its own."""

    def __init__(self, database: Database, log: ExecutionLog, errands: Errands) -> None:
        self._database = database
        self._shared_log = database.shared_log
        self._own = log
        self._errands = errands
        self._since: float | None = None
        self._until = 0.0
        self._to_share: deque[ExecutionEntry] = deque(maxlen=10_000)
        self._task: asyncio.Task[None] | None = None
        self._end = log.listen(self._notice)
        errands.register(_EARLIER, self._tell_earlier)
        database.members.tell("follows", lambda: self._since if self._is_followed_here else None)

    def start(self) -> None:
        """Begin to share with others, if there are any."""
        if self._shared_log is not None:
            self._task = asyncio.get_running_loop().create_task(self._share())

    async def close(self) -> None:
        """Stop."""
        self._end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def begin(self) -> Followed:
        """What ran lately, and where to go on."""
        if self._shared_log is None:
            return self._own.after(0.0), self._own.head()
        self._follow(self._now())
        at = self._now()
        members = self._database.members
        asked = [
            _in_time(self._errands.ask(node, _EARLIER, {}))
            for node in members.present
            if node != members.incarnation
        ]
        entries = self._own.after(0.0)
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if not isinstance(answer, BaseException):
                entries += [ExecutionEntry.from_json(entry) for entry in answer["entries"]]
        return sorted(entries, key=lambda entry: entry.timestamp), at

    async def wait_after(self, cursor: float, seconds: float) -> Followed:
        """What has been logged since a cursor; waits up to so many seconds for the first of it."""
        log = self._shared_log
        if log is None:
            entries = await self._own.wait_after(cursor, seconds)
            return entries, entries[-1].timestamp if entries else cursor
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            self._follow(cursor)
            found = await log.shared_after(round(cursor * 1e6), SHARED_AT_ONCE)
            if found:
                return [ExecutionEntry.from_json(orjson.loads(text)) for _, text in found], found[-1][0] / 1e6
            if asyncio.get_running_loop().time() > deadline:
                return [], cursor
            await asyncio.sleep(SHARE_SECONDS)

    async def search(
        self, wanted: LogSearch, search: Callable[[LogSearch], Awaitable[list[dict[str, Any]]]]
    ) -> list[dict[str, Any]]:
        """What `search` finds here, and on the other nodes; those that do not answer in time are left out."""
        found = await search(wanted)
        members = self._database.members
        others = members.present - {members.incarnation}
        if not others:
            return found
        arguments = asdict(wanted)
        asked = [self._errands.ask(node, _SEARCH, arguments) for node in others]
        done = await asyncio.gather(*(_in_time(each) for each in asked), return_exceptions=True)
        for answer in done:
            if not isinstance(answer, BaseException):
                found += answer["entries"]
        return sorted(found, key=lambda entry: float(entry["timestamp"]))[-wanted.limit :]

    def serve_search(self, search: Callable[[LogSearch], Awaitable[list[dict[str, Any]]]]) -> None:
        """Has others find what `search` finds here."""

        async def find(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
            wanted = LogSearch(**arguments)
            return {"entries": await search(replace(wanted, limit=min(wanted.limit, MOST_FOUND)))}

        self._errands.register(_SEARCH, find)

    # Sharing

    def _now(self) -> float:
        return self._database.now_ts() / 1e9

    @property
    def _is_followed_here(self) -> bool:
        return asyncio.get_running_loop().time() < self._until

    def _follow(self, since: float) -> None:
        if not self._is_followed_here:
            self._since = since
            self._database.members.tell_now()
        self._until = asyncio.get_running_loop().time() + FOLLOWING_SECONDS

    def _notice(self, entry: ExecutionEntry) -> None:
        if self._shared_log is not None:
            self._to_share.append(entry)

    def _followed_since(self) -> float | None:
        """Since when somebody follows anywhere; None while nobody does."""
        told = [status.get("follows") for status in self._database.members.statuses()]
        if self._is_followed_here:
            told.append(self._since)
        return min((float(since) for since in told if since is not None), default=None)

    async def _share(self) -> None:
        assert self._shared_log is not None
        while True:
            await asyncio.sleep(SHARE_SECONDS)
            since = self._followed_since()
            if since is None:
                while self._to_share and self._to_share[0].timestamp < self._now() - FOLLOWING_SECONDS:
                    self._to_share.popleft()
                continue
            texts: list[str] = []
            while self._to_share and len(texts) < SHARED_AT_ONCE:
                entry = self._to_share.popleft()
                if entry.timestamp > since:
                    with contextlib.suppress(TypeError):
                        texts.append(orjson.dumps(entry.to_json()).decode())
            if texts:
                try:
                    await self._shared_log.share(texts)
                except ParabolaError as error:
                    _log.warning("what ran here was not told to those who follow it: %s", error)

    async def _tell_earlier(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"entries": [entry.to_json() for entry in self._own.after(0.0)[-EARLIER:]]}


async def _in_time(asking: Awaitable[Mapping[str, Any]]) -> Mapping[str, Any]:
    async with asyncio.timeout(ANSWER_SECONDS):
        return await asking
