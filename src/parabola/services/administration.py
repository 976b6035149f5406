"""What administrators do to data by hand: tables, jobs, components (components 5.2 and 10.3).

Each change is a line of the audit log, written by the transaction that makes it. `component` is the id of the
component whose data it is, empty for the app.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parabola.database.model.indexes import BY_CREATION_TIME, BY_ID
from parabola.database.model.shown_rows import ScheduledJob
from parabola.functions.deployed.component_rows import (
    ComponentRow,
    component_ids,
    component_rows,
    remove_components,
)
from parabola.functions.deployed.deployment_events import record_event
from parabola.functions.deployed.function_handles import remove_handles
from parabola.services.jobs.scheduled_jobs import CancelsItself, cancel_job, pending_jobs, remove_jobs
from parabola.values.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parabola.database.database import Database
    from parabola.database.model.indexes import Index
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction
    from parabola.functions.activation import Activation

__all__ = ["Administration"]

_SOURCE: Final = "administrator"
_BATCH: Final = 200
"""Jobs that one transaction cancels."""
_STATES: Final = {"backfilling": "in_progress", "backfilled": "done", "enabled": "done"}


class Administration:
    """The data of one deployment, in an administrator's hands."""

    def __init__(self, database: Database, activation: Activation) -> None:
        self._database = database
        self._activation = activation

    # Components

    async def delete_component(self, id: str) -> None:
        """Remove an unmounted component with those below it, and all that is theirs.

        Raises `NotFound`, and `BadRequest` (`ComponentMustBeUnmounted`) while one of them is mounted.
        """

        async def write(tx: Transaction) -> None:
            rows = {row.id: row for row in await component_rows(tx)}
            if id not in rows:
                raise _no_component(id)
            gone = _below(id, list(rows.values()))
            if any(rows[each].state == "active" for each in gone):
                raise BadRequest(
                    "Component must be unmounted before deletion", code="ComponentMustBeUnmounted"
                )
            path = await _path_of(tx, id)
            await remove_components(tx, gone)
            await remove_handles(tx, gone)
            await record_event(tx, "delete_component", component_id=id, component=path)

        await self._activation.change_components(write)

    # Tables

    async def delete_tables(self, names: Sequence[str], component: str = "") -> None:
        """Remove tables with their documents, all or none. Raises `BadRequest` for one that the schema needs,
        and `NotFound`.
        """

        async def write(root: Transaction) -> None:
            path = await _path_of(root, component)
            tx = root.view(component)
            for name in names:
                table = tx.find_table(name)
                if table is None:
                    raise NotFound(f"There is no table {name}.", code="TableNotFound")
                await tx.delete_table(table)
            await record_event(
                root, "delete_tables", table_names=list(names), component_id=component or None, component=path
            )

        await self._database.transact(write, source=_SOURCE)

    async def shapes(self, component: str = "") -> dict[str, Any]:
        """What the documents of each table look like, as far as the oldest and the newest tell."""
        from parabola.services.document_shapes import sampled_shape  # with the first question

        tx = self._database.begin()
        await _path_of(tx, component)
        registry = tx.registry

        def table_of(number: int) -> str | None:
            named = registry.table_name_in(component, number)
            return None if named is None else named[0]

        shapes = {}
        for table in registry.tables(component):
            if table.state == "active" and not table.is_system:
                # Each has a transaction of its own, and so all that one may read.
                view = self._database.begin(ts=tx.begin_ts).view(component)
                shapes[table.name] = await sampled_shape(view, table.name, table_of)
        return shapes

    async def indexes(self, component: str = "") -> list[dict[str, Any]]:
        """The declared indexes of every table, with how far those are that are being filled."""
        tx = self._database.begin()
        await _path_of(tx, component)
        return [
            _index(table.name, index)
            for table in tx.registry.tables(component)
            if table.state == "active" and not table.is_system
            for index in tx.registry.indexes(table.tablet_id)
            if index.name not in (BY_ID, BY_CREATION_TIME)
        ]

    # Jobs

    async def cancel_job(self, id: str, component: str = "") -> None:
        """Cancel a job that a component has scheduled, unless it has ended. Raises `BadRequest` for what is
        no id of a job.
        """

        async def write(root: Transaction) -> None:
            await _path_of(root, component)
            await cancel_job(root.view(component), id, self._database.now_ms())

        await self._database.transact(write, source=_SOURCE)

    async def cancel_jobs(
        self,
        component: str = "",
        *,
        function: str | None = None,
        target: str | None = None,
        from_ns: int | None = None,
        until_ns: int | None = None,
    ) -> int:
        """Cancel the jobs that a component has scheduled and that have not begun: all, or those of one
        `function` of the component at the path `target` that are due from one time on and before another, in
        nanoseconds since 1970. How many there were.
        """

        async def write(root: Transaction) -> int:
            await _path_of(root, component)
            tx = root.view(component)
            jobs: list[ScheduledJob] = await pending_jobs(
                tx, _BATCH, function=function, target=target, from_ns=from_ns, until_ns=until_ns
            )
            for job in jobs:
                try:
                    await cancel_job(tx, job.id, self._database.now_ms())
                except CancelsItself:  # it runs, and goes on to its commit
                    pass
            return len(jobs)

        total = 0
        while count := await self._database.transact(write, source=_SOURCE):
            total += count
        return total

    async def delete_jobs(self, component: str = "") -> None:
        """Forget all jobs that a component has scheduled, those too that have ended. What runs goes on, and
        is not run again. Raises `NotFound`.
        """

        async def note(root: Transaction) -> None:
            path = await _path_of(root, component)
            event = {"component_id": component or None, "component": path}
            await record_event(root, "delete_scheduled_jobs_table", **event)

        async def write(root: Transaction) -> int:
            return await remove_jobs(root.view(component), _BATCH)

        await self._database.transact(note, source=_SOURCE)
        while await self._database.transact(write, source=_SOURCE):
            pass


def _below(id: str, rows: Sequence[ComponentRow]) -> set[str]:
    """A component and those below it."""
    found = {id}
    while more := {row.id for row in rows if row.parent in found} - found:
        found |= more
    return found


async def _path_of(tx: Snapshot, component: str) -> str:
    """The path of a component by its id. Raises `NotFound` where there is none."""
    if not component:
        return ""
    for path, id in (await component_ids(tx)).items():
        if id == component:
            return path
    raise _no_component(component)


def _no_component(id: str) -> NotFound:
    return NotFound(f'There is no component with the id "{id}".', code="ComponentNotFound")


def _index(table: str, index: Index) -> dict[str, Any]:
    fields = list(index.fields) if index.kind == "database" else dict(index.options)
    return {
        "table": table,
        "name": index.name,
        "fields": fields,
        "backfill": {"state": _STATES[index.state]},
        "staged": index.staged,
    }
