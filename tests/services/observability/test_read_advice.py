"""Which queries read more than they return, and what is advised."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parabola.backend import Backend
from services.archive_driver import insert
from services.dashboard_driver import Client, asked, read, run


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


async def test_a_wide_read_is_told_with_the_index_that_it_lacks(backend: Backend, client: Client) -> None:
    tasks = [{"done": at % 100 == 0, "owner": "ann", "size": float(at)} for at in range(1200)]
    await insert(backend, "tasks", *tasks)
    for path in (
        "work:done",
        "work:done",
        "work:of_ann",
        "work:by_owner_filtered",
        "work:everything",
        "work:few",
    ):
        await run(backend, path)
    scans = {scan["function"]: scan for scan in (await read(client, "full_scans"))["scans"]}
    done = scans["work:done"]
    assert (done["table"], done["index"], done["times"]) == ("tasks", None, 1), "the second one was cached"
    assert (done["rowsRead"], done["rowsReturned"]) == (1200, 12)
    assert done["proposed"] == {"name": "by_done", "fields": ["done"]}
    of_ann = scans["work:of_ann"]
    assert (of_ann["index"], of_ann["rowsReturned"]) == ("by_owner", 299)
    assert of_ann["proposed"] == {"name": "by_owner_and_size", "fields": ["owner", "size"]}
    known = scans["work:by_owner_filtered"]
    assert "The index by_owner is there for this" in known["advice"]
    assert known["proposed"] is None
    everything = scans["work:everything"]
    assert (everything["rowsRead"], everything["rowsReturned"]) == (1200, 1200)
    assert "All of the table" in everything["advice"]
    assert "work:few" not in scans
