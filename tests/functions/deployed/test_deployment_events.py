"""What administrators did to a deployment is written down with it, and listed newest first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from parabola.backend import Backend
from parabola.functions.deployed.deployment_events import DEPLOYMENT_EVENTS
from parabola.functions.deployed.identity import SYSTEM_IDENTITY
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.sign_in.admin_keys import make_admin_key
from parabola.values.errors import BadRequest
from services.archive_driver import exported, opened, run_import


async def events(backend: Backend) -> list[tuple[str, dict[str, Any]]]:
    options = {"paginationOpts": {"numItems": 100.0, "cursor": None}}
    call = client_call("_system/frontend/paginatedDeploymentEvents", options, SYSTEM_IDENTITY)
    page = (await backend.query(call)).value["page"]
    return [(row["action"], row["metadata"]) for row in page]


async def test_changes_of_variables_are_written_down_without_their_values(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.change_environment({"A": "secret", "B": "secret"})
        await backend.change_environment({"A": "secret"})
        await backend.change_environment({"A": "another secret", "B": None, "C": None})
        assert sorted((action, row["variable_name"]) for action, row in await events(backend)) == [
            ("create_environment_variable", "A"),
            ("create_environment_variable", "B"),
            ("delete_environment_variable", "B"),
            ("update_environment_variable", "A"),
        ]
        rows = await system_rows(backend.database.begin(), DEPLOYMENT_EVENTS)
        assert all(b"secret" not in row.raw for row in rows)


async def test_a_change_that_is_refused_leaves_no_event(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        with pytest.raises(BadRequest):
            await backend.change_environment({"A": "1", "not a name": "2"})
        assert await events(backend) == []


@pytest.mark.parametrize("mode", ["append", "replace"])
async def test_imports_and_exports_are_written_down(tmp_path: Path, mode: str) -> None:
    async with opened(tmp_path) as backend:
        await run_import(backend, b'{"a": 1}\n{"a": 2}\n', "jsonLines", mode, table="notes")
        await exported(backend)
        (asked, export), (done, done_import) = await events(backend)
        assert (asked, export["format"]) == ("request_export", "zip")
        assert export.keys() >= {"id", "include_storage"}
        assert done == "snapshot_import"
        assert done_import["tables"] == ["notes"]
        assert int(done_import["num_rows_written"]) == 2


async def test_keys_that_are_revoked_are_written_down_by_their_ids(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        key = make_admin_key(backend.config.instance_name, backend.config.instance_secret)
        backend.check_admin_key(key)
        ((seen, _),) = backend.admin_keys.seen
        await backend.admin_keys.revoke(seen.key_id)
        await backend.admin_keys.revoke_all()
        assert await events(backend) == [
            ("revoke_all_admin_keys", {}),
            ("revoke_admin_key", {"key_id": seen.key_id, "name": seen.name}),
        ]
