"""A deployment served by this very process: what `serve` and `dev` have in common."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from parabola._version import __version__
from parabola.cli.instance import Instance, read_secret
from parabola.cli.options.server_options import ServerOptions
from parabola.cli.secret_files import read_secret_file
from parabola.cli.server.http_library import import_http_library
from parabola.cli.server.listening import listen, url_of
from parabola.cli.server.private_data import make_private
from parabola.cli.server.process_memory import collect_garbage_rarely, give_memory_back
from parabola.cli.server.sealing import seal_process
from parabola.cli.server.server_log import LogFormat, Say, begin_log
from parabola.cli.target import RunningServer
from parabola.services.threads import imported, in_thread
from parabola.values.errors import BadRequest, NotFound, ParabolaError

if TYPE_CHECKING:
    from parabola.backend import Backend
    from parabola.foundation import BackendConfig
    from parabola.functions.calls.running_calls import RunningCall
    from parabola.node_log import NodeConfig
    from parabola.server.http.rules import ServerRules
    from parabola.services.moves import NewRole

__all__ = ["LocalServer", "in_role", "is_lost_replica"]

_NAMED: Final = 8
"""Calls that are named where many may be told of."""


class LocalServer(Struct, frozen=True):
    """A server that takes requests."""

    backend: Backend
    url: str
    site_url: str
    options: ServerOptions
    told_to_end: asyncio.Future[None]
    port: int
    site_port: int

    @classmethod
    @asynccontextmanager
    async def running(
        cls, options: ServerOptions, say: Say, *, is_awaited: bool = False
    ) -> AsyncIterator[LocalServer]:
        """Take the ports, open the data, serve; at the end let what runs finish, then close the data. What
        happens is told to `say`. With `is_awaited` clients may come before it serves, and wait.

        Raises a `ParabolaError` that says what is in the way: a port, a data directory in use, a bad secret.
        """
        from parabola.database.model.errors import UnusableData
        from parabola.foundation import BackendConfig
        from parabola.server.http.rules import host_of

        seal_process()
        rules = _rules(options)
        if rules.files_host is not None and rules.files_host == host_of(options.cloud_origin or ""):
            raise BadRequest(
                "--files-origin must be another origin than --cloud-origin, so that files are kept apart.",
                code="InvalidFilesOrigin",
            )
        told_to_end = _listen_to_signals()
        begin_log(LogFormat(options.log_format))
        node = _node(options)
        at_once = node is None or is_awaited  # balancers bring elsewhere whom a node refuses while it begins
        listener = listen(options.host, options.port, "--port", at_once=at_once)
        try:
            site_listener = listen(options.host, options.site_port, "--site-port", at_once=at_once)
        except BaseException:
            listener.close()
            raise
        with listener, site_listener:
            url = options.cloud_origin or url_of(listener)
            site_url = options.site_origin or url_of(site_listener)
            try:
                put_right = make_private(options.data_dir)
                if put_right is not None:
                    say("permissions", put_right, "warning")
                secret = read_secret(options.instance_secret, options.instance_secret_file)
                if node is None:
                    instance = Instance.of(options.data_dir, options.instance_name, secret)
                else:
                    instance = _instance_of_node(options, secret)
                if options.file_storage_credentials is not None:
                    from parabola.cli.store_credentials import take_credentials

                    take_credentials(options.file_storage_credentials)
                backend = await _open(
                    BackendConfig(
                        data_dir=options.data_dir,
                        instance_name=instance.name,
                        instance_secret=instance.secret,
                        cloud_url=url,
                        site_url=site_url,
                        file_storage=options.file_storage,
                        redact_logs_to_client=options.redact_logs_to_client,
                        files_origin=options.files_origin,
                        database=options.database,
                        functions=options.functions,
                        services=options.services,
                        node=node,
                    )
                )
            except OSError as error:
                raise UnusableData(
                    f"The data directory {options.data_dir} cannot be used: {error.strerror or error}"
                    f"{f' ({error.filename})' if error.filename else ''}. "
                    "Make it a directory that this user may write to, or choose another one with --data."
                ) from None
            from parabola.server.app import Server
            from parabola.services.sign_in.admin_keys import make_signed_key

            collect_garbage_rarely()
            giving_back = asyncio.create_task(give_memory_back())
            watching = asyncio.create_task(_watch_data(backend, told_to_end))
            try:
                server = Server(backend, options.host, listener, site_listener, options.public, rules)
                await server.start()
                try:
                    key = make_signed_key(instance.name, instance.secret)
                    backend.admin_keys.own(key)
                    _leave_word(
                        RunningServer.of_this_process(url_of(listener), site_url, key), options.data_dir
                    )
                    yield cls(backend, url, site_url, options, told_to_end, server.port, server.site_port)
                finally:
                    is_lost = watching.done()
                    if is_lost and _is_to_go_on(told_to_end):
                        RunningServer.remove(options.data_dir)
                        say("stopping", "Closing everything, to begin anew.", "warning")
                    elif is_lost:  # what is there now is another server's
                        say("stopping", "Stopping at once: the data is gone.", "error")
                    else:
                        RunningServer.remove(options.data_dir)
                        _say_what_is_waited_for(backend.running.calls, rules.shutdown_seconds, say)
                    cut = await server.stop(at_once=is_lost)
                    if cut and not is_lost:
                        _say_what_was_cut(cut, say)
            finally:
                giving_back.cancel()
                watching.cancel()
                await backend.close()
            say("stopped", "Stopped.")

    def introduce(self) -> None:
        """Say where everything is."""
        from parabola.cli.console import console, note

        console.print(f"\n  [bold]Parabola[/bold] [dim]{__version__}[/dim]\n")
        note("Deployment", self.url)
        note("HTTP actions", self.site_url)
        if self.options.public is not None:
            note("Page", f"{self.url}/")
        note("Dashboard", f"{self.url}/dashboard")
        note("Data", str(self.options.data_dir))
        console.print()

    async def until_told_to_end(self) -> None:
        """Wait for Ctrl-C or a termination signal; one that came during the start counts. Raises
        `DataDirectoryLost`, and what `is_lost_replica` knows.
        """
        await asyncio.shield(self.told_to_end)


async def _open(config: BackendConfig) -> Backend:
    """The backend. Its hosts start in processes of their own while most of this one is still being imported:
    that waits until they have begun.

    Raises what `Backend.open` does.
    """
    from parabola.foundation import Foundation

    may_import = asyncio.Event()
    opening = asyncio.create_task(Foundation.open(config, may_import.set))
    opening.add_done_callback(lambda _: may_import.set())  # no host has begun, or it has failed
    try:
        await may_import.wait()
        if opening.done():
            opening.result()
        await in_thread(import_http_library)
        await imported("parabola.backend")
        await imported("parabola.server.app")
    except BaseException:
        with suppress(Exception):  # that of the opening may be the one that is raised
            await (await opening).close()
        raise
    from parabola.backend import Backend

    return await Backend.open(config, await opening)


def _rules(options: ServerOptions) -> ServerRules:
    """The server's part of the options. Raises `BadRequest` for what is no network or origin."""
    from parabola.server.http.rules import ServerRules, trusted_networks

    origin = options.files_origin
    return ServerRules(
        **vars(options.server),
        trusted_proxies=trusted_networks(tuple(options.trusted_proxies.split(","))),
        files_origin=None if origin is None else origin.rstrip("/"),
    )


