"""Files, scheduled functions and history as the official dashboard asks for them (deploy-api 19.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from client_calls import client_call
from parabola.backend import Backend
from parabola.functions.deployed.component_rows import component_ids, create_unmounted
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.server.app import create_app
from parabola.services.deploys.push import Push
from parabola.services.sign_in.admin_keys import make_admin_key
from parabola.values.encoding import Int64, loads
from services.archive_driver import documents, insert, opened, push_schema

PAGE: dict[str, Any] = {"cursor": None, "numItems": 10.0}
WORK = """
from parabola import mutation

@mutation
async def later(ctx, text: str) -> None: ...

@mutation
async def plan(ctx) -> str:
    return await ctx.scheduler.run_after(3600, "work:later", {"text": "hello"})
"""


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        yield backend


async def asked(backend: Backend, path: str, **args: Any) -> Any:
    """What a system function answers to the holder of the key `ann`."""
    call = client_call(f"_system/frontend/{path}", args, Identity.admin(name="ann"))
    result = await backend.run_any(call)
    assert result.error is None, result.error
    return loads(result.value_json)


async def stored(backend: Backend, content: bytes, component: str = "") -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    return await backend.files.upload(pieces(), "text/plain", None, component)


async def events(backend: Backend, **filters: Any) -> list[dict[str, Any]]:
    page = await asked(backend, "paginatedDeploymentEvents", paginationOpts=PAGE, filters=filters)
    rows: list[dict[str, Any]] = page["page"]
    return rows


async def test_files_come_in_pages_with_their_urls(backend: Backend) -> None:
    first, second = await stored(backend, b"one"), await stored(backend, b"three")
    assert await asked(backend, "fileStorageV2:numFiles") == 2.0
    page = await asked(backend, "fileStorageV2:fileMetadata", paginationOpts=PAGE)
    assert [(file["_id"], file["size"], file["contentType"]) for file in page["page"]] == [
        (second, 5.0, "text/plain"),
        (first, 3.0, "text/plain"),
    ]
    assert all("/api/storage/" in file["url"] for file in page["page"])
    assert await asked(backend, "fileStorageV2:getFile", storageId=first) == page["page"][1]
    assert await asked(backend, "fileStorageV2:getFile", storageId="nonsense") is None


async def test_files_are_listed_by_their_time(backend: Backend) -> None:
    first, second = await stored(backend, b"1"), await stored(backend, b"2")
    time = (await asked(backend, "fileStorageV2:getFile", storageId=second))["_creationTime"]

    async def found(**filters: Any) -> list[str]:
        page = await asked(backend, "fileStorageV2:fileMetadata", paginationOpts=PAGE, filters=filters)
        return [file["_id"] for file in page["page"]]

    assert await found(order="asc") == [first, second]
    assert await found(minCreationTime=time) == [second]
    assert await found(maxCreationTime=time - 0.001) == [first]


async def test_files_of_a_component_are_its_own(backend: Backend) -> None:
    await backend.activation.change_components(lambda tx: create_unmounted(tx, ["a"], {}))
    component = (await component_ids(backend.database.begin()))["a"]
    await stored(backend, b"app")
    mine = await stored(backend, b"component", component)
    page = await asked(
        backend, "fileStorageV2:fileMetadata", paginationOpts=PAGE, filters={}, componentId=component
    )
    assert [file["_id"] for file in page["page"]] == [mine]
    assert page["page"][0]["url"].endswith(f"?component={component}")


async def test_removed_files_are_a_line_of_history(backend: Backend) -> None:
    ids = [await stored(backend, b"1"), await stored(backend, b"2"), await stored(backend, b"3")]
    await asked(backend, "fileStorageV2:deleteFile", storageId=ids[0])
    await asked(backend, "fileStorageV2:deleteFiles", storageIds=ids[1:])
    assert await asked(backend, "fileStorageV2:numFiles") == 0.0
    newest, oldest = await events(backend)
    assert (newest["action"], newest["author"]) == ("delete_files", "ann")
    assert newest["metadata"] == {"component": None, "component_id": None, "storage_ids": ids[1:]}
    assert oldest["metadata"]["storage_ids"] == ids[:1]


async def test_of_files_that_are_not_all_there_none_is_removed(backend: Backend) -> None:
    kept = await stored(backend, b"1")
    gone = await stored(backend, b"2")
    await asked(backend, "fileStorageV2:deleteFile", storageId=gone)
    call = client_call(
        "_system/frontend/fileStorageV2:deleteFiles", {"storageIds": [kept, gone]}, Identity.admin()
    )
    result = await backend.run_any(call)
    assert result.error is not None
    assert result.error.message == f"storage id {gone} not found"
    assert await asked(backend, "fileStorageV2:numFiles") == 1.0


async def test_an_upload_url_is_given(backend: Backend) -> None:
    url = await asked(backend, "fileStorageV2:generateUploadUrl")
    backend.files.check_upload_token(url.partition("?token=")[2])


async def test_scheduled_functions_come_by_the_time_at_which_they_are_due(backend: Backend) -> None:
    await backend.deploy(Push("python", (Module("work.py", "python", WORK),)))
    planned = [loads((await backend.run_any(client_call("work:plan"))).value_json) for _ in range(2)]
    page = await asked(backend, "paginatedScheduledJobs", paginationOpts=PAGE)
    assert [job["_id"] for job in page["page"]] == planned
    first = page["page"][0]
    assert (first["udfPath"], first["state"]) == ("work.py:later", {"type": "pending"})
    assert orjson.loads(first["udfArgs"]) == [{"text": "hello"}]
    assert await asked(backend, "scheduler:getArgs", argsId=planned[0]) == first["udfArgs"]
    assert isinstance(first["nextTs"], Int64)
    assert await asked(backend, "scheduler:nextScheduledJobTimestamp") == first["nextTs"]

    of_function = {"paginationOpts": PAGE, "udfPath": "work.py:later"}
    assert len((await asked(backend, "paginatedScheduledJobs", **of_function))["page"]) == 2
    of_another = {"paginationOpts": PAGE, "udfPath": "work.py:other"}
    assert (await asked(backend, "paginatedScheduledJobs", **of_another))["page"] == []

    await asked(backend, "scheduler:cancelJob", id=planned[0])
    page = await asked(backend, "paginatedScheduledJobs", paginationOpts=PAGE)
    assert [job["_id"] for job in page["page"]] == planned[1:]
    await asked(backend, "scheduler:cancelJob", id=planned[1])
    assert await asked(backend, "scheduler:nextScheduledJobTimestamp") is None


async def test_history_is_found_by_time_and_action(backend: Backend) -> None:
    await push_schema(backend, '"notes": define_table({"text": v.string()})')
    await asked(backend, "addDocument", table="notes", documents=[{"text": "a"}])
    await asked(backend, "createTable", table="more")
    assert [event["action"] for event in await events(backend)] == [
        "create_table",
        "add_documents",
        "push_config_with_components",
    ]
    (added,) = await events(backend, actions=["add_documents"])
    (document,) = await documents(backend, "notes")
    assert added["metadata"] == {
        "component": None,
        "component_id": None,
        "table": "notes",
        "count": 1.0,
        "document_ids": [document["_id"]],
    }
    (push,) = await events(backend, actions=["push_config", "push_config_with_components"])
    assert push == await asked(backend, "deploymentEvents:lastPushEvent")
    (difference,) = push["metadata"]["component_diffs"]
    assert difference["component_diff"]["moduleDiff"] == {"added": ["schema.py"], "removed": []}
    assert await events(backend, maxDate=push["_creationTime"]) == [push]
    since = await asked(backend, "listDeploymentEventsFromTime", fromTimestamp=added["_creationTime"])
    assert [event["action"] for event in since] == ["add_documents", "create_table"]


async def test_each_edit_by_hand_is_a_line_of_history(backend: Backend) -> None:
    (id,) = await insert(backend, "notes", {"text": "a"})
    edits: list[tuple[str, dict[str, Any]]] = [
        ("patchDocumentsFields", {"table": "notes", "fields": {"text": "b"}, "ids": [id]}),
        ("replaceDocument", {"id": id, "document": {"text": "c"}}),
        ("deleteDocuments", {"toDelete": [{"id": id, "tableName": "notes"}]}),
    ]
    for path, args in edits:
        assert await asked(backend, path, **args) == {"success": True}
    await insert(backend, "notes", {"text": "d"})
    await asked(backend, "clearTablePage", tableName="notes", cursor=None)
    told = [(event["action"], event["author"]) for event in await events(backend)]
    assert told == [
        ("clear_table", "ann"),
        ("delete_documents", "ann"),
        ("update_documents", "ann"),
        ("update_documents", "ann"),
    ]
    for event in await events(backend, actions=["update_documents", "delete_documents"]):
        assert (event["metadata"]["table"], event["metadata"]["document_ids"]) == ("notes", [id])


async def test_a_change_by_an_endpoint_has_the_name_of_its_key(backend: Backend) -> None:
    name, secret = backend.config.instance_name, backend.config.instance_secret
    headers = {"Authorization": f"Convex {make_admin_key(name, secret, name='bob')}"}
    async with TestClient(TestServer(create_app(backend)), headers=headers) as client:
        changes = [{"name": "A", "value": "1"}]
        answer = await client.post("/api/v1/update_environment_variables", json={"changes": changes})
        assert answer.status == 200
    await backend.activation.change_environment({"B": "2"})
    told = [(event["action"], event.get("author")) for event in await events(backend)]
    assert told == [("create_environment_variable", None), ("create_environment_variable", "bob")]


async def test_an_edit_that_fails_is_no_line_of_history(backend: Backend) -> None:
    await push_schema(backend, '"notes": define_table({"text": v.string()})')
    (id,) = await insert(backend, "notes", {"text": "a"})
    answer = await asked(backend, "replaceDocument", id=id, document={"text": 5.0})
    assert answer["success"] is False
    assert [event["action"] for event in await events(backend)] == ["push_config_with_components"]
