"""How bodies of HTTP actions are passed on: piece by piece, and never far ahead of who takes them."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from parabola.functions.http.http_bodies import RequestFeed, ResponseRelay
from parabola.functions.processes.host_messages import ResponseChunk, ResponseHead
from parabola.functions.processes.host_replies import BodyMessage, RequestChunk, RequestEnd
from parabola.values.limits import MAX_BODY_AHEAD

PIECE = bytes(MAX_BODY_AHEAD // 4)


async def settle() -> None:
    """Let every task go as far as it can by itself."""
    for _ in range(20):
        await asyncio.sleep(0)


class Body:
    """A client that could send without end."""

    def __init__(self, pieces: int) -> None:
        self.left = pieces
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.left:
            self.left -= 1
            yield PIECE
        if self.error is not None:
            raise self.error


async def test_a_request_is_read_no_faster_than_its_action_takes_it() -> None:
    body = Body(10)
    sent: list[BodyMessage] = []
    feed = RequestFeed(body.__aiter__(), sent.append, pytest.fail)
    await settle()
    assert len(sent) == 4
    feed.taken(len(PIECE))
    await settle()
    assert len(sent) == 5
    for _ in range(9):
        feed.taken(len(PIECE))
        await settle()
    assert [type(message) for message in sent] == [RequestChunk] * 10 + [RequestEnd]
    assert isinstance(sent[0], RequestChunk)
    assert b64decode(sent[0].data) == PIECE
    assert orjson.loads(sent[-1].encode(7)) == {"type": "requestEnd", "id": 7}


@pytest.mark.parametrize("error", [ConnectionResetError(), ValueError("not a chunk")])
async def test_a_body_that_breaks_off_is_not_ended(error: Exception) -> None:
    body = Body(1)
    body.error = error
    sent: list[BodyMessage] = []
    cuts: list[str] = []
    RequestFeed(body.__aiter__(), sent.append, lambda: cuts.append("cut"))
    await settle()
    assert [type(message) for message in sent] == [RequestChunk]
    assert cuts == ["cut"]


async def test_a_closed_feed_reads_nothing_more() -> None:
    body = Body(10)
    feed = RequestFeed(body.__aiter__(), lambda message: None, pytest.fail)
    await settle()
    feed.close()
    feed.taken(4 * len(PIECE))
    await settle()
    assert body.left == 6


class Client:
    """Reads when it is let."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.got: list[Any] = []
        self.error: Exception | None = None
        self.told: list[Any] = []
        self.relay = ResponseRelay(
            self, self.told.append, lambda: self.told.append("gone"), lambda: self.told.append("large")
        )

    async def head(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.got.append((status, headers))

    async def chunk(self, data: bytes) -> None:
        await self.reads.wait()
        if self.error is not None:
            raise self.error
        self.got.append(len(data))

    def send(self, *sizes: int) -> None:
        self.relay.put(ResponseHead(1, 200, [("a", "b")]))
        for size in sizes:
            self.relay.put(ResponseChunk(1, b64encode(bytes(size)).decode()))


async def test_what_a_client_has_read_is_reported_when_it_has() -> None:
    client = Client()
    client.send(10, 20)
    assert client.relay.status == 200
    await settle()
    assert (client.got, client.told) == ([(200, [("a", "b")])], [])
    client.reads.set()
    await client.relay.finish()
    assert (client.got[1:], client.told) == ([10, 20], [10, 20])


async def test_what_a_client_that_has_gone_does_not_read_is_taken_all_the_same() -> None:
    client = Client()
    client.error = ConnectionResetError()
    client.reads.set()
    client.send(10, 20)
    await client.relay.finish()
    assert (client.got[1:], client.told) == ([], [10, "gone", 20])


async def test_a_response_ends_before_the_chunk_that_is_too_much() -> None:
    client = Client()
    client.reads.set()
    client.send(15 << 20, 6 << 20, 1)
    await client.relay.finish()
    assert client.got[1:] == [15 << 20]
    assert client.told == [15 << 20, "large", 6 << 20, 1]


async def test_a_response_that_cannot_be_sent_says_why() -> None:
    client = Client()
    client.error = ValueError("no such header")
    client.reads.set()
    client.send(10)
    with pytest.raises(ValueError, match="no such header"):
        await client.relay.finish()
