"""Deploying: a push in three steps, of which only the last one changes what is served (deploy-api 6).

1. `start_push`: load the modules on fresh hosts and analyse them; make the schema pending; begin to fill new
indexes. 2. `wait_for_schema`: until the data is known to match and the indexes are filled.
3. `finish_push`: one transaction switches modules, schema and indexes.

A push that fails or is given up half-way leaves everything that is served as it was. `push` does all three.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from parabola.database.errors import ConflictError
from parabola.functions.deployment import Deployment, Module
from parabola.functions.hosts import LoadFailure
from parabola.services.analysis import AnalysedModules, analyse, with_position
from parabola.services.cron_jobs import check_crons, update_crons
from parabola.services.index_changes import index_changes
from parabola.services.push import ModuleDiff, Push, PushResult, combine
from parabola.services.schema_changes import (
    RaceDetected,
    SubmittedSchema,
    abandon_schema,
    activate_schema,
    schema_text,
    submit_schema,
)
from parabola.services.schema_evaluation import schema_evaluation
from parabola.services.schema_validation import validate_schema
from parabola.values.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction
    from parabola.functions.activation import Activation
    from parabola.functions.host_set import HostSet
    from parabola.functions.runner import FunctionRunner

__all__ = ["DeployService", "SchemaProgress", "StartedPush"]

ABANDONED_AFTER_SECONDS = 900.0
"""A push that was started and never finished is given up after this time; its hosts end."""
MAXIMUM_STARTED = 4
"""Pushes that may be under way at once; starting another one gives up the oldest."""
ATTEMPTS = 5
"""How often `push` begins again when another push got in between."""


@dataclass(frozen=True)
class SchemaProgress:
    """How far the second step is. `state`: inProgress, complete, failed or raceDetected (deploy-api 6.7)."""

    state: str
    validated: bool = True
    indexes_complete: int = 0
    indexes_total: int = 0
    error: str = ""
    table_name: str | None = None


@dataclass
class StartedPush:
    """A push after its first step. `token` stands for it in the calls of the others."""

    push: Push
    base: Deployment
    deployment: Deployment
    hosts: HostSet
    schema: SubmittedSchema
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.monotonic)
    validation: asyncio.Task[None] | None = None

    def analysis(self) -> dict[str, Any]:
        """Modules and schema of the new deployment as `deploy-api.md` 7 writes them."""
        modules = {
            path: module.analyzed for path, module in self.deployment.modules.items() if module.analyzed
        }
        schema = self.deployment.schema
        return {"modules": modules, "schema": None if schema is None else schema.to_json()}

    def result(self) -> PushResult:
        """What the push changes."""
        return PushResult(
            modules=ModuleDiff.between(self.base.modules, self.deployment.modules),
            indexes=self.schema.diff,
            deployment=self.deployment,
            previous_schema=self.schema.previous_text,
            next_schema=self.schema.text,
            analysis=self.analysis(),
        )


class DeployService:
    """Takes pushes."""

    def __init__(self, database: Database, runner: FunctionRunner, activation: Activation) -> None:
        self._database = database
        self._runner = runner
        self._activation = activation
        self._started: dict[str, StartedPush] = {}
        self._one_at_a_time = asyncio.Lock()

    async def push(self, push: Push) -> PushResult:
        """All three steps. A second call waits for the first; its outcome is then its own.

        Raises `BadRequest` with the author's file and line, or with the document that breaks the schema.
        """
        async with self._one_at_a_time:
            for attempt in range(1, ATTEMPTS + 1):
                started = await self.start_push(push)
                try:
                    while (progress := await self.wait_for_schema(started.token)).state == "inProgress":
                        pass
                    if progress.state == "failed":
                        raise BadRequest(
                            f"Schema validation failed.\n{progress.error}", code="SchemaValidationFailed"
                        )
                    if progress.state == "raceDetected":
                        raise RaceDetected(
                            "Another push replaced this one's schema before it was done. Push again."
                        )
                    return await self.finish_push(started.token)
                except RaceDetected:
                    if attempt == ATTEMPTS:
                        raise
                finally:
                    await self._give_up(started.token)
            raise AssertionError("unreachable")

    async def start_push(self, push: Push) -> StartedPush:
        """Analyse and submit. Raises `LoadFailure`, `BadRequest` or `Conflict`; then nothing has changed."""
        await self._give_up_old()
        base = self._runner.active.deployment
        deployment, hosts = await self._analyse(base, push)
        try:
            submitted = await self._submit(deployment)
        except BaseException:
            await hosts.close()
            raise
        started = StartedPush(push, base, deployment, hosts, submitted)
        if submitted.row_id is not None:
            started.validation = asyncio.create_task(validate_schema(self._database, submitted.row_id))
        self._started[started.token] = started
        return started

    async def evaluate_push(self, push: Push) -> PushResult:
        """What a push would change, found out without writing anything. Raises what `start_push` raises."""
        base = self._runner.active.deployment
        deployment, hosts = await self._analyse(base, push)
        await hosts.close()
        registry = self._database.registry
        active = registry.active_schema()
        return PushResult(
            modules=ModuleDiff.between(base.modules, deployment.modules),
            indexes=index_changes(registry, deployment.schema).diff(registry),
            deployment=deployment,
            previous_schema=None if active is None else active.text,
            next_schema=schema_text(deployment.schema),
        )

    async def evaluate_schema(self, push: Push) -> dict[str, Any]:
        """What a push would ask of the tables and indexes (deploy-api 6.6); nothing is written."""
        result = await self.evaluate_push(push)
        return schema_evaluation(self._database, result.deployment.schema)

    async def _analyse(self, base: Deployment, push: Push) -> tuple[Deployment, HostSet]:
        """The deployment that a push asks for, and hosts that have loaded it."""
        modules = combine(base, push)
        candidate = Deployment(modules=modules, env=base.env, auth_providers=base.auth_providers)
        try:
            hosts = await self._activation.prepare(candidate)
        except LoadFailure as failure:
            raise with_position(failure) from None
        try:
            analysed = await analyse(hosts, candidate, push.language)
            deployment = self._assemble(base, candidate, analysed)
            check_crons(deployment)
        except LoadFailure as failure:
            await hosts.close()
            raise with_position(failure) from None
        except BaseException:
            await hosts.close()
            raise
        hosts.deployment = deployment
        return deployment, hosts

    async def wait_for_schema(self, token: str, patience: float = 10.0) -> SchemaProgress:
        """Wait until the second step is over, for at most `patience` seconds; how far it is."""
        started = self._find(token)
        deadline = time.monotonic() + patience
        changed = asyncio.Event()
        stop = self._database.on_commit(lambda _writes, _ts: changed.set())
        try:
            while True:
                changed.clear()
                progress = await self._progress(started)
                remaining = deadline - time.monotonic()
                if progress.state != "inProgress" or remaining <= 0:
                    return progress
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), remaining)
        finally:
            stop()

    async def finish_push(self, token: str, *, dry_run: bool | None = None) -> PushResult:
        """Switch. Raises `RaceDetected` when something got in between; then nothing has changed."""
        started = self._find(token)
        if dry_run or (dry_run is None and started.push.dry_run):
            await self._give_up(token)
            return started.result()
        base = started.base

        async def write(tx: Transaction) -> None:
            if self._runner.active.deployment.id != base.id:
                raise RaceDetected("Another push or a change of the environment came in between. Push again.")
            await activate_schema(tx, started.schema)
            await update_crons(tx, started.deployment)

        await self._activation.activate(started.deployment, started.hosts, write)
        del self._started[token]
        return started.result()

    async def close(self) -> None:
        """Give up every push under way."""
        for token in list(self._started):
            await self._give_up(token)

    def _find(self, token: str) -> StartedPush:
        started = self._started.get(token)
        if started is None:
            raise NotFound("This push is not under way any more. Push again.", code="UnknownPush")
        return started

    def _assemble(self, base: Deployment, candidate: Deployment, analysed: AnalysedModules) -> Deployment:
        """The new deployment: freshly analysed modules, and those of the other language as they were."""
        modules = [
            module if (found := analysed.modules.get(path)) is None else _with_analysis(module, found)
            for path, module in candidate.modules.items()
        ]
        keeps_schema = analysed.schema is None and any(
            module.path.startswith("schema.") and module.path not in analysed.modules for module in modules
        )
        return Deployment.of(
            modules,
            schema=base.schema if keeps_schema else analysed.schema,
            env=base.env,
            auth_providers=base.auth_providers
            if analysed.auth_providers is None
            else analysed.auth_providers,
            id=candidate.id,
        )

    async def _submit(self, deployment: Deployment) -> SubmittedSchema:
        while True:
            tx = self._database.begin(writable=True)
            submitted = await submit_schema(tx, self._database, deployment.schema)
            try:
                await self._database.commit(tx, source="push")
                return submitted
            except ConflictError:
                continue

    async def _progress(self, started: StartedPush) -> SchemaProgress:
        tx = self._database.begin()
        indexes = [
            index
            for table in tx.registry.tables("")
            for index in tx.registry.indexes(table.tablet_id)
            if index.index_id in started.schema.index_ids
        ]
        total = len(started.schema.index_ids)
        complete = sum(index.state != "backfilling" for index in indexes)
        validated = True
        if started.schema.row_id is not None:
            row = await tx.get_system(started.schema.row_id)
            state = "overwritten" if row is None else row.value["state"]
            if state == "failed":
                assert row is not None
                return SchemaProgress(
                    "failed", False, complete, total, row.value["error"], row.value["tableName"]
                )
            if state not in ("pending", "validated"):
                return SchemaProgress("raceDetected")
            validated = state == "validated"
        if len(indexes) < total:
            return SchemaProgress("raceDetected")
        done = validated and complete == total
        return SchemaProgress("complete" if done else "inProgress", validated, complete, total)

    async def _give_up_old(self) -> None:
        now = time.monotonic()
        tokens = [
            token
            for token, started in self._started.items()
            if now - started.started > ABANDONED_AFTER_SECONDS
        ]
        tokens += list(self._started)[: max(0, len(self._started) - MAXIMUM_STARTED + 1)]
        for token in dict.fromkeys(tokens):
            await self._give_up(token)

    async def _give_up(self, token: str) -> None:
        """End a push that will not be finished: its hosts, its validation, its pending schema and indexes."""
        started = self._started.pop(token, None)
        if started is None:
            return
        if started.validation is not None:
            started.validation.cancel()
            await asyncio.gather(started.validation, return_exceptions=True)
        await started.hosts.close()
        while True:
            tx = self._database.begin(writable=True)
            await abandon_schema(tx, started.schema)
            try:
                await self._database.commit(tx, source="push")
                return
            except ConflictError:
                continue


def _with_analysis(module: Module, analysed: Mapping[str, Any]) -> Module:
    return Module(module.path, module.environment, module.source, module.source_map, module.sha256, analysed)
