"""Tables, jobs and components in an administrator's hands, over HTTP (components 10.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from parabola.backend import Backend
from parabola.functions.deployed.component_rows import component_ids, create_unmounted
from parabola.services.sign_in.admin_keys import make_admin_key
from server.test_every_route import KEY, SECRET, serving

SHAPE = {
    "type": "Object",
    "fields": [
        {
            "fieldName": "_creationTime",
            "optional": False,
            "shape": {"type": "Float64", "float64Range": {"hasSpecialValues": False}},
        },
        {"fieldName": "_id", "optional": False, "shape": {"type": "Id", "tableName": "t"}},
    ],
}
READER = make_admin_key("every", SECRET, read_only=True)


class Served(NamedTuple):
    backend: Backend
    http: aiohttp.ClientSession

    async def post(self, path: str, key: str = KEY, **body: Any) -> tuple[int, str]:
        """Status and code of an answer, the code empty where nothing is wrong."""
        async with self.http.post(path, json=body, headers={"Authorization": f"Convex {key}"}) as response:
            text = await response.text()
            return response.status, (await response.json())["code"] if text else ""

    async def get(self, path: str, **query: str) -> Any:
        headers = {"Authorization": f"Convex {KEY}"}
        async with self.http.get(path, params=query, headers=headers) as response:
            return await response.json()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A server with a table of the app, and the same of a component that is not mounted."""
    async with (
        serving(tmp_path) as (backend, server),
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http,
    ):
        await backend.activation.change_components(lambda tx: create_unmounted(tx, ["a"], {}))
        a = (await component_ids(backend.database.begin()))["a"]
        for component in ("", a):
            await backend.database.transact(
                lambda tx: tx.view(component).insert("t", {}),  # noqa: B023 - awaited in this round
                source="test",
            )
        yield Served(backend, http)


async def component(served: Served) -> str:
    return (await component_ids(served.backend.database.begin()))["a"]


async def test_tables_of_the_app_or_of_a_component_are_deleted(served: Served) -> None:
    a = await component(served)
    assert await served.get("/api/shapes2") == {"t": SHAPE}
    assert await served.post("/api/delete_tables", tableNames=["t"], componentId=a) == (200, "")
    assert await served.get("/api/shapes2", component=a) == {}
    assert await served.get("/api/shapes2") == {"t": SHAPE}
    assert await served.post("/api/delete_tables", tableNames=["t"]) == (200, "")
    assert await served.get("/api/shapes2") == {}
    assert await served.get("/api/get_indexes") == {"indexes": []}
    assert await served.post("/api/delete_tables", tableNames=["t"]) == (404, "TableNotFound")
    assert await served.post("/api/delete_tables", tableNames=[1]) == (400, "BadJsonBody")


async def test_all_jobs_are_forgotten(served: Served) -> None:
    a = await component(served)
    assert await served.post("/api/delete_scheduled_functions_table", componentId=a) == (200, "")
    assert await served.post("/api/delete_scheduled_functions_table", componentId=None) == (200, "")
    assert await served.post("/api/delete_scheduled_functions_table", componentId="x") == (
        404,
        "ComponentNotFound",
    )
    assert await served.post("/api/delete_scheduled_functions_table", READER) == (
        403,
        "OperationNotPermitted",
    )


async def test_a_component_is_deleted_once(served: Served) -> None:
    a = await component(served)
    assert await served.post("/api/delete_component", componentId=a) == (200, "")
    assert await served.post("/api/delete_component", componentId=a) == (404, "ComponentNotFound")


async def test_jobs_are_cancelled(served: Served) -> None:
    a = await component(served)
    assert await served.post("/api/cancel_job", id="nonsense", componentId=a) == (400, "InvalidArgument")
    times = {"startNextTs": "1", "endNextTs": 2.0}
    assert await served.post("/api/cancel_all_jobs", componentId=a, udfPath="m.js:f", **times) == (200, "")
    assert await served.post("/api/cancel_all_jobs", startNextTs="soon") == (400, "BadJsonBody")


async def test_who_may_only_read_changes_nothing(served: Served) -> None:
    a = await component(served)
    for path, body in (
        ("/api/delete_component", {"componentId": a}),
        ("/api/delete_tables", {"tableNames": ["t"]}),
        ("/api/cancel_job", {"id": "x"}),
        ("/api/cancel_all_jobs", {}),
    ):
        assert await served.post(path, READER, **body) == (403, "OperationNotPermitted")
    assert await component(served) == a
