"""How exceptions are described."""

from __future__ import annotations

import pytest

from hosts.driver import HostProcess
from parabola.hosts.python.reports.frames import describe_error
from parabola.values.errors import BadRequest, ConvexError

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_frames_are_those_of_user_code_innermost_first(host: HostProcess) -> None:
    await host.load(
        {
            "helpers.py": """import json

class Box:
    def open(self, text):
        return json.loads(text)
""",
            "m.py": """
                from parabola import query
                from .helpers import Box
                @query
                async def read(ctx):
                    async def inner():
                        return Box().open("nonsense")
                    return await inner()
            """,
        }
    )
    outcome = await host.query("m.py:read")
    assert outcome.error == "Uncaught JSONDecodeError: Expecting value: line 1 column 1 (char 0)"
    assert outcome.frames == [
        "Box.open (convex/helpers.py:5)",
        "read.inner (convex/m.py:7)",
        "read (convex/m.py:8)",
    ]


async def test_convex_errors_carry_data(host: HostProcess) -> None:
    await host.serve("""
        @query
        async def text(ctx):
            raise ConvexError("full")
        @query
        async def data(ctx):
            raise ConvexError({"code": 1, "big": Int64(2)})
        @query
        async def bad(ctx):
            raise ConvexError(object())
        @query
        async def group(ctx):
            async with asyncio.TaskGroup() as group:
                async def fail():
                    raise ConvexError("from a group")
                group.create_task(fail())
    """)
    text = (await host.query("m.py:text")).message["error"]
    assert (text["message"], text["data"]) == ("Uncaught ConvexError: full", "full")
    data = (await host.query("m.py:data")).message["error"]
    assert data["data"] == {"code": 1.0, "big": {"$integer": "AgAAAAAAAAA="}}
    assert data["message"].startswith('Uncaught ConvexError: {"big":')
    bad = (await host.query("m.py:bad")).message["error"]
    assert "data" not in bad
    group = (await host.query("m.py:group")).message["error"]
    assert (group["message"], group["data"]) == ("Uncaught ConvexError: from a group", "from a group")


async def test_texts_of_errors() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe_error(ValueError())["message"] == "Uncaught ValueError"
    assert describe_error(ValueError("a"))["message"] == "Uncaught ValueError: a"
    assert describe_error(BadRequest("no such id"))["message"] == "Uncaught Error: no such id"
    assert describe_error(Odd())["message"] == "Uncaught Odd: (its message cannot be shown: RuntimeError)"
    assert len(describe_error(ValueError("x" * 10**6))["message"]) < 66_000
    several = ExceptionGroup("several", [ValueError("a"), KeyError("b")])
    assert (
        describe_error(several)["message"] == "Uncaught ExceptionGroup: several: ValueError: a; KeyError: 'b'"
    )
    assert describe_error(ExceptionGroup("one", [ConvexError("x")]))["data"] == "x"
