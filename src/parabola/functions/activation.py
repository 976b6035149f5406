"""From one deployment to the next: prepare hosts, commit the change, switch, let the old hosts finish."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

from msgspec.structs import replace

from parabola.database.upkeep.members import node_rows
from parabola.functions.deployed.component_rows import component_rows, components_of, remove_unrecorded
from parabola.functions.deployed.deployment import Deployment
from parabola.functions.deployed.deployment_events import record_event
from parabola.functions.deployed.deployment_store import (
    depend_on_code,
    load_deployment,
    load_environment,
    store_auth_providers,
    store_deployment,
    store_environment,
    touch_deployment,
)
from parabola.functions.deployed.function_handles import FunctionHandles, load_handles, update_handles
from parabola.functions.deployed.package_rows import Packages, find_packages
from parabola.functions.deployed.runtimes import RUNTIMES
from parabola.functions.deployed.stop_state import STOP_STATE, StopState, load_stop_state, store_stop_state
from parabola.functions.engine import Active, FunctionRunner
from parabola.functions.preparation import Preparation
from parabola.functions.processes.host_failures import LoadFailure
from parabola.functions.processes.host_set import HostConfig, HostSet
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.database.commits.turns import Turn
    from parabola.database.commits.write_set import WriteSet
    from parabola.database.database import Database
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction

CODE_TABLES: Final = frozenset(
    ("_modules", "_udf_config", "_environment_variables", "_component_definitions")
)
"""What hosts are made of."""
DEPLOYMENT_TABLES: Final = CODE_TABLES | {
    STOP_STATE,
    "_auth",
    "_components",
    "_function_handles",
    "_schemas",
}
"""What a deployment is read from."""

__all__ = ["Activation", "FindProviders", "Write"]

_log: Final = logging.getLogger(__name__)

T = TypeVar("T")
Write = Callable[["Transaction"], Awaitable[None]]
Install = Callable[[Packages], Awaitable[object]]
FindProviders = Callable[[HostSet, Deployment], Awaitable[Sequence[Mapping[str, Any]]]]


class Activation:
    """Puts deployments into service. One change at a time."""

    def __init__(
        self,
        database: Database,
        config: HostConfig,
        instance: Mapping[str, str],
        install: Install | None = None,
    ) -> None:
        """`install` puts npm packages, by names and versions, where hosts find them; it may raise
        `BadRequest`.
        """
        self._install = install
        self._database = database
        self._config = config
        self._instance = instance
        self._changing = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()
        self._runner: FunctionRunner | None = None
        self._made: list[HostSet] = []
        self._active_ts = 0
        self._opened = asyncio.Event()
        self._preparation = Preparation(database, self._prepare_for_others)
        self.on_retired: Callable[[], None] = lambda: None
        """Called whenever the hosts of a previous deployment have ended."""

    async def open(self, instance_name: str, instance_secret: bytes) -> FunctionRunner:
        """Start what the database says is deployed.

        Code that cannot be loaded (any more) does not keep the server from starting: its calls fail with the
        reason until something else is pushed.
        """
        await self._database.transact(self._remove_strays, source="start")
        self._database.follow(self._follow)
        transaction = self._database.begin()
        self._active_ts = transaction.begin_ts
        deployment = await load_deployment(transaction)
        handles = await load_handles(transaction)
        hosts = self._make(deployment)
        try:
            await self._have_packages(deployment, transaction)
            await hosts.start()
        except LoadFailure as failure:
            # Data, deploys and everything else can be served all the same.
            _log.error("What is deployed cannot be run here: %s", failure)
            hosts = self._failed(deployment, failure)
        hosts.warm_actions()
        self._runner = FunctionRunner(
            self._database,
            Active(deployment, hosts, handles),
            instance_name=instance_name,
            instance_secret=instance_secret,
            instance=self._instance,
            settings=self._config.settings,
        )
        self._opened.set()
        await self._preparation.open()
        return self._runner

    async def _remove_strays(self, tx: Transaction) -> None:
        """What a push has left whose server is gone; where others serve, one of theirs may be under way."""
        if {row.incarnation for row in await node_rows(tx)} <= {self._database.members.incarnation}:
            await remove_unrecorded(tx)

    async def prepare(self, deployment: Deployment) -> HostSet:
        """Hosts that have loaded a deployment's modules: ready to analyze them, and to be activated.

        Raises `LoadFailure`. Whoever does not activate them closes them.
        """
        hosts = self._make(deployment)
        await hosts.start()
        return hosts

    def packages_in_use(self) -> set[str]:
        """The sets of npm packages that a host may import from now: of this deployment, those before it that
        still run something, and pushes under way.
        """
        self._made = [hosts for hosts in self._made if not hosts.closed]
        return {name for hosts in self._made if (name := hosts.deployment.node_packages) is not None}

    async def activate(
        self,
        deployment: Deployment,
        hosts: HostSet,
        write: Write | None = None,
    ) -> int:
        """Make a deployment the current one; answers the commit's timestamp.

        Its rows are written here. `write` adds to the same transaction
        (schema, indexes, crons). It may be called several times, each time with a fresh transaction; if it
        raises, nothing has changed and the hosts are still the caller's.
        """

        async def store(transaction: Transaction) -> None:
            await store_deployment(transaction, deployment)

        async def change(transaction: Transaction) -> tuple[FunctionHandles, bool]:
            await depend_on_code(transaction)
            await store(transaction)
            handles = await update_handles(transaction, deployment)
            if write is not None:
                await write(transaction)
            return handles, (await load_stop_state(transaction)).is_paused

        async def switch(changed: tuple[FunctionHandles, bool], ts: int) -> None:
            handles, is_paused = changed
            self._switch(Active(replace(deployment, is_paused=is_paused), hosts, handles), ts)

        async with self._changing, self._preparation.shown(deployment, store):
            _, ts = await self._commit(change, switch, source="push")
        await self._preparation.until_taken_in()
        return ts

    def _switch(self, active: Active, ts: int) -> None:
        """What a commit has made current is so from here on, unless a newer commit is already."""
        runner = self._require_runner()
        if ts < self._active_ts:
            if active.hosts is not runner.active.hosts:
                self._retire(active.hosts)
            return
        self._active_ts = ts
        before = runner.activate(active)
        if before.hosts is not active.hosts:
            active.hosts.warm_actions()
            self._retire(before.hosts)

    async def _follow(self, writes: WriteSet, tx: Transaction) -> Callable[[], None] | None:
        """Another node has changed what is deployed: hosts are ready for that before anybody can see it."""
        changed = {change.table.name for change in writes.changes} & DEPLOYMENT_TABLES
        if not changed:
            return None
        await self._opened.wait()
        runner = self._require_runner()
        deployment, handles = await load_deployment(tx), await load_handles(tx)
        if "_udf_config" not in changed:
            # A push that began before says that something has come in between.
            deployment = replace(deployment, id=uuid4().hex)
        hosts = runner.active.hosts
        if changed & CODE_TABLES and STOP_STATE not in changed:
            hosts = self._preparation.take(deployment) or await self._started(deployment, tx)

        def switch() -> None:
            self._switch(Active(deployment, hosts, handles), writes.ts)
            self._database.members.tell_now()  # who has deployed it waits for that

        return switch

    async def _prepare_for_others(self, deployment: Deployment) -> HostSet:
        await self._have_packages(deployment, self._database.begin())
        return await self.prepare(deployment)

    async def _have_packages(self, deployment: Deployment, tx: Snapshot) -> None:
        """Install the npm packages of a deployment, where another node, or an earlier life of this one on
        another disk, has done so before. Raises `LoadFailure`.
        """
        folder, directory = deployment.node_packages, self._config.packages_directory
        if folder is None or directory is None or self._install is None or (directory / folder).is_dir():
            return
        packages = await find_packages(tx, folder)
        if packages is not None:
            try:
                await self._install(packages)
            except BadRequest as error:
                raise LoadFailure(error.message) from error

    async def _started(self, deployment: Deployment, tx: Snapshot) -> HostSet:
        hosts = self._make(deployment)
        try:
            await self._have_packages(deployment, tx)
            await hosts.start()
        except LoadFailure as failure:
            _log.error("What another node has deployed cannot be run here: %s", failure)
            return self._failed(deployment, failure)
        return hosts

    def _failed(self, deployment: Deployment, failure: LoadFailure) -> HostSet:
        hosts = HostSet.failed(self._config, deployment, failure)
        self._made.append(hosts)
        return hosts

    async def change_environment(
        self, changes: dict[str, str | None], find_providers: FindProviders | None = None
    ) -> int:
        """Set or remove environment variables. Hosts are started anew with them; only what read them is run
        again.

        `find_providers` asks the new hosts for the auth providers, which may depend on variables. If it or a
        module raises, nothing has changed.
        """
        async with self._changing:
            while True:
                try:
                    return await self._try_to_change_environment(changes, find_providers)
                except _Superseded:
                    continue  # another node has deployed something meanwhile

    async def _try_to_change_environment(
        self, changes: dict[str, str | None], find_providers: FindProviders | None
    ) -> int:
        runner = self._require_runner()
        base = runner.active
        env = dict(base.deployment.env)
        for name, value in changes.items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        deployment = base.deployment.with_env(env)
        hosts = await self.prepare(deployment)
        try:
            if find_providers is not None:
                providers = tuple(await find_providers(hosts, deployment))
                deployment = hosts.deployment = replace(deployment, auth_providers=providers)
            final = deployment

            async def store(transaction: Transaction) -> None:
                await store_environment(transaction, changes)
                await store_auth_providers(transaction, final)

            async def write(transaction: Transaction) -> None:
                await depend_on_code(transaction)
                if runner.active is not base:
                    raise _Superseded
                await store(transaction)
                for name, value in changes.items():
                    if (action := _variable_event(base.deployment.env.get(name), value)) is not None:
                        await record_event(transaction, action, variable_name=name)

            async def switch(_: None, ts: int) -> None:
                self._switch(Active(final, hosts, runner.handles), ts)

            async with self._preparation.shown(deployment, store):
                _, ts = await self._commit(write, switch, source="environment")
        except BaseException:
            await hosts.close()
            raise
        await self._preparation.until_taken_in()
        return ts

    async def change_components(self, write: Callable[[Transaction], Awaitable[T]]) -> T:
        """Add or remove rows of components that run no code: unmounted ones. Answers what `write` answers,
        which may be called several times. If it raises, nothing has changed.
        """

        async def switch(_: T, ts: int) -> None:
            active = self._require_runner().active
            rows = await component_rows(self._database.begin())
            found = components_of(rows, active.deployment.definitions)
            # A push that began before says that something has come in between.
            changed = replace(active.deployment, components=found, id=uuid4().hex)
            self._switch(Active(changed, active.hosts, active.handles), ts)

        async with self._changing:
            answer, _ = await self._commit(write, switch, source="components")
        return answer

    async def pause(self) -> None:
        """Run no function of the deployment until `resume`; it may be paused already."""
        await self._change_stop_state(StopState(user="paused"))

    async def resume(self) -> None:
        """Run functions again. Raises `BadRequest` (`UnpauseDeploymentFailed`) when it is not paused."""
        await self._change_stop_state(StopState())

    async def _change_stop_state(self, state: StopState) -> None:
        runner = self._require_runner()

        async def write(tx: Transaction) -> None:
            await depend_on_code(tx)
            before = await load_stop_state(tx)
            if before.name == state.name:
                if state.is_paused:
                    return
                raise BadRequest("Deployment is not currently paused.", code="UnpauseDeploymentFailed")
            await store_stop_state(tx, state)
            await touch_deployment(tx)
            event = {"old_state": before.name, "new_state": state.name}
            await record_event(tx, "change_deployment_state", **event)

        async def switch(_: None, ts: int) -> None:
            active = runner.active
            deployment = replace(active.deployment, is_paused=state.is_paused)
            self._switch(Active(deployment, active.hosts, active.handles), ts)

        async with self._changing:
            await self._commit(write, switch, source="administrator")

    async def _commit(
        self,
        write: Callable[[Transaction], Awaitable[T]],
        switch: Callable[[T, int], Awaitable[None]],
        source: str,
    ) -> tuple[T, int]:
        """Like `Database.transact_at`, and `switch` is called with the answer and the timestamp, while
        nothing begins to run.

        Between two attempts others begin: whoever has lost against another node waits for his turn, which is
        perhaps that of a mutation that waits to begin.
        """
        runner, database = self._require_runner(), self._database

        async def attempt(turn: Turn) -> tuple[T, int]:
            async with runner.switch():
                transaction = database.begin(writable=True)
                answer = await write(transaction)
                ts = await database.commit(
                    transaction, source=source, on_validated=lambda ts: turn.validated(transaction, ts)
                )
                await switch(answer, ts)
            return answer, ts

        return await database.contend(attempt)

    async def environment(self) -> dict[str, str]:
        """The variables as they are stored."""
        return await load_environment(self._database.begin())

    async def close(self) -> None:
        """End all hosts, retiring ones too."""
        await self._preparation.close()
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        if self._runner is not None:
            self._runner.close()
            await self._runner.active.hosts.close()

    def _require_runner(self) -> FunctionRunner:
        assert self._runner is not None, "open() comes first"
        return self._runner

    def _make(self, deployment: Deployment) -> HostSet:
        hosts = HostSet(self._config, deployment, self._instance)
        self._made = [made for made in self._made if not made.closed]
        self._made.append(hosts)
        return hosts

    def _retire(self, hosts: HostSet) -> None:
        async def retire() -> None:
            try:
                settings = self._config.settings
                longest = max(runtime.action_seconds(settings) for runtime in RUNTIMES.values())
                await hosts.close(drain=settings.drain_seconds, drain_actions=longest)
            except asyncio.CancelledError:
                await hosts.close()
                raise
            self.on_retired()

        task = asyncio.get_running_loop().create_task(retire())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


class _Superseded(Exception):
    """Another node has changed what is deployed since hosts were begun for a change here."""


def _variable_event(before: str | None, after: str | None) -> str | None:
    """What becomes of a variable, in the words of the audit log; None where nothing does."""
    if before == after:
        return None
    if before is None:
        return "create_environment_variable"
    return "delete_environment_variable" if after is None else "update_environment_variable"
