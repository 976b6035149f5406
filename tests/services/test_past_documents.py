"""Tables and documents as they were."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parabola.backend import Backend
from parabola.services import past_documents
from parabola.values.encoding import Int64
from services.archive_driver import insert
from services.dashboard_driver import Client, asked, read


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


async def test_a_table_is_shown_as_it_was(backend: Backend, client: Client) -> None:
    first, second, third = sorted(await insert(backend, "notes", *({"n": float(n)} for n in range(3))))
    then = backend.database.durable_ts / 1e6 + 0.001
    tx = backend.database.begin(writable=True)
    await tx.delete(first)
    await tx.patch(second, {"n": 9.0})
    await backend.database.commit(tx)
    await insert(backend, "notes", {"n": 5.0})
    window = await read(client, "past_documents")
    assert window["oldest"] < then < window["newest"]

    page = await read(client, "past_documents", table="notes", at=then, limit=2)
    assert [document["_id"] for document in page["documents"]] == [first, second]
    assert page["documents"][1]["n"] != 9
    assert not page["isDone"]
    rest = await read(
        client, "past_documents", table="notes", at=then, limit=2, cursor=page["continueCursor"]
    )
    assert [document["_id"] for document in rest["documents"]] == [third]
    assert rest["isDone"]

    changed = (await read(client, "revisions", id=second))["revisions"]
    assert [revision["document"]["n"] for revision in changed] == [9, page["documents"][1]["n"]]
    gone = (await read(client, "revisions", id=first, at=then))["revisions"]
    assert [revision["document"] is None for revision in gone] == [True, False]
    assert int(gone[0]["ts"]) == int(changed[0]["ts"]), "one commit did both"


async def test_a_table_is_the_one_that_had_the_name_then(backend: Backend, client: Client) -> None:
    await insert(backend, "notes", {"n": 1.0})
    then = backend.database.durable_ts / 1e6 + 0.001
    await backend.administration.delete_tables(["notes"])
    await read(
        client, "past_documents", 404, table="notes", at=(await read(client, "past_documents"))["newest"]
    )
    await insert(backend, "notes", {"n": 2.0})
    page = await read(client, "past_documents", table="notes", at=then)
    assert [document["n"] for document in page["documents"]] in ([1.0], [])


async def test_the_past_that_is_asked_for_must_make_sense(backend: Backend, client: Client) -> None:
    (id,) = await insert(backend, "notes", {"n": Int64(1)})
    now = (await read(client, "past_documents"))["newest"]
    for query in (
        {"table": "notes"},
        {"table": "notes", "at": "soon"},
        {"table": "notes", "at": now, "limit": "nan"},
        {"table": "notes", "at": now, "cursor": "not an id"},
    ):
        await read(client, "past_documents", 400, **query)
    await read(client, "past_documents", 404, table="none", at=now)
    await read(client, "past_documents", 404, table="_tables", at=now)
    await read(client, "revisions", 404, id="nothing")
    await read(client, "past_documents", 400, table="notes", at=now - 7_200_000)
    (revision,) = (await read(client, "revisions", id=id))["revisions"]
    assert revision["document"]["n"] == {"$integer": "AQAAAAAAAAA="}


async def test_a_document_that_changed_often_is_told_in_part(
    backend: Backend, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    (id,) = await insert(backend, "notes", {"text": ""})
    for text in "abc":
        tx = backend.database.begin(writable=True)
        await tx.patch(id, {"text": text})
        await backend.database.commit(tx)
    assert len((await read(client, "revisions", id=id))["revisions"]) == 4
    monkeypatch.setattr(past_documents, "MOST_BYTES", 1)
    told = await read(client, "revisions", id=id)
    assert ([each["document"]["text"] for each in told["revisions"]], told["hasMore"]) == (["c"], True)
