"""The object that composes the rest: the only thing the server and the command line know."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from parabola._version import __version__
from parabola.foundation import PACKAGES_FOLDER, BackendConfig, Foundation, open_database
from parabola.functions.calls.audit_log import AuditLog
from parabola.functions.calls.calling import Call, RequestContext, component_at, resolve
from parabola.functions.calls.refusals import CallRefused
from parabola.functions.calls.running_calls import RunningCalls
from parabola.functions.calls.session_requests import SessionRequest
from parabola.functions.calls.successor import Successor
from parabola.functions.deployed.deployment import Deployment
from parabola.functions.deployed.identity import SYSTEM_IDENTITY, Identity
from parabola.functions.http.http_actions import (
    HttpActionRequest,
    HttpExecution,
    ResponseSink,
    run_http_action,
)
from parabola.functions.http.http_routing import HttpRoute
from parabola.functions.inline_query import InlineQueries
from parabola.functions.outcomes.execution_history import ExecutionHistory, LogSearch
from parabola.functions.outcomes.execution_log import ExecutionLog
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.queries.live_query import LiveQuery
from parabola.functions.syscalls.table import SyscallTable
from parabola.host_programs import repl_modules
from parabola.node_log import NodeConfig, open_node_log
from parabola.services.administration import Administration
from parabola.services.archives.exports import Exports
from parabola.services.audit_retention import AuditRetention
from parabola.services.deploys.deploy import DeployService
from parabola.services.deploys.push import Push, PushResult
from parabola.services.deploys.staged_validation import StagedValidation
from parabola.services.errands import Errands
from parabola.services.files.file_owner import owner_of_files
from parabola.services.files.file_places import file_store
from parabola.services.files.files import Files
from parabola.services.files.upload_limits import UploadLimits
from parabola.services.files.upload_tokens import UploadTokens
from parabola.services.followed_log import FollowedLog
from parabola.services.freshness import Freshness
from parabola.services.idle_memory import IdleMemory
from parabola.services.imports.imports import Imports
from parabola.services.jobs.crons import Crons
from parabola.services.jobs.scheduler import Scheduler
from parabola.services.log_streams.first_stream import FirstStream, stream_gauges
from parabola.services.moves import Moves, NewRole, RoleChanged
from parabola.services.node_list import NodeList
from parabola.services.observability.observations import Observations
from parabola.services.session_results import SessionResults
from parabola.services.sign_in.auth import TokenVerifier
from parabola.services.sign_in.auth_providers import parse_auth_providers
from parabola.services.sign_in.key_sets import DocumentCache
from parabola.services.sign_in.known_admin_keys import AdminKeys
from parabola.services.sign_in.signing_keys import SigningKeys
from parabola.services.threads import imported, in_thread
from parabola.values.errors import BadRequest, ParabolaError

__all__ = ["LOOK_SECONDS", "PACKAGES_FOLDER", "Backend", "BackendConfig", "open_database"]

if TYPE_CHECKING:
    from parabola.database.commits.write_set import WriteSet
    from parabola.database.shared_log.log import SharedLog
    from parabola.services.backups.kept_backups import KeptBackups
    from parabola.services.log_streams.log_streams import LogStreams

LOOK_SECONDS: Final = 1.0
"""Between two looks for the files of the data directory."""
LOG_FOLDER: Final = "logs"
EVENTS_FOLDER: Final = "events"


class Backend:
    """A running deployment: its database, its functions, its services."""

    def __init__(
        self,
        config: BackendConfig,
        foundation: Foundation,
        admin_keys: AdminKeys,
        file_owner: str,
    ) -> None:
        directory, database = foundation.directory, foundation.database
        activation, runner = foundation.activation, foundation.runner
        self.admin_keys = admin_keys
        self.config = config
        self.directory = directory
        """Where the data is."""
        self.database = database
        self.activation = activation
        self.runner = runner
        self.query_cache = runner.query_cache
        self.freshness = Freshness(database)
        self.node_list = NodeList(database, self.freshness)
        self.moves = Moves(database, self._open_log, config.file_storage)
        settings = config.services
        self.errands = Errands(database)
        self.followed_log = FollowedLog(database, runner.log, self.errands)
        self.deploys = DeployService(database, runner, activation, foundation.packages, self.errands)
        self.staged_validation = StagedValidation(database)
        self.scheduler = Scheduler(runner, settings)
        self.crons = Crons(runner, settings)
        self.session_results = SessionResults(database, settings)
        self.audit_retention = AuditRetention(database, settings)
        self.idle_memory = IdleMemory(database, self.query_cache)
        self.observations = Observations(runner)
        self._first_stream = FirstStream(
            runner, config.instance_name, settings.event_files or directory / EVENTS_FOLDER
        )
        self.observations.gauges += stream_gauges(self._first_stream)
        secret = bytes.fromhex(config.instance_secret)
        self.files = Files(
            database,
            file_store(config.file_storage, directory / "files", file_owner),
            UploadTokens(
                config.instance_name,
                secret,
                lambda: database.now_ts() / 1e9,
                settings.upload_url_seconds,
            ),
            config.cloud_url,
            directory / "uploads",
            UploadLimits(directory, settings.max_file_bytes, settings.min_free_bytes),
            config.files_origin,
        )
        self.files.on_sent = self._first_stream.note_download
        self.imports = Imports(
            database,
            directory / "imports",
            lambda: self.files,
            settings,
            activation.change_components,
            self.files.passed,
        )
        self.administration = Administration(database, activation)
        self.exports = Exports(
            database, directory / "exports", lambda: self.files, settings, self.files.passed
        )
        self.inline_queries = InlineQueries(
            runner, replace(config.hosts, settings=config.functions), runner.instance, repl_modules
        )
        self.signing_keys = SigningKeys(database, config.cloud_url)
        documents = DocumentCache(own={self.signing_keys.address: self.signing_keys.key_set})
        self._tokens = TokenVerifier(
            documents, lambda: database.now_ts() / 1e9, redacted=config.redact_logs_to_client
        )
        self.backups: KeptBackups | None = None
        """What makes backups of this server, where it is told to."""
        self._history: ExecutionHistory | None = None
        self._closing = AsyncExitStack()

    @classmethod
    async def open(cls, config: BackendConfig, foundation: Foundation | None = None) -> Backend:
        """Open the data directory, load what is deployed, start the hosts: on a `foundation` that was opened
        with this configuration, if there is one. It is closed with the backend, and when this fails.

        Raises `DataDirectoryLocked` when another server has the directory, `UnusableData` when it cannot be
        read.
        """
        async with AsyncExitStack() as stack:
            if foundation is None:
                foundation = await Foundation.open(config)
            stack.push_async_callback(foundation.close)
            directory, database, runner = foundation.directory, foundation.database, foundation.runner
            keys = AdminKeys(database, config.instance_name, config.instance_secret)
            await keys.open()
            stack.push_async_callback(keys.close)
            secret = bytes.fromhex(config.instance_secret)
            owner = "" if config.file_storage is None else await owner_of_files(database, secret)
            history = None
            if config.data_dir is not None and config.functions.log_history_bytes:
                history = ExecutionHistory(directory / LOG_FOLDER, config.functions.log_history_bytes)
                stack.callback(history.close)
                runner.log.restore(history.recent(config.functions.log_entries))
                runner.log.listen(history.add)
            if database.is_shared:
                runner.log.number_from(int(database.members.incarnation[:6], 16) << 40)
            backend = cls(config, foundation, keys, owner)
            backend._history = history
            if database.shared_log is not None:
                await backend.files.check_common_place(database.shared_log.settle)
            backend.followed_log.serve_search(backend._search_own_log)
            backend.followed_log.start()
            stack.push_async_callback(backend.followed_log.close)
            backend.errands.start()
            stack.push_async_callback(backend.errands.close)
            backend.deploys.start()
            stack.push_async_callback(backend.deploys.close)
            backend.staged_validation.start()
            stack.push_async_callback(backend.staged_validation.close)
            await backend.deploys.refresh_auth_providers()
            backend.files.register(runner.syscalls)
            backend.files.start()
            stack.push_async_callback(backend.files.close)
            backend.signing_keys.register(runner.syscalls)
            backend.scheduler.register(runner.syscalls)
            await backend.scheduler.start()
            stack.push_async_callback(backend.scheduler.close)
            await backend.crons.start()
            stack.push_async_callback(backend.crons.close)
            backend.session_results.start()
            stack.push_async_callback(backend.session_results.close)
            backend.audit_retention.start()
            stack.push_async_callback(backend.audit_retention.close)
            backend.observations.start()
            stack.push_async_callback(backend.observations.close)
            await backend._first_stream.start()
            stack.push_async_callback(backend._first_stream.close)
            if config.services.open_telemetry:
                await backend._tell_traces(stack)
            if config.services.backup_to is not None:
                await backend._keep_backups(stack)
            backend.idle_memory.start()
            stack.push_async_callback(backend.idle_memory.close)
            await backend.imports.open()
            stack.push_async_callback(backend.imports.close)
            await backend.exports.open()
            stack.push_async_callback(backend.exports.close)
            stack.push_async_callback(backend.moves.close)
            backend._closing = stack.pop_all()
            return backend

    async def _open_log(self, role: NewRole) -> SharedLog:
        config = self.config
        node = NodeConfig.of(role.database, role.node, role.file_storage or config.file_storage)
        if node is None:
            raise BadRequest("Give the address of the shared log.", code="InvalidDatabaseAddress")
        secret = bytes.fromhex(config.instance_secret)
        return await open_node_log(node, config.instance_name, secret, config.clock)

    async def _keep_backups(self, stack: AsyncExitStack) -> None:
        """Make backups until the backend is closed."""
        await imported("parabola.services.backups.kept_backups")
        from parabola.services.backups.kept_backups import KeptBackups

        files = partial(file_store, self.config.file_storage, self.directory / "files")
        self.backups = KeptBackups(self.database, self.directory, files, self.config.services)
        self.backups.start()
        stack.push_async_callback(self.backups.close)
        self.observations.gauges += self.backups.gauges()

    async def _tell_traces(self, stack: AsyncExitStack) -> None:
        """Tell traces and logs by OpenTelemetry until the backend is closed."""
        await imported("parabola.services.observability.open_telemetry")
        from parabola.services.observability.open_telemetry import OpenTelemetry, is_disabled, trace_gauges

        if is_disabled():
            return
        node = self.config.node
        name = self.config.instance_name
        known = {
            "service.version": __version__,
            "service.instance.id": name if node is None else f"{name}-{node.name}",
        }
        telling = await in_thread(OpenTelemetry, self.runner.log, self.database.now_ts, known)
        stack.push_async_callback(in_thread, telling.close)
        self.runner.tracer = telling
        self.observations.gauges += trace_gauges(telling)

    async def close(self) -> None:
        """End the hosts and close the data. What was acknowledged is on disk anyway."""
        await self._closing.aclose()

    # The end

    async def until_data_is_lost(self) -> None:
        """Returns never. Raises `DataDirectoryLost` soon after the data directory was deleted or replaced,
        and `ReplicaLost` at once when the copy of the data is not what the shared log says: then it is to be
        opened again; and `RoleChanged`.
        """
        lost = asyncio.Event()
        end = self.freshness.on_change(lost.set)
        self.moves.changed.add_done_callback(lambda _: lost.set())
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await lost.wait()
                lost.clear()
                if self.moves.changed.done():
                    raise RoleChanged(self.moves.changed.result())
                if self.database.fault is not None:
                    raise self.database.fault
                await self.database.persistence.look_for_files()
        finally:
            end()

    @property
    def running(self) -> RunningCalls:
        """The calls that run now."""
        return self.runner.running

    def hold_jobs(self) -> None:
        """Begin no more scheduled functions and crons."""
        self.scheduler.hold()
        self.crons.hold()
        self._leaving = asyncio.create_task(self._leave())

    async def _leave(self) -> None:
        with contextlib.suppress(ParabolaError):
            await self.database.members.leave()

    async def jobs_idle(self) -> None:
        """Returns when none of these runs."""
        await self.scheduler.idle()
        await self.crons.idle()

    # What is deployed

    async def deploy(self, push: Push) -> PushResult:
        """Switch to the modules of a push, or raise and change nothing. One push at a time; others wait."""
        return await self.deploys.push(push)

    @property
    def log_streams(self) -> LogStreams:
        """Where what happens is sent."""
        return self._first_stream.streams

    async def change_environment(self, changes: dict[str, str | None]) -> None:
        """Set environment variables, or remove those whose value is `None`. Raises `BadRequest`."""
        await self.deploys.change_environment(changes)

    async def pause(self) -> None:
        """Run no function until `resume`."""
        await self.activation.pause()

    async def resume(self) -> None:
        """Run functions again. Raises `BadRequest` when the deployment is not paused."""
        await self.activation.resume()

    @property
    def deployment(self) -> Deployment:
        """What is deployed now."""
        return self.runner.active.deployment

    @property
    def canonical_urls(self) -> tuple[str, str]:
        """The public addresses of the API and of HTTP actions."""
        return self.config.cloud_url, self.config.site_url

    @property
    def log(self) -> ExecutionLog:
        """What ran lately."""
        return self.runner.log

    async def search_log(self, wanted: LogSearch) -> list[dict[str, Any]]:
        """Entries of the log, those of earlier servers on this data and of other nodes too, in their JSON
        form, oldest first.
        """
        return await self.followed_log.search(wanted, self._search_own_log)

    async def _search_own_log(self, wanted: LogSearch) -> list[dict[str, Any]]:
        found = [] if self._history is None else await asyncio.to_thread(self._history.search, wanted)
        known = {(entry["executionId"], entry["timestamp"]) for entry in found}
        for each in self.log.after(0.0):
            # Those that say nothing are in memory alone; the others too, where no files are kept.
            is_silent = not each.log_lines and each.error is None
            if self._history is None or (is_silent and wanted.request_id == each.request_id):
                entry = each.to_json()
                if wanted.finds(entry) and (entry["executionId"], entry["timestamp"]) not in known:
                    found.append(entry)
        return sorted(found, key=lambda entry: float(entry["timestamp"]))[-wanted.limit :]

    @property
    def audit(self) -> AuditLog:
        """What functions have written with `log.audit(...)`."""
        return self.runner.audit

    @property
    def syscalls(self) -> SyscallTable:
        """Where services register the operations they serve."""
        return self.runner.syscalls

    # Time

    @property
    def durable_ts(self) -> int:
        """The newest timestamp that may be shown to anyone."""
        return self.database.durable_ts

    def now_ts(self) -> int:
        """The wall clock in nanoseconds, the unit of timestamps."""
        return self.database.now_ts()

    def on_commit(self, callback: Callable[[WriteSet, int], None]) -> Callable[[], None]:
        """Call `callback(write_set, ts)` for every commit once it is durable, in the order of timestamps.

        Returns what ends it.
        """
        return self.database.on_commit(callback)

    # Functions

    def query(self, call: Call, *, ts: int | None = None) -> Coroutine[Any, Any, FunctionResult]:
        """Run a query at `ts`, or at the newest durable timestamp."""
        return self.query_cache.query(call, ts=ts)

    @property
    def has_room(self) -> bool:
        """Whether there is time for mutations whose turn has not come."""
        return self.runner.has_room

    def mutation(
        self,
        call: Call,
        *,
        session: SessionRequest | None = None,
        on_committing: Callable[[int], None] | None = None,
        successor: Successor | None = None,
    ) -> Coroutine[Any, Any, FunctionResult]:
        """Run a mutation; returns once it is durable. The same `session` takes effect once.

        `on_committing` hears the commit timestamp before anyone can see the commit. A `successor` is run as
        if it began after those that it succeeds, whose commits it sees before they are durable, and it is
        lost with them.
        """
        return self.runner.mutation(call, session=session, on_committing=on_committing, successor=successor)

    async def action(self, call: Call) -> FunctionResult:
        """Run an action, once."""
        return await self.runner.action(call)

    async def run_any(self, call: Call) -> FunctionResult:
        """Run a function of whatever kind."""
        component = component_at(self.deployment, call.component)
        try:
            spec = resolve(
                component,
                call.name,
                None,
                public_only=call.public_only,
                untyped=True,
                identity=call.identity,
            )
        except CallRefused as refusal:
            return FunctionResult(
                error=refusal.failure, ts=self.durable_ts, request_id=call.request.request_id
            )
        if spec.kind == "query":
            return await self.query(call)
        if spec.kind == "mutation":
            return await self.mutation(call)
        return await self.action(call)

    async def http_action(
        self,
        route: HttpRoute,
        request: HttpActionRequest,
        body: AsyncIterator[bytes] | None,
        sink: ResponseSink,
        identity: Identity | ParabolaError,
        context: RequestContext,
        on_start: Callable[[HttpExecution], None] | None = None,
    ) -> FunctionFailure | None:
        """Run the HTTP action of a route; see `parabola.functions.http.http_actions.run_http_action`."""
        return await run_http_action(self.runner, route, request, body, sink, identity, context, on_start)

    def live_query(
        self,
        call: Call,
        *,
        journal: str | None = None,
        on_invalid: Callable[[], None] | None = None,
        asks_again: bool = False,
    ) -> LiveQuery:
        """A subscription to a query; nothing runs before it is asked for a result. See `LiveQuery`."""
        return LiveQuery(
            self.query_cache, call, journal=journal, on_invalid=on_invalid, asks_again=asks_again
        )

    # Callers

    def check_admin_key(self, key: str) -> Identity:
        """The administrator behind a key that was not revoked. Raises `Unauthenticated` (code
        `BadAdminKey`).
        """
        claims = self.admin_keys.check(key)
        return (
            SYSTEM_IDENTITY
            if claims.is_system
            else Identity.admin(read_only=claims.is_read_only, name=claims.name)
        )

    async def authenticate(self, token: str) -> Identity:
        """The user a bearer token names, by the auth config of the deployment. Raises `Unauthenticated`, or
        `Overloaded` when the issuer of the token cannot be reached.
        """
        providers = parse_auth_providers({"providers": list(self.deployment.auth_providers)})
        return Identity.user((await self._tokens.verify(token, providers)).attributes)
