"""How an app tests its own functions: a backend in the test's process, with empty tables for every test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parabola.testing import FunctionFailed, InProcessBackend, open_backend

CONVEX = Path(__file__).parent.parent / "convex"


@pytest.fixture
async def backend() -> AsyncIterator[InProcessBackend]:
    async with open_backend(CONVEX) as backend:
        yield backend


async def test_a_new_task_is_open(backend: InProcessBackend) -> None:
    await backend.mutation("tasks:create", text="milk")
    tasks = await backend.query("tasks:list")
    assert [(task["text"], task["completed"]) for task in tasks] == [("milk", False)]


async def test_the_newest_tasks_come_first(backend: InProcessBackend) -> None:
    for text in ("one", "two", "three"):
        await backend.mutation("tasks:create", text=text)
    assert [task["text"] for task in await backend.query("tasks:list", limit=2)] == ["three", "two"]


async def test_the_summary_follows_every_change(backend: InProcessBackend) -> None:
    task = await backend.mutation("tasks:create", text="milk")
    summaries = backend.subscribe("tasks:summary")
    assert await anext(summaries) == {"open": 1, "done": 0}
    await backend.mutation("tasks:toggle", id=task)
    assert await anext(summaries) == {"open": 0, "done": 1}


async def test_clearing_removes_what_is_done(backend: InProcessBackend) -> None:
    await backend.insert("tasks", {"text": "old", "completed": True})
    await backend.mutation("tasks:create", text="new")
    assert await backend.mutation("tasks:clear_completed") == 1
    assert [task["text"] for task in await backend.documents("tasks")] == ["new"]


async def test_pages_follow_each_other(backend: InProcessBackend) -> None:
    for number in range(5):
        await backend.mutation("tasks:create", text=str(number))
    first = await backend.query("tasks:page", paginationOpts={"numItems": 3, "cursor": None})
    rest = await backend.query(
        "tasks:page", paginationOpts={"numItems": 3, "cursor": first["continueCursor"]}
    )
    assert [task["text"] for task in first["page"] + rest["page"]] == ["4", "3", "2", "1", "0"]
    assert rest["isDone"]


async def test_a_text_has_to_be_a_string(backend: InProcessBackend) -> None:
    with pytest.raises(FunctionFailed, match="ArgumentValidationError"):
        await backend.mutation("tasks:create", text=12)


async def test_the_sample_is_loaded_once(backend: InProcessBackend) -> None:
    assert await backend.mutation("sample:load") == 4
    assert await backend.mutation("sample:load") == 0
