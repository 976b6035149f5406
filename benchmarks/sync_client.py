"""A small WebSocket client for load: just enough of the sync protocol, with little work per message.

The official clients drive the end-to-end tests; here a client must cost less than the server it measures.
"""

from __future__ import annotations

import asyncio
import base64
import struct
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

TransitionListener = Callable[[dict[int, Any], float], None]


def decode_ts(text: str) -> int:
    """The integer behind a timestamp of the wire (8 bytes, little-endian, base64)."""
    return int(struct.unpack("<Q", base64.b64decode(text))[0])


class SyncClient:
    """One socket. `mutation` resolves as in the official clients: when a Transition covers the commit."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._query_set = 0
        self._next_query = 0
        self._next_request = 0
        self._responses: dict[int, asyncio.Future[Any]] = {}
        self._covered: list[tuple[int, asyncio.Future[Any], Any]] = []
        self._first_results: dict[int, asyncio.Future[Any]] = {}
        self.on_update: TransitionListener | None = None
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, session: aiohttp.ClientSession, url: str) -> SyncClient:
        socket = await session.ws_connect(f"{url}/api/1.48.0/sync", compress=0, max_msg_size=0)
        client = cls(socket)
        await client._send(
            {"type": "Connect", "sessionId": str(uuid.uuid4()), "connectionCount": 0, "lastCloseReason": None}
        )
        return client

    async def authenticate_admin(self, key: str) -> None:
        """Be an administrator from here on."""
        await self._send({"type": "Authenticate", "baseVersion": 0, "tokenType": "Admin", "value": key})

    async def subscribe(self, path: str, args: dict[str, Any]) -> Any:
        """Hold a query; returns its first value."""
        return (await self.subscribe_all([(path, args)]))[0]

    async def subscribe_all(self, queries: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        """Hold several queries, added in one message; returns their first values."""
        loop = asyncio.get_running_loop()
        added, futures = [], []
        for path, args in queries:
            number = self._next_query
            self._next_query += 1
            future = self._first_results[number] = loop.create_future()
            futures.append(future)
            added.append({"type": "Add", "queryId": number, "udfPath": path, "args": [args]})
        base, self._query_set = self._query_set, self._query_set + 1
        await self._send(
            {"type": "ModifyQuerySet", "baseVersion": base, "newVersion": base + 1, "modifications": added}
        )
        return list(await asyncio.gather(*futures))

    async def mutation(self, path: str, args: dict[str, Any]) -> Any:
        number = self._next_request
        self._next_request += 1
        future = self._responses[number] = asyncio.get_running_loop().create_future()
        await self._send({"type": "Mutation", "requestId": number, "udfPath": path, "args": [args]})
        return await future

    async def close(self) -> None:
        await self._socket.close()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send_str(orjson.dumps(message).decode())

    async def _read(self) -> None:
        async for frame in self._socket:
            received = time.perf_counter()
            message = orjson.loads(frame.data)
            kind = message["type"]
            if kind == "Transition":
                self._transition(message, received)
            elif kind == "MutationResponse":
                future = self._responses.pop(message["requestId"])
                if message["success"]:
                    self._covered.append((decode_ts(message["ts"]), future, message["result"]))
                else:
                    future.set_exception(RuntimeError(message["result"]))
            elif kind != "Ping":
                raise RuntimeError(f"unexpected message {message}")

    def _transition(self, message: dict[str, Any], received: float) -> None:
        updates = {}
        for change in message["modifications"]:
            if change["type"] == "QueryFailed":
                raise RuntimeError(change["errorMessage"])
            if change["type"] == "QueryUpdated":
                updates[change["queryId"]] = change["value"]
                first = self._first_results.pop(change["queryId"], None)
                if first is not None:
                    first.set_result(change["value"])
        if self._covered:
            ts = decode_ts(message["endVersion"]["ts"])
            waiting, self._covered = self._covered, []
            for commit_ts, future, result in waiting:
                if commit_ts <= ts:
                    future.set_result(result)
                else:
                    self._covered.append((commit_ts, future, result))
        if updates and self.on_update is not None:
            self.on_update(updates, received)


@asynccontextmanager
async def connected(url: str, count: int) -> AsyncIterator[list[SyncClient]]:
    """So many clients of a server, closed at the end."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        clients = [await SyncClient.connect(session, url) for _ in range(count)]
        try:
            yield clients
        finally:
            await asyncio.gather(*(client.close() for client in clients))
