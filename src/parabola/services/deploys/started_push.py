"""Pushes between their first step and their last: what they have begun, and how they are given up."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field
from msgspec.structs import replace

from parabola.database.model.schema_rows import StoredSchema
from parabola.functions.deployed.component_rows import component_rows
from parabola.functions.deployed.components import APP_ID
from parabola.functions.deployed.definition import Definition
from parabola.services.deploys.component_tree import ComponentTree
from parabola.services.deploys.definitions import EvaluatedDefinition
from parabola.services.deploys.push import ComponentChange, IndexDiff, ModuleDiff, Push, PushResult
from parabola.services.deploys.schema_changes import SubmittedSchema, abandon_schema
from parabola.values.errors import Conflict

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction
    from parabola.functions.deployed.deployment import Deployment
    from parabola.functions.processes.host_set import HostSet

__all__ = ["SchemaProgress", "StartedPush", "StartedPushes", "node_of", "push_progress", "schema_progress"]

ABANDONED_AFTER_SECONDS: Final = 300.0
"""A push that nobody asks about for so long is given up: its hosts end."""
MAX_STARTED: Final = 4
"""Pushes that may be under way at once; starting another one gives up the oldest."""

_NODE_END: Final = "."

_log: Final = logging.getLogger(__name__)


def node_of(token: str) -> str:
    """The life of the node that has begun the push of a token."""
    return token.partition(_NODE_END)[0]


class SchemaProgress(Struct, frozen=True):
    """How far the second step is. `state`: inProgress, complete, failed or raceDetected (deploy-api 6.7)."""

    state: str
    validated: bool = True
    indexes_complete: int = 0
    indexes_total: int = 0
    error: str = ""
    table_name: str | None = None
    component_path: str = ""
    """That of the schema that has failed."""
    components: Mapping[str, SchemaProgress] = {}
    """How far the schemas of the components are, by their paths, where nothing has failed."""


class StartedPush(Struct):
    """A push after its first step. `token` stands for it in the calls of the others."""

    push: Push
    base: Deployment
    deployment: Deployment
    hosts: HostSet
    schemas: Mapping[str, SubmittedSchema]
    """By the ids of the components whose they are, the app's empty."""
    tree: ComponentTree
    definitions: Mapping[str, EvaluatedDefinition] = {}
    pushed: Mapping[str, EvaluatedDefinition] = {}
    node: str = ""
    """The life of the node that has begun it, and alone can end it."""
    token: str = ""
    touched: float = field(default_factory=time.monotonic)
    validations: list[asyncio.Task[None]] = []

    def __post_init__(self) -> None:
        self.token = self.token or f"{self.node}{_NODE_END}{uuid.uuid4().hex}"

    def result(self) -> PushResult:
        """What the push changes."""
        return PushResult(
            modules=ModuleDiff.between(self.base.modules, self.deployment.modules),
            indexes=self.schemas[APP_ID].diff,
            deployment=self.deployment,
            previous_schema=self.schemas[APP_ID].previous_text,
            next_schema=self.schemas[APP_ID].text,
            definitions=self.definitions,
            pushed=self.pushed,
            components=self._component_changes(),
        )

    def _component_changes(self) -> dict[str, ComponentChange]:
        changes: dict[str, ComponentChange] = {}
        for id, component in self.deployment.components.items():
            difference = self.tree.differences.get(component.path)
            if difference is None:
                continue
            before, submitted = self.base.component(id), self.schemas.get(id)
            old = Definition() if before is None else before.definition
            changes[component.path] = ComponentChange(
                id,
                difference,
                ModuleDiff.between(old.modules, component.definition.modules),
                IndexDiff() if submitted is None else submitted.diff,
                old.crons,
                component.definition.crons,
                None if submitted is None else submitted.previous_text,
                None if submitted is None else submitted.text,
            )
        return changes


