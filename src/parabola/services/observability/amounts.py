"""How much there is of what a server keeps, as it is looked up when somebody asks: memory, bytes on the disk,
documents, files, processes, jobs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from parabola.functions.deployed.component_rows import recorded_components
from parabola.functions.processes.host_watchdog import process_memory_bytes
from parabola.services.files.stored_files import FILES
from parabola.services.jobs.scheduled_jobs import overdue_seconds, pending_jobs

if TYPE_CHECKING:
    from parabola.functions.engine import FunctionRunner

__all__ = ["MOST_JOBS", "Amount", "amounts"]

MOST_JOBS: Final = 1_000
"""Jobs of a component that are counted; it may be that more are due."""
_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})


class Amount(NamedTuple):
    """One figure. `text` says what it is of, and is the same for all with a `name`."""

    name: str
    text: str
    value: float
    labels: Mapping[str, str] = _NO_LABELS


async def amounts(runner: FunctionRunner) -> list[Amount]:
    """All figures. What takes long is looked up in a thread."""
    in_system = await asyncio.to_thread(_in_system, runner.database.persistence.file)
    return [*in_system, *_hosts(runner), *_tables(runner), *_searches(runner), *await _jobs(runner)]


def _hosts(runner: FunctionRunner) -> list[Amount]:
    text = "Processes that are ready to run functions, by runtime and purpose."
    return [
        Amount("parabola_hosts", text, number, {"runtime": runtime, "purpose": purpose})
        for runtime, purpose, number in runner.active.hosts.numbers()
    ]


def _tables(runner: FunctionRunner) -> list[Amount]:
    """Documents of the deployment's own tables. Their number is noted with every commit."""
    database, deployment = runner.database, runner.active.deployment
    found: list[Amount] = []
    files = 0
    for table in database.registry.tables():
        component = deployment.component(table.component)
        if table.state != "active" or component is None:
            continue
        size = database.persistence.size(table.tablet_id)
        if table.name == FILES:
            files += size.documents
        if not table.is_system:
            labels = {"component": component.path, "table": table.name}
            found.append(Amount("parabola_documents", "Documents of a table.", size.documents, labels))
            text = "Bytes of the documents of a table, its indexes not counted."
            found.append(Amount("parabola_document_bytes", text, size.bytes, labels))
    return [*found, Amount("parabola_files", "Stored files.", files)]


def _searches(runner: FunctionRunner) -> list[Amount]:
    """Text and vector indexes."""
    database, deployment = runner.database, runner.active.deployment
    found: list[Amount] = []
    for index, structure in database.derived.built():
        table = database.registry.table_by_tablet(index.tablet_id)
        component = None if table is None else deployment.component(table.component)
        if table is not None and component is not None:
            labels = {"component": component.path, "table": table.name, "index": index.name}
            text = "Revisions of documents that a text or vector index holds."
            found.append(Amount("parabola_search_slots", text, structure.slots, labels))
            text = "About what they take, in memory or in mapped files."
            found.append(Amount("parabola_search_bytes", text, structure.bytes, labels))
    return found


async def _jobs(runner: FunctionRunner) -> list[Amount]:
    """Those of the app and of components that are due."""
    snapshot, now = runner.database.begin(), runner.database.now_ts()
    due, lag = 0, 0.0
    for component_id in await recorded_components(snapshot):
        jobs = await pending_jobs(snapshot.view(component_id), MOST_JOBS, until_ns=now)
        due += len(jobs)
        lag = max(lag, overdue_seconds(jobs, now))
    text = f"Scheduled functions that are due and have not begun, counted up to {MOST_JOBS:,} of a component."
    return [
        Amount("parabola_jobs_due", text, due),
        Amount(
            "parabola_scheduler_lag_seconds", "For how long the next scheduled function has been due.", lag
        ),
    ]


def _in_system(file: Path | None) -> list[Amount]:
    found = [
        Amount("parabola_server_memory_bytes", "Resident memory of the server's process.", _own_memory()),
        Amount(
            "parabola_host_memory_bytes", "Resident memory of the processes that run functions.", _of_hosts()
        ),
    ]
    if file is not None:
        log = file.with_name(f"{file.name}-wal")
        found.append(Amount("parabola_store_bytes", "The database's file.", _file_bytes(file)))
        found.append(Amount("parabola_wal_bytes", "The log beside the database's file.", _file_bytes(log)))
    return found


def _own_memory() -> float:
    return process_memory_bytes(os.getpid()) or 0


def _of_hosts() -> float:
    """Of all children, and of theirs: a relay has hosts of its own."""
    total, pids = 0, _children(os.getpid())
    while pids:
        pid = pids.pop()
        total += process_memory_bytes(pid) or 0
        pids += _children(pid)
    return total


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += map(int, task.read_text().split())
        except (OSError, ValueError):
            continue
    return children


def _file_bytes(file: Path) -> float:
    try:
        return file.stat().st_size  # never opened: closing it would drop SQLite's locks
    except OSError:
        return 0
