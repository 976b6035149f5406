"""What log streams are told from time to time: how much runs and waits, what is due, what is stored."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from parabola.functions.deployed.component_rows import components_with_tables
from parabola.services.jobs.scheduled_jobs import pending_jobs

if TYPE_CHECKING:
    from parabola.functions.engine import FunctionRunner
    from parabola.services.log_streams.log_events import Event

__all__ = ["STATISTICS_SECONDS", "STORAGE_SECONDS", "Statistics"]

STATISTICS_SECONDS: Final = 60.0
STORAGE_SECONDS: Final = 3600.0
"""Between two sums of all that is stored."""
_FILES: Final = "_file_storage"
_FILES_AT_ONCE: Final = 500


class Statistics:
    """The periodic events of a deployment, in their official format."""

    def __init__(self, runner: FunctionRunner) -> None:
        self._runner = runner
        self._database = runner.database

    def concurrency(self) -> Event:
        """How many functions run and wait on this node, by their kind."""
        running: Counter[str] = Counter()
        for runtime, kind in self._runner.running.places:
            running["node_action" if runtime == "node" and kind == "action" else kind] += 1
        waiting = {"mutation": self._runner.waiting_mutations}
        kinds = {
            "query": "query",
            "mutation": "mutation",
            "action": "action",
            "node_action": "node_action",
            "http_action": "httpAction",
        }
        counts = {
            name: {"num_running": running[kind], "num_queued": waiting.get(name, 0)}
            for name, kind in kinds.items()
        }
        return {**self._event("concurrency_stats"), **counts}

    async def jobs(self) -> list[Event]:
        """How late scheduled functions are and how many run, if any does or is."""
        snapshot = self._database.begin()
        due = [
            job.due_ns
            for component in components_with_tables(self._database.registry)
            for job in await pending_jobs(snapshot.view(component), 1)
            if job.due_ns is not None
        ]
        late = int(max(0, self._database.now_ts() - min(due)) / 1e9) if due else 0
        running = self._runner.running.scheduled
        events: list[Event] = []
        if late:
            events.append({**self._event("scheduled_job_lag"), "lag_seconds": late})
        if late or running:
            stats = {"lag_seconds": late, "num_running_jobs": running}
            events.append({**self._event("scheduler_stats"), **stats})
        return events

    async def storage(self) -> Event:
        """What documents and files take together. Of indexes nobody knows: they are parts of one database."""
        documents, system = 0, Counter[str]()
        for table in self._database.registry.tables():
            size = self._database.persistence.size(table.tablet_id).bytes
            if table.is_system:
                system[table.name] += size
            else:
                documents += size
        return {
            **self._event("current_storage_usage"),
            "total_document_size_bytes": documents,
            "total_index_size_bytes": 0,
            "total_vector_storage_bytes": 0,
            "total_text_storage_bytes": 0,
            "total_file_storage_bytes": await self._file_bytes(),
            "total_backup_storage_bytes": 0,
            "total_system_table_document_size_bytes": dict(system),
        }

    async def _file_bytes(self) -> int:
        snapshot, total = self._database.begin(), 0
        source = {"type": "FullTableScan", "tableName": _FILES, "order": "asc"}
        for component in components_with_tables(self._database.registry):
            if self._database.registry.table(_FILES, component) is None:
                continue
            rows = snapshot.view(component).query_system({"source": source, "operators": []})
            while page := await rows.next(_FILES_AT_ONCE):
                total += sum(int(row.value["size"]) for row in page)
                await asyncio.sleep(0)
        return total

    def _event(self, topic: str) -> dict[str, Any]:
        return {"timestamp": int(self._database.now_ms()), "topic": topic}
