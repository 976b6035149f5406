"""What needs attention is told, and what does not is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parabola.backend import Backend
from parabola.services.log_streams.first_stream import FirstStream
from parabola.services.observability import attention
from services.archive_driver import insert
from services.dashboard_driver import Client, asked, read, run, system, until


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


async def kinds(client: Client) -> dict[str, str]:
    return {each["kind"]: each["text"] for each in (await read(client, "attention"))["found"]}


async def test_where_all_is_well_nothing_needs_attention(
    backend: Backend, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "FREE_BYTES", 0)
    monkeypatch.setattr(attention, "FREE_SHARE", 0)
    assert await kinds(client) == {}


async def test_what_fails_and_what_runs_out_is_told(
    backend: Backend, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "FREE_BYTES", 2**70)
    monkeypatch.setattr(attention, "FAILED_CALLS", 2)
    monkeypatch.setattr(attention, "WIDE_ROWS", 100)
    await insert(backend, "tasks", *({"done": False} for _ in range(150)))
    for path in ("work:fail", "work:fail", "work:done"):
        await run(backend, path)
    await system(backend, "runCronJobNow", name="broken")
    tx = backend.database.begin(writable=True)
    config = {"type": "webhook", "version": "2", "url": "https://x.invalid", "format": "json"}
    status = {"type": "failed", "reason": "nobody there\nat all"}
    await tx.insert_system("_log_sinks", {"config": config, "status": status})
    await backend.database.commit(tx)

    async def told() -> dict[str, str] | None:
        found = await kinds(client)
        return found if "job" in found else None

    found = await until(backend, told)
    assert "are free on the disk" in found["disk"]
    assert found["failures"] == "work:fail failed 2 of 2 times in the last hour."
    assert found["scan"] == "work:done read 150 rows of tasks to return 0."
    assert found["stream"] == "The log stream to webhook has failed: nobody there"
    assert found["job"] == "A scheduled call of work:tick failed in the last hour."


async def test_a_log_stream_that_has_missed_something_is_told(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"otlp": (9, 1234), "file": (9, 0)}
    monkeypatch.setattr(FirstStream, "counts", property(lambda _: counts))
    assert (await kinds(client))[
        "stream"
    ] == "The log stream to otlp has missed 1,234 events since the start."
