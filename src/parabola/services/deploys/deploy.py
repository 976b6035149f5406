"""Deploying: a push in three steps, of which only the last one changes what is served (deploy-api 6).

1. `start_push`: load the modules on fresh hosts and analyze them; make the schema pending; begin to fill new
indexes. 2. `wait_for_schema`: until the data is known to match and the indexes are filled.
3. `finish_push`: one transaction switches modules, schema and indexes.

A push that fails or is given up half-way leaves everything that is served as it was. `push` does all three.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from parabola.functions.deployed.deployment import Deployment, Module
from parabola.functions.deployed.package_rows import Packages, forget_packages, store_packages
from parabola.functions.deployed.runtimes import LANGUAGES
from parabola.functions.http.http_routing import http_prefix
from parabola.functions.processes.host_failures import LoadFailure
from parabola.services.deploys.analysis import (
    AnalyzedModules,
    analyze,
    analyze_auth,
    analyze_definitions,
    analyze_schema,
    with_position,
)
from parabola.services.deploys.audit_log import check_message, record_push
from parabola.services.deploys.combined_definitions import (
    brought_code,
    combined_definitions,
    declared_by,
    kept_definitions,
)
from parabola.services.deploys.component_tree import ComponentTree, component_tree
from parabola.services.deploys.definitions import EvaluatedDefinition, check_definitions, check_variables
from parabola.services.deploys.environment import check_changes
from parabola.services.deploys.index_changes import index_changes
from parabola.services.deploys.known_analyses import KnownAnalyses
from parabola.services.deploys.node_packages import NodePackages
from parabola.services.deploys.push import ModuleDiff, Push, PushResult, combine
from parabola.services.deploys.schema_changes import (
    RaceDetected,
    SubmittedSchema,
    activate_schema,
    schema_text,
    submit_schema,
)
from parabola.services.deploys.schema_evaluation import schema_evaluation
from parabola.services.deploys.schema_validation import validate_schema
from parabola.services.deploys.started_push import (
    SchemaProgress,
    StartedPush,
    StartedPushes,
    node_of,
    push_progress,
)
from parabola.services.errands import Errands, Handler
from parabola.services.jobs.cron_jobs import check_crons, update_crons
from parabola.values.analyzed_modules import AnalyzedModule
from parabola.values.errors import BadRequest, Conflict, ParabolaError

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction
    from parabola.functions.activation import Activation
    from parabola.functions.engine import FunctionRunner
    from parabola.functions.processes.host_set import HostSet

__all__ = ["DeployService", "SchemaProgress", "StartedPush"]

ATTEMPTS: Final = 5
"""How often `push` begins again when another push got in between."""

_log: Final = logging.getLogger(__name__)


class _AnalysedPush(NamedTuple):
    deployment: Deployment
    hosts: HostSet
    definitions: Mapping[str, EvaluatedDefinition]
    pushed: Mapping[str, EvaluatedDefinition]
    tree: ComponentTree


class DeployService:
    """Takes pushes."""

    def __init__(
        self,
        database: Database,
        runner: FunctionRunner,
        activation: Activation,
        node_packages: NodePackages,
        errands: Errands,
    ) -> None:
        self._errands = errands
        self._database = database
        self._runner = runner
        self._activation = activation
        self._node_packages = node_packages
        self._pushes = StartedPushes(database)
        self._known = KnownAnalyses()
        self._one_at_a_time = asyncio.Lock()
        self._cleaning: set[asyncio.Task[None]] = set()
        self.on_pushed: Callable[[PushResult, str | None], None] | None = None
        """Hears of every push that has taken effect, with its note."""

    def start(self) -> None:
        """Remove npm packages that nothing uses: now, and whenever a deployment has been replaced."""
        self._activation.on_retired = self._remove_packages
        self._remove_packages()

    def serve_step(self, kind: str, step: Handler) -> None:
        """Has `step` do what clients ask for, at whichever node, about a push that was begun here."""
        self._errands.register(kind, step)

    async def ask(self, kind: str, token: str, **arguments: Any) -> Mapping[str, Any]:
        """What a step answers, with these arguments and the `token`, at the node that has begun the push.

        Raises what that raises, and `Conflict` when the push is not under way any more.
        """
        node = node_of(token)
        if node not in self._database.members.present:
            raise Conflict("This push is not under way any more. Push again.", code="UnknownPush")
        return await self._errands.ask(node, kind, {"token": token, **arguments})

    async def push(self, push: Push) -> PushResult:
        """All three steps. A second call waits for the first; its outcome is then its own.

        Raises `BadRequest` with the author's file and line, or with the document that breaks the schema. A
        caller that is cancelled before the third step has changed nothing.
        """
        async with self._one_at_a_time:
            for attempt in range(1, ATTEMPTS + 1):
                started = await self.start_push(push)
                try:
                    while (progress := await self.wait_for_schema(started.token)).state == "inProgress":
                        pass
                    if progress.state == "failed":
                        where = f" in the component {progress.component_path}" * bool(progress.component_path)
                        raise BadRequest(
                            f"Schema validation failed{where}.\n{progress.error}",
                            code="SchemaValidationFailed",
                        )
                    if progress.state == "raceDetected":
                        raise RaceDetected(
                            "Another push replaced this one's schema before it was done. Push again."
                        )
                    return await _to_its_end(self.finish_push(started.token, message=push.message))
                except RaceDetected:
                    if attempt == ATTEMPTS:
                        raise
                finally:
                    await self._pushes.give_up(started.token)()
            raise AssertionError("unreachable")

    async def start_push(self, push: Push) -> StartedPush:
        """Analyse and submit. Raises `LoadFailure`, `BadRequest` or `Conflict`; then nothing has changed."""
        base = self._runner.active.deployment
        deployment, hosts, definitions, pushed, tree = await self._analyse(base, push)
        try:
            if push.large_table is not None:
                from parabola.services.deploys.large_indexes import refuse_large_indexes  # few pushes ask

                evaluation = await schema_evaluation(self._database, deployment.schema)
                refuse_large_indexes(evaluation, push.large_table)
            async with self._pushes.submitting:
                schemas = await self._submit(deployment, tree, push.node_dependencies)
                node = self._database.members.incarnation
                started = StartedPush(push, base, deployment, hosts, schemas, tree, definitions, pushed, node)
                self._pushes.add(started)
        except BaseException:
            await hosts.close()
            raise
        for id, submitted in schemas.items():
            if submitted.row_id is not None:
                validation = validate_schema(self._database, submitted.row_id, id)
                started.validations.append(asyncio.create_task(validation))
        return started

    async def evaluate_push(self, push: Push) -> PushResult:
        """What a push would change, found out without writing anything. Raises what `start_push` raises."""
        base = self._runner.active.deployment
        deployment, hosts, definitions, pushed, _ = await self._analyse(base, push)
        await hosts.close()
        registry = self._database.registry
        active = registry.active_schema()
        return PushResult(
            modules=ModuleDiff.between(base.modules, deployment.modules),
            indexes=index_changes(registry, deployment.schema).diff(registry),
            deployment=deployment,
            previous_schema=None if active is None else active.text,
            next_schema=schema_text(deployment.schema),
            definitions=definitions,
            pushed=pushed,
        )

    async def evaluate_schema(self, push: Push) -> dict[str, Any]:
        """What a push would ask of the tables and indexes (deploy-api 6.6); nothing is written.

        `npx convex dev` asks at every save, so nothing but the schema is looked at.
        """
        base = self._runner.active.deployment
        modules = combine(base, push)
        path = LANGUAGES[push.language].schema_module
        module = modules.get(path)
        if module is None:
            schema = base.schema if any(other.startswith("schema.") for other in modules) else None
        elif (deployed := base.modules.get(path)) is not None and deployed.sha256 == module.sha256:
            schema = base.schema
        else:
            candidate = Deployment(modules={path: module}, env=base.env, pushed_at_ms=self._database.now_ms())
            try:
                hosts = await self._activation.prepare(candidate)
                try:
                    schema = await analyze_schema(hosts, module)
                finally:
                    await hosts.close()
            except LoadFailure as failure:
                raise with_position(failure) from None
        return await schema_evaluation(self._database, schema)

    async def _analyse(self, base: Deployment, push: Push) -> _AnalysedPush:
        """The deployment that a push asks for, hosts that have loaded it, its definitions and components."""
        modules = combine(base, push)
        kept = kept_definitions(base, push.language)
        candidate = Deployment(
            modules=modules,
            env=base.env,
            auth_providers=base.auth_providers,
            pushed_at_ms=self._database.now_ms(),
            node_packages=base.node_packages if push.language == "python" else None,
            brought=brought_code(kept) | push.code(),
        )
        async with self._node_packages.held(push.node_dependencies) as packages:
            if packages is not None:
                candidate = replace(candidate, node_packages=packages)
            try:
                hosts = await self._activation.prepare(candidate)
            except LoadFailure as failure:
                raise with_position(failure) from None
        try:
            analysed = await analyze(hosts, candidate, push.language, self._known)
            deployment = self._assemble(base, candidate, analysed)
            check_crons(deployment.app.definition)
            pushed = await analyze_definitions(
                hosts, candidate, push.definitions, self._activation.prepare, self._known
            )
            definitions = combined_definitions(kept, pushed, deployment.analyzed_modules)
            check_definitions(definitions, for_codegen=push.for_codegen)
            app = definitions.get("")
            tree = component_tree(base, definitions, self._database.now_ms())
            if not definitions and push.language == "python" and not base.declared:
                # Whose components they are was not written down by earlier versions.
                tree = ComponentTree(base.components, base.mounts, base.children, {})
            for definition in tree.definitions():
                check_crons(definition)
            deployment = replace(
                tree.put_into(deployment),
                http_prefix=http_prefix(None if app is None else app.shape.http_prefix),
                declared=declared_by(base, push.language, pushed),
                brought=brought_code(definitions),
            )
        except LoadFailure as failure:
            await hosts.close()
            raise with_position(failure) from None
        except BaseException:
            await hosts.close()
            raise
        hosts.deployment = deployment
        return _AnalysedPush(deployment, hosts, definitions, pushed, tree)

    async def wait_for_schema(self, token: str, patience: float = 10.0) -> SchemaProgress:
        """Wait until the second step is over, for at most `patience` seconds; how far it is, by the paths of
        components. What has failed comes alone.

        Raises `Conflict` when the push is not under way any more.
        """
        started = self._pushes.find(token)
        deadline = time.monotonic() + patience
        changed = asyncio.Event()
        stop = self._database.on_commit(lambda _writes, _ts: changed.set())
        try:
            while True:
                changed.clear()
                progress = await push_progress(self._database, started)
                remaining = deadline - time.monotonic()
                if progress.state != "inProgress" or remaining <= 0:
                    return progress
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(remaining):
                        await changed.wait()
        finally:
            stop()

    async def finish_push(
        self, token: str, *, dry_run: bool | None = None, message: str | None = None
    ) -> PushResult:
        """Switch. `message` is kept with the push. Raises `RaceDetected` when something got in between, and
        `Conflict` when the push is not under way any more; then nothing has changed.
        """
        check_message(message)
        started = self._pushes.find(token)
        result = started.result()
        if dry_run or (dry_run is None and started.push.dry_run):
            await self._pushes.give_up(token)()
            return result
        base = started.base
        check_variables(started.definitions, base.env, started.push.language)

        async def write(tx: Transaction) -> None:
            if self._runner.active.deployment.id != base.id:
                raise RaceDetected("Another push or a change of the environment came in between. Push again.")
            now_ts = self._database.now_ts()
            for id, submitted in started.schemas.items():
                await activate_schema(tx.view(id), submitted)
            for component in (started.deployment.app, *started.tree.in_order()):
                await update_crons(tx.view(component.id), component.definition, now_ts)
            for component in started.tree.unmounted():
                await update_crons(tx.view(component.id), component.definition, now_ts)
            await forget_packages(tx, started.deployment.node_packages)
            await record_push(tx, result, message)

        await self._activation.activate(started.deployment, started.hosts, write)
        self._pushes.remove(token)
        if self.on_pushed is not None:
            self.on_pushed(result, message)
        return result

    async def change_environment(self, changes: dict[str, str | None]) -> None:
        """Set environment variables, or remove those whose value is `None`.

        Auth config files are evaluated anew. Raises `BadRequest` for what cannot be set, and `LoadFailure`
        when a module cannot do with it, auth config files among them; then nothing has changed.
        """
        check_changes(self._runner.active.deployment.env, changes)
        try:
            await self._activation.change_environment(changes, analyze_auth)
        except LoadFailure as failure:
            raise with_position(failure) from None

    async def refresh_auth_providers(self) -> None:
        """Evaluate auth config files with the addresses that the server has now: a deployment that signs
        people in by itself names `CONVEX_SITE_URL` there.
        """
        active = self._runner.active
        try:
            providers = await analyze_auth(active.hosts, active.deployment)
            if providers != list(active.deployment.auth_providers):
                await self._activation.change_environment({}, analyze_auth)
        except ParabolaError as error:
            _log.warning("The auth config goes on as it was, since it cannot be evaluated: %s", error.message)

    async def close(self) -> None:
        """Give up every push under way."""
        await self._pushes.close()
        await asyncio.gather(*self._cleaning, return_exceptions=True)

    def _remove_packages(self) -> None:
        async def remove() -> None:
            try:
                await self._node_packages.remove_unused(self._activation.packages_in_use)
            except OSError as error:
                _log.warning("npm packages that nothing uses could not be removed: %s", error)

        task = asyncio.get_running_loop().create_task(remove())
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)

    def _assemble(self, base: Deployment, candidate: Deployment, analysed: AnalyzedModules) -> Deployment:
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
            auth_providers=analysed.auth_providers,
            id=candidate.id,
            pushed_at_ms=candidate.pushed_at_ms,
            node_packages=candidate.node_packages,
        )

    async def _submit(
        self, deployment: Deployment, tree: ComponentTree, packages: Packages
    ) -> dict[str, SubmittedSchema]:
        """Make the namespaces of new components, and every schema pending in its own; write down which npm
        packages other nodes need.
        """
        database = self._database

        async def submit(tx: Transaction) -> dict[str, SubmittedSchema]:
            for component in tree.created:
                tx.create_component(component.id)
            if packages and deployment.node_packages is not None:
                await store_packages(tx, deployment.node_packages, packages)
            return {
                component.id: await submit_schema(
                    tx.view(component.id), database, component.definition.schema
                )
                for component in (deployment.app, *tree.in_order())
            }

        return await database.transact(submit, source="push")


async def _to_its_end(switching: Coroutine[Any, Any, PushResult]) -> PushResult:
    """Switch, whole or not at all: a caller that is cancelled meanwhile waits until it is done."""
    task = asyncio.ensure_future(switching)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _with_analysis(module: Module, analysed: AnalyzedModule) -> Module:
    return Module(module.path, module.runtime, module.source, module.source_map, module.sha256, analysed)
