"""A stub of the sync protocol: what a live update costs with nothing behind it.

Messages by channel in memory, one kind of query (the last few of a channel), one kind of mutation (add one),
each result written once for all who hold it. No database, no functions, nothing durable: the floor of every
server that speaks this protocol in Python.
"""

from __future__ import annotations

import argparse
import base64
import json
import struct
from collections import defaultdict
from typing import Any

import orjson
import uvloop
from aiohttp import WSMsgType, web

__all__ = ["main"]


def encoded(ts: int) -> str:
    return base64.b64encode(struct.pack("<Q", ts)).decode()


class Socket:
    """One client: where it stands, and what it holds."""

    def __init__(self, response: web.WebSocketResponse) -> None:
        self.response = response
        self.query_set = 0
        self.ts = 0
        self.queries: dict[int, int] = {}


class Stub:
    """All that there is."""

    def __init__(self) -> None:
        self.ts = 1
        self.channels: dict[int, list[str]] = defaultdict(list)
        self.holders: dict[int, set[Socket]] = defaultdict(set)

    def last(self, channel: int) -> bytes:
        return json.dumps(self.channels[channel][-5:]).encode()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(compress=False)
        await response.prepare(request)
        socket = Socket(response)
        async for frame in response:
            if frame.type is WSMsgType.TEXT:
                await self.receive(socket, orjson.loads(frame.data))
        for channel in socket.queries.values():
            self.holders[channel].discard(socket)
        return response

    async def receive(self, socket: Socket, message: dict[str, Any]) -> None:
        if message["type"] == "ModifyQuerySet":
            before = socket.query_set
            socket.query_set = message["newVersion"]
            updates = []
            for added in message["modifications"]:
                channel = int(added["args"][0]["channel"])
                socket.queries[added["queryId"]] = channel
                self.holders[channel].add(socket)
                updates.append((added["queryId"], self.last(channel)))
            await self.show(socket, before, updates)
        elif message["type"] == "Mutation":
            args = message["args"][0]
            channel = int(args["channel"])
            self.channels[channel].append(args["text"])
            self.ts += 1
            answer = {
                "type": "MutationResponse",
                "requestId": message["requestId"],
                "success": True,
                "result": None,
                "ts": encoded(self.ts),
                "logLines": [],
            }
            await socket.response.send_str(orjson.dumps(answer).decode())
            value = self.last(channel)
            if channel not in socket.queries.values():
                await self.show(socket, socket.query_set, [])
            for holder in self.holders[channel]:
                held = [(id, value) for id, of in holder.queries.items() if of == channel]
                await self.show(holder, holder.query_set, held)

    async def show(self, socket: Socket, before: int, updates: list[tuple[int, bytes]]) -> None:
        """Tell a client where it stands now."""
        changes = b",".join(
            b'{"type":"QueryUpdated","queryId":%d,"value":%b,"logLines":[],"journal":null}' % update
            for update in updates
        )
        text = (
            b'{"type":"Transition","startVersion":{"querySet":%d,"identity":0,"ts":"%b"},'
            b'"endVersion":{"querySet":%d,"identity":0,"ts":"%b"},"modifications":[%b]}'
        ) % (before, encoded(socket.ts).encode(), socket.query_set, encoded(self.ts).encode(), changes)
        socket.ts = self.ts
        await socket.response.send_str(text.decode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    stub = Stub()
    app = web.Application()
    app.add_routes([web.get("/api/{version}/sync", stub.handle)])
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=parser.parse_args().port, print=lambda *_: None)


if __name__ == "__main__":
    main()