def _node(options: ServerOptions) -> NodeConfig | None:
    """Which node of several the server is. Raises `BadRequest`."""
    from parabola.node_log import NodeConfig

    database = options.database_address
    if options.database_address_file is not None:
        if database is not None:
            raise BadRequest(
                "The address of the database is given twice, as it is and in a file. Give one of --database "
                "and --database-file, or of PARABOLA_DATABASE and PARABOLA_DATABASE_FILE.",
                code="InvalidDatabaseAddress",
            )
        database = read_secret_file(
            options.database_address_file, "address of the database", "InvalidDatabaseAddress"
        )
    return NodeConfig.of(database, options.node, options.file_storage)


def _instance_of_node(options: ServerOptions, secret: str | None) -> Instance:
    """Name and secret of the deployment, which all nodes have alike: so none makes a secret for itself."""
    try:
        return Instance.known(options.data_dir, options.instance_name, secret)
    except NotFound:
        raise BadRequest(
            "The nodes of a deployment have one instance secret: give it to each of them, with "
            "--instance-secret-file or INSTANCE_SECRET. Make one with: "
            "python -c 'import secrets; print(secrets.token_hex(32))'",
            code="NodeWithoutSecret",
        ) from None


async def _watch_data(backend: Backend, told_to_end: asyncio.Future[None]) -> None:
    """Ends the server when its data directory is gone."""
    try:
        await backend.until_data_is_lost()
    except ParabolaError as error:
        if not told_to_end.done():
            told_to_end.set_exception(error)


