"""Whether documents would match a validator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parabola.backend import Backend
from services.archive_driver import insert
from services.dashboard_driver import Client, asked


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[Backend, Client]]:
    async with asked(tmp_path) as both:
        yield both


@pytest.fixture
def backend(both: tuple[Backend, Client]) -> Backend:
    return both[0]


@pytest.fixture
def client(both: tuple[Backend, Client]) -> Client:
    return both[1]


async def test_a_validator_is_tried_on_all_documents(backend: Backend, client: Client) -> None:
    good = [{"text": "a"} for _ in range(250)]
    (bad, *_) = await insert(backend, "loose", {"text": 1.0}, *good, {"text": "b", "more": True})
    json = {
        "type": "object",
        "value": {"text": {"fieldType": {"type": "string"}, "optional": False}},
    }
    cursor, checked, examples = None, 0, []
    while True:
        body = {"table": "loose", "validator": json, "cursor": cursor}
        answer = await client.post("/api/parabola/try_validator", json=body)
        told = await answer.json()
        assert answer.status == 200, told
        checked += told["checked"]
        examples += told["examples"]
        assert told["checked"] <= 200
        cursor = told["continueCursor"]
        if told["isDone"]:
            break
    assert checked == 252
    assert len(examples) == 2
    assert "string" in next(each["problem"] for each in examples if each["id"] == bad)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"validator": {"type": "nothing"}}, 400),
        ({"table": "none"}, 404),
        ({"table": "_tables"}, 404),
        ({"cursor": "x"}, 400),
        ({"validator": None}, 400),
    ],
)
async def test_a_trial_that_cannot_be_is_refused(
    backend: Backend, client: Client, change: dict[str, Any], status: int
) -> None:
    await insert(backend, "loose", {"text": "a"})
    body = {"table": "loose", "validator": {"type": "any"}, "cursor": None} | change
    answer = await client.post("/api/parabola/try_validator", json=body)
    assert answer.status == status, await answer.text()