class StartedPushes:
    """The pushes under way, by their tokens. Clients walk away without a word, so each has a time limit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._started: dict[str, StartedPush] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self.submitting = asyncio.Lock()
        """Held from before a push submits its schemas until it is added: nobody takes back meanwhile what it
        shares with one that is given up.
        """

    def add(self, started: StartedPush) -> None:
        """Keep a push; the oldest is given up where there are too many."""
        while len(self._started) >= MAX_STARTED:
            self._later(self.give_up(next(iter(self._started))))
        self._started[started.token] = started
        self._look_again(started.token, ABANDONED_AFTER_SECONDS)

    def find(self, token: str) -> StartedPush:
        """The push of a token, whose time begins anew. Raises `Conflict` when it is not under way."""
        started = self._started.get(token)
        if started is None:
            # A conflict and not "not found": the command line then begins again with a new push.
            raise Conflict("This push is not under way any more. Push again.", code="UnknownPush")
        started.touched = time.monotonic()
        return started

    def remove(self, token: str) -> None:
        """A push is over; what it has begun stays."""
        del self._started[token]

    def give_up(self, token: str) -> Callable[[], Awaitable[None]]:
        """Forget a push that will not be finished. The answer, called, ends what it has begun: its hosts, its
        validation, its pending schema and indexes.
        """
        started = self._started.pop(token, None)

        async def end() -> None:
            if started is not None:
                await self._end(started)

        return end

    async def close(self) -> None:
        """Give up every push."""
        for token in list(self._started):
            await self.give_up(token)()
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _end(self, started: StartedPush) -> None:
        for validation in started.validations:
            validation.cancel()
        await asyncio.gather(*started.validations, return_exceptions=True)
        await started.hosts.close()

        async def take_back(tx: Transaction) -> None:
            created = {component.id for component in started.tree.created}
            recorded = {row.id for row in await component_rows(tx)}
            for id, submitted in started.schemas.items():
                if id not in created:
                    await abandon_schema(tx.view(id), submitted, self._submitted_to(id))
            for id in created - recorded:
                await tx.delete_component(id)

        async with self.submitting:
            await self._database.transact(take_back, source="push")

    def _submitted_to(self, component: str) -> list[SubmittedSchema]:
        """What the pushes under way have submitted to a component. Those of other nodes are not known here:
        who pushes the same there is told of a race.
        """
        return [each.schemas[component] for each in self._started.values() if component in each.schemas]

    def _look_again(self, token: str, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._give_up_if_abandoned, token)

    def _give_up_if_abandoned(self, token: str) -> None:
        started = self._started.get(token)
        if started is None:
            return
        remaining = started.touched + ABANDONED_AFTER_SECONDS - time.monotonic()
        if remaining > 0:
            self._look_again(token, remaining)
        else:
            self._later(self.give_up(token))

    def _later(self, end: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            try:
                await end()
            except Exception:
                _log.exception("A push that was given up could not be ended")

        task = asyncio.get_running_loop().create_task(run())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def push_progress(database: Database, started: StartedPush) -> SchemaProgress:
    """How far a push is: the schemas of all its components. The first that has failed stands for all."""
    parts: dict[str, SchemaProgress] = {}
    for id, submitted in started.schemas.items():
        component = started.deployment.component(id)
        assert component is not None
        part = await schema_progress(database, submitted, id)
        if part.state in ("failed", "raceDetected"):
            return replace(part, component_path=component.path)
        parts[component.path] = part
    return SchemaProgress(
        "complete" if all(part.state == "complete" for part in parts.values()) else "inProgress",
        all(part.validated for part in parts.values()),
        sum(part.indexes_complete for part in parts.values()),
        sum(part.indexes_total for part in parts.values()),
        components=parts,
    )


async def schema_progress(
    database: Database, submitted: SubmittedSchema, component: str = ""
) -> SchemaProgress:
    """How far a submitted schema of a component is: its data checked, its indexes filled."""
    tx = database.begin().view(component)
    indexes = [
        index
        for table in tx.registry.tables(component)
        for index in tx.registry.indexes(table.tablet_id)
        if index.index_id in submitted.index_ids
    ]
    total = len(submitted.index_ids)
    complete = sum(index.state != "backfilling" for index in indexes)
    validated = True
    if submitted.row_id is not None:
        document = await tx.get_system(submitted.row_id)
        row = None if document is None else StoredSchema.of(document)
        state = "overwritten" if row is None else row.state
        if row is not None and row.state == "failed":
            return SchemaProgress("failed", False, complete, total, row.error or "", row.table_name or None)
        if state not in ("pending", "validated"):
            return SchemaProgress("raceDetected")
        validated = state == "validated"
    if len(indexes) < total:
        return SchemaProgress("raceDetected")
    done = validated and complete == total
    return SchemaProgress("complete" if done else "inProgress", validated, complete, total)
