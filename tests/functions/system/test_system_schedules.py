"""Jobs and crons that administrators run by hand, and what has ended."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from parabola.backend import Backend
from parabola.functions.deployed.identity import Identity
from services.archive_driver import insert
from services.dashboard_driver import Client, asked, system, until


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


async def test_a_cron_job_runs_once_more_by_hand(backend: Backend) -> None:
    await system(backend, "runCronJobNow", name="nightly")
    options = {"cursor": None, "numItems": 10}

    async def ended() -> list[Any] | None:
        return (await system(backend, "paginatedEndedJobs", paginationOpts=options))["page"] or None

    (job,) = await until(backend, ended)
    assert (job["udfPath"], job["state"]) == ("work.py:tick", {"type": "success"})
    assert json.loads(job["udfArgs"]) == [{"text": "by hand"}]
    refused = await backend.run_any(
        client_call("_system/frontend/runCronJobNow", {"name": "none"}, Identity.admin())
    )
    assert refused.error is not None
    events = await system(backend, "paginatedDeploymentEvents", paginationOpts=options, filters={})
    assert "run_cron_job_now" in [event["action"] for event in events["page"]]


async def test_a_job_that_waits_runs_now_and_no_other_does(backend: Backend) -> None:
    id = (await backend.run_any(client_call("work:plan", {}))).value
    options = {"cursor": None, "numItems": 10}

    async def ended() -> list[Any] | None:
        return (await system(backend, "paginatedEndedJobs", paginationOpts=options))["page"] or None

    await system(backend, "scheduler:runJobNow", id=id)
    (job,) = await until(backend, ended)
    assert (job["_id"], job["state"]) == (id, {"type": "success"})
    assert job["completedTs"] < job["scheduledTs"], "long before its time"
    for no_job in (id, (await insert(backend, "tasks", {"text": "no job"}))[0]):
        call = client_call("_system/frontend/scheduler:runJobNow", {"id": no_job}, Identity.admin())
        refused = (await backend.run_any(call)).error
        assert refused is not None
        assert "does not wait any more" in refused.message