def is_lost_replica(error: BaseException) -> bool:
    """Whether a node has to begin anew from the log that it shares: a server that is started again does."""
    from parabola.database.shared_log.errors import ReplicaLost, UnreadableEntry

    return isinstance(error, ReplicaLost) and not isinstance(error, UnreadableEntry)


def in_role(options: ServerOptions, role: NewRole) -> ServerOptions:
    """The options of a server that goes on as another node, or alone."""
    return replace(
        options,
        database_address=role.database,
        database_address_file=None,
        node=role.node,
        file_storage=role.file_storage or options.file_storage,
    )


def _is_to_go_on(told_to_end: asyncio.Future[None]) -> bool:
    from parabola.services.moves import RoleChanged

    if not told_to_end.done() or told_to_end.cancelled():
        return False
    error = told_to_end.exception()
    return error is not None and (isinstance(error, RoleChanged) or is_lost_replica(error))


def _say_what_is_waited_for(calls: Sequence[RunningCall], seconds: float, say: Say) -> None:
    if not calls:
        say("stopping", "Stopping.")
        return
    patience = f"{seconds:g} second" if seconds == 1 else f"{seconds:g} seconds"
    say(
        "stopping",
        f"Stopping. {_counted(calls)} may go on for {patience}: {_names(calls)}. "
        "A second Ctrl-C or SIGTERM ends at once.",
        seconds=seconds,
        calls=[_fields(call) for call in calls],
    )


def _say_what_was_cut(calls: Sequence[RunningCall], say: Say) -> None:
    say(
        "cut",
        f"{_counted(calls)} took too long and {'was' if len(calls) == 1 else 'were'} cut: "
        f"{_names(calls, with_request=True)}. Give them longer with --shutdown-seconds.",
        "warning",
        calls=[_fields(call) for call in calls],
    )


def _counted(calls: Sequence[RunningCall]) -> str:
    return f"{len(calls)} call{'' if len(calls) == 1 else 's'}"


def _names(calls: Sequence[RunningCall], *, with_request: bool = False) -> str:
    shown = [
        f"{call.name} [Request ID: {call.request_id}]" if with_request else f"{call.kind} {call.name}"
        for call in calls[:_NAMED]
    ]
    rest = len(calls) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def _fields(call: RunningCall) -> dict[str, str]:
    return {"function": call.name, "kind": call.kind, "requestId": call.request_id}


def _leave_word(running: RunningServer, data_dir: Path) -> None:
    """For commands beside the server to find it, which goes on without: a full disk can still be read."""
    try:
        running.write(data_dir)
    except OSError as error:
        from parabola.cli.console import show_failure

        show_failure(
            f"{data_dir} takes no new file: {error.strerror or error}.",
            "Other commands do not find this server; name it with --url and --admin-key.",
        )


def _listen_to_signals() -> asyncio.Future[None]:
    """Done with the first signal. The second one ends the process without waiting for requests in flight."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        for which in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(which)
        if not told.done():
            told.set_result(None)

    for which in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(which, end)
    return told
