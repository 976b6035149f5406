"""Requests say the same in a message and to a transaction in their own process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authoring.recorder import Recorder
from parabola import UNDEFINED, Int64, MutationCtx
from parabola.authoring.operations import Request
from parabola.authoring.requests import LARGEST, in_order
from parabola.values.encoding import decode, encode
from parabola.values.errors import BadRequest

LEAVES = st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False), st.text("ab", max_size=3))
VALUES = st.recursive(
    LEAVES, lambda values: st.lists(values) | st.dictionaries(st.text("ab", min_size=1), values)
)


class Documents(Recorder):
    """A host that asks a transaction of its own, which writes down what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []

    def ask(self, request: Request) -> Awaitable[Any]:
        reply = asyncio.get_running_loop().create_future()
        reply.set_result(request.answer(self))
        return reply

    def get(self, *args: Any, **options: Any) -> Any:
        self.asked.append(("get", *args, options))

    def insert(self, *args: Any) -> Any:
        self.asked.append(("insert", *args))
        return {"_id": "new"}

    def patch(self, *args: Any) -> Any:
        self.asked.append(("patch", *args))

    def replace(self, *args: Any) -> Any:
        self.asked.append(("replace", *args))

    def delete(self, *args: Any) -> Any:
        self.asked.append(("delete", *args))

    def rows(self, *args: Any) -> Any:
        self.asked.append(("rows", *args))
        return {"values": [{"_id": "a"}], "done": True}


async def test_a_transaction_is_asked_with_plain_values() -> None:
    documents = Documents()
    db = MutationCtx(documents).db
    await db.get("k1")
    await db.get("t", "k1")
    assert await db.insert("t", {"b": 1, "a": (Int64(2), {"d": None, "c": "x"})}) == "new"
    await db.patch("k1", {"n": 1, "gone": UNDEFINED})
    await db.replace("t", "k1", {})
    await db.delete("k1")
    assert await db.query("t").with_index("by_n", lambda q: q.eq("n", 1).gt("m", "x")).unique() == {
        "_id": "a"
    }
    assert await db.query("t").order("desc").take(2) == [{"_id": "a"}]
    assert documents.asked == [
        ("get", "k1", None, {"with_table": False}),
        ("get", "k1", "t", {"with_table": False}),
        ("insert", "t", {"a": [Int64(2), {"c": "x", "d": None}], "b": 1.0}),
        ("patch", "k1", None, {"gone": UNDEFINED, "n": 1.0}),
        ("replace", "k1", "t", {}),
        ("delete", "k1", None),
        ("rows", "t", "by_n", (("Eq", "n"), ("Gt", "m")), (1.0, "x"), "asc", 2, 2),
        ("rows", "t", "by_creation_time", (), (), "desc", 2, 2),
    ]
    assert list(documents.asked[2][2]) == ["a", "b"]
    assert documents.traffic == []


@pytest.mark.parametrize("name", ["x" * (LARGEST + 1), "ä", "\ud800"])
async def test_what_may_be_long_or_cannot_be_written_is_left_to_a_message(name: str) -> None:
    documents = Documents()
    db = MutationCtx(documents).db
    await db.get(name)
    await db.delete("t", name)
    await db.insert(name, {})
    await db.insert("t", {"text": "x" * LARGEST})
    await db.query("t").with_index(name).collect()
    await db.query("t").with_index("by_n", lambda q: q.eq(name, 1)).collect()
    await db.query("t").with_index("by_n", lambda q: q.eq("n", ["a list"])).collect()
    await db.query("t").with_index("by_n", lambda q: q.eq("n", "x" * (LARGEST + 1))).collect()
    await db.query("t").filter(lambda q: q.eq(1, 1)).collect()
    await db.query("t").take(0)
    assert documents.asked == []
    assert len(documents.calls) == 10


async def test_a_query_that_fails_has_no_more_rows() -> None:
    class Failing(Recorder):
        def call(self, op: str, args: dict[str, Any]) -> Awaitable[Any]:
            reply = asyncio.get_running_loop().create_future()
            reply.set_exception(BadRequest("no"))
            return reply

    failing = Failing()
    with pytest.raises(BadRequest, match="no"):
        await MutationCtx(failing).db.query("t").collect()
    [stream] = failing.streams
    assert not stream.is_under_way


@given(VALUES)
def test_values_are_in_the_order_of_their_json(value: Any) -> None:
    ordered, expected = in_order(value), decode(encode(value))
    assert ordered == expected
    assert repr(ordered) == repr(expected)
