"""A client of the sync protocol for tests: says what it is told to, reads what comes, and keeps npm's
rules.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from parabola.server.sync.messages import decode_server_message, decode_ts
from server.session_driver import SESSION_ID, adding

TIMEOUT = 10.0


class SocketClosed(AssertionError):
    """A message was waited for, and the server has closed the socket."""


class WireClient:
    """One socket. Every message that arrives must be one a client knows, and Transitions must join up."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.query_set = 0
        self.version: Any = {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="}
        self.values: dict[int, Any] = {}
        self.responses: list[int] = []
        """The requests that were answered."""
        self._chunks: list[str] = []

    async def say(self, type: str, **fields: Any) -> None:
        await self.socket.send_str(json.dumps({"type": type, **fields}))

    async def connect(self, session_id: str = SESSION_ID, **fields: Any) -> None:
        await self.say("Connect", sessionId=session_id, connectionCount=0, lastCloseReason=None, **fields)

    async def modify(self, *modifications: dict[str, Any]) -> None:
        await self.say(
            "ModifyQuerySet",
            baseVersion=self.query_set,
            newVersion=self.query_set + 1,
            modifications=list(modifications),
        )
        self.query_set += 1

    async def add(self, query_id: int, path: str = "messages:list", **fields: Any) -> Any:
        """Subscribe, and wait for the Transition that covers it; returns the value."""
        await self.modify(adding(query_id, path, **fields))
        while self.version["querySet"] < self.query_set:
            await self.transition()
        return self.values[query_id]

    async def mutate(self, request_id: int, path: str = "messages:send", **args: Any) -> dict[str, Any]:
        """Run a mutation; returns its response."""
        await self.say("Mutation", requestId=request_id, udfPath=path, args=[args])
        return await self.expect("MutationResponse")

    async def receive(self) -> dict[str, Any]:
        """The next message but Ping, with chunks put together."""
        while True:
            frame = await asyncio.wait_for(self.socket.receive(), TIMEOUT)
            if frame.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
                raise SocketClosed(frame)
            assert frame.type is aiohttp.WSMsgType.TEXT, frame
            decode_server_message(frame.data)
            message = json.loads(frame.data)
            if message["type"] == "Ping":
                continue
            if message["type"] == "TransitionChunk":
                assert message["partNumber"] == len(self._chunks)
                self._chunks.append(message["chunk"])
                if len(self._chunks) < message["totalParts"]:
                    continue
                message = json.loads("".join(self._chunks))
                self._chunks = []
            assert not self._chunks, "a message came between chunks"
            if message["type"] == "Transition":
                self._apply(message)
            elif message["type"] in ("MutationResponse", "ActionResponse"):
                self.responses.append(message["requestId"])
            return dict(message)

    async def expect(self, type: str) -> dict[str, Any]:
        """The next message of a type; Transitions before it are taken in."""
        while True:
            message = await self.receive()
            if message["type"] == type:
                return message
            assert message["type"] == "Transition", message

    async def transition(self) -> dict[str, Any]:
        return await self.expect("Transition")

    async def until(self, query_id: int, value: Any) -> None:
        """Take Transitions in until a query has a value."""
        while self.values.get(query_id) != value:
            await self.transition()

    async def closed(self) -> tuple[int | None, str]:
        """Wait for the end; the close code (None: there was none) and reason."""
        while True:
            frame = await asyncio.wait_for(self.socket.receive(), TIMEOUT)
            if frame.type is aiohttp.WSMsgType.CLOSE:
                return frame.data or None, frame.extra or ""
            assert frame.type is aiohttp.WSMsgType.TEXT, frame

    @property
    def ts(self) -> int:
        return decode_ts(self.version["ts"])

    def _apply(self, message: dict[str, Any]) -> None:
        assert message["startVersion"] == self.version
        self.version = message["endVersion"]
        for change in message["modifications"]:
            if change["type"] == "QueryUpdated":
                self.values[change["queryId"]] = change["value"]
            elif change["type"] == "QueryFailed":
                self.values[change["queryId"]] = change["errorMessage"]
            else:
                self.values.pop(change["queryId"], None)


Dial = Callable[..., Awaitable[WireClient]]
"""Opens a socket."""
