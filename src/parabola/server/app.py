"""The server as a whole: every API's routes on the main port, HTTP actions on the site port, start and stop.

A new API is one module with `routes(backend)` and one line in `APIS`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from aiohttp import web
from aiohttp.typedefs import Middleware

from parabola.functions.calls.running_calls import RunningCall
from parabola.server.api import health_api, key_set_api, plain_endpoints
from parabola.server.api.administration import (
    admin_keys_api,
    administration_api,
    archives_api,
    environment_api,
    log_streams_api,
    nodes_api,
    stop_state_api,
    usage_api,
)
from parabola.server.api.calls import http_actions, inline_query_api, public_api
from parabola.server.api.files import storage_api
from parabola.server.api.observation import audit_api, dashboard_pages, insight_api, log_api, metrics_api
from parabola.server.api.pushes import deploy_api, push_api
from parabola.server.http import cors
from parabola.server.http.carried import INTAKE, RULES
from parabola.server.http.connection import ConnectionRunner
from parabola.server.http.files_host import separate_files
from parabola.server.http.http_errors import answer_errors
from parabola.server.http.intake import Intake
from parabola.server.http.open_requests import OPEN_REQUESTS, OpenRequests
from parabola.server.http.public_files import serve_public
from parabola.server.http.rules import ServerRules
from parabola.server.http.slashes import collapse_slashes
from parabola.server.http.straight_way import STRAIGHT_WAY, StraightWay
from parabola.server.served_backend import Freshness
from parabola.server.shutdown import GOODBYE_SECONDS, shut_down
from parabola.server.sync.server import SyncServer

__all__ = [
    "APIS",
    "MAX_HEADER_BYTES",
    "SYNC_SERVER",
    "AppBackend",
    "Server",
    "create_app",
    "create_site",
    "serve",
]


class AppBackend(
    http_actions.ActingBackend,
    administration_api.AdministeredBackend,
    environment_api.ConfigurableBackend,
    deploy_api.DeployableBackend,
    push_api.PushedBackend,
    log_api.LoggingBackend,
    log_streams_api.StreamingBackend,
    metrics_api.ObservedBackend,
    insight_api.InsightfulBackend,
    inline_query_api.QueryingBackend,
    archives_api.SnapshotBackend,
    stop_state_api.PausableBackend,
    storage_api.StoringBackend,
    admin_keys_api.KeptKeysBackend,
    key_set_api.SigningBackend,
    nodes_api.MovedBackend,
    audit_api.AuditedBackend,
    Protocol,
):
    """All that the APIs together ask of a backend. That ours has it is checked where the two meet, in
    `parabola.cli.server.local_server`.
    """


APIS: Final[tuple[Callable[[AppBackend], list[web.RouteDef]], ...]] = (
    plain_endpoints.routes,
    health_api.routes,
    key_set_api.routes,
    public_api.routes,
    push_api.routes,
    deploy_api.routes,
    environment_api.routes,
    stop_state_api.routes,
    log_api.routes,
    log_streams_api.routes,
    metrics_api.routes,
    insight_api.routes,
    audit_api.routes,
    archives_api.routes,
    inline_query_api.routes,
    usage_api.routes,
    nodes_api.routes,
    admin_keys_api.routes,
    administration_api.routes,
    storage_api.routes,
    dashboard_pages.routes,
    http_actions.routes,
)
MAX_HEADER_BYTES: Final = 64 * 1024
"""One header line: tokens are accepted up to 32 KiB."""

SYNC_SERVER: Final = web.AppKey("sync_server", SyncServer)


def create_app(
    backend: AppBackend,
    public: Path | None = None,
    rules: ServerRules | None = None,
    intake: Intake | None = None,
    open_requests: OpenRequests | None = None,
) -> web.Application:
    """The main port: API, WebSocket, HTTP actions under `/http`, and the files of `public` if given.

    `intake` is the budget of what is being read; that and `open_requests` ports may share.
    """
    fresh = _catching_up(backend.freshness)
    app = web.Application(
        middlewares=[cors.answer_preflights, answer_errors, *fresh, collapse_slashes, separate_files]
    )
    _set_rules(app, rules, intake, open_requests)
    if public is not None:
        app.middlewares.append(serve_public(public))
    app.on_response_prepare.extend((cors.add_headers, http_actions.remove_added_headers))
    app[SYNC_SERVER] = sync = SyncServer(backend, app[RULES], app[INTAKE])
    app[STRAIGHT_WAY] = StraightWay(
        public_api.straight_calls(backend), app[RULES], app[INTAKE], app[OPEN_REQUESTS], backend.freshness
    )
    backend.observations.gauges += sync.gauges
    backend.admin_keys.on_revoked(sync.check_admins)
    app.add_routes([*sync.routes(), *(route for api in APIS for route in api(backend))])
    return app


def create_site(
    backend: http_actions.ActingBackend,
    rules: ServerRules | None = None,
    intake: Intake | None = None,
    open_requests: OpenRequests | None = None,
) -> web.Application:
    """The site port: HTTP actions and nothing else."""
    fresh = _catching_up(backend.freshness, everywhere=True)
    site = web.Application(middlewares=[answer_errors, *fresh])
    _set_rules(site, rules, intake, open_requests)
    site.on_response_prepare.append(http_actions.remove_added_headers)
    site.add_routes(http_actions.site_routes(backend))
    return site


def _catching_up(freshness: Freshness, *, everywhere: bool = False) -> list[Middleware]:
    """What lets requests wait on a node of several; nothing, not even its code, on a server that is alone."""
    if not freshness.is_shared:
        return []
    from parabola.server.http.fresh_answers import answer_fresh

    return [answer_fresh(freshness, everywhere=everywhere)]


def _set_rules(
    app: web.Application,
    rules: ServerRules | None,
    intake: Intake | None,
    open_requests: OpenRequests | None,
) -> None:
    app[OPEN_REQUESTS] = open_requests or OpenRequests()
    app.on_response_prepare.append(app[OPEN_REQUESTS].begun)
    app[RULES] = rules = rules or ServerRules()
    app[INTAKE] = intake or Intake(rules.request_memory, rules.body_seconds)


class Server:
    """A backend on its ports. Sockets that already listen may stand for the ports; port 0 takes any free
    one, and afterwards `port` and `site_port` say which. `site_port` None: no site port.
    """

    def __init__(
        self,
        backend: AppBackend,
        host: str = "127.0.0.1",
        port: int | socket.socket = 3210,
        site_port: int | socket.socket | None = 3211,
        public: Path | None = None,
        rules: ServerRules | None = None,
    ) -> None:
        self.port = port if isinstance(port, int) else 0
        self.site_port = site_port if isinstance(site_port, int) else 0
        self._host = host
        self._backend = backend
        self._where = port
        self._site_where = site_port
        self._public = public
        self.rules = rules or ServerRules()
        self.intake = Intake(self.rules.request_memory, self.rules.body_seconds)
        self._runners: list[web.AppRunner] = []
        self._open = OpenRequests()

    async def start(self) -> None:
        """Listen. Raises OSError when a port is not to be had, and then listens nowhere."""
        try:
            self.port = await self._listen(
                create_app(self._backend, self._public, self.rules, self.intake, self._open), self._where
            )
            if self._site_where is not None:
                self.site_port = await self._listen(
                    create_site(self._backend, self.rules, self.intake, self._open), self._site_where
                )
        except BaseException:
            await self.stop()
            raise

    async def stop(self, *, at_once: bool = False) -> list[RunningCall]:
        """Take no more requests, send the WebSocket clients away, and let what runs end, for as long as the
        rules say. Then cut the rest, of which the calls are answered: every client is told, in a way that
        makes none run an action twice. With `at_once` nothing is waited for.
        """
        runners, self._runners = self._runners, []
        sync = [runner.app[SYNC_SERVER] for runner in runners if SYNC_SERVER in runner.app]
        seconds = 0 if at_once else self.rules.shutdown_seconds
        return await shut_down(self._backend, runners, self._open, sync, seconds)

    async def _listen(self, app: web.Application, where: int | socket.socket) -> int:
        runner = ConnectionRunner(
            app,
            self.rules,
            access_log=None,
            auto_decompress=False,  # what may be compressed, and how far it may grow, is for each endpoint
            shutdown_timeout=GOODBYE_SECONDS,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        await runner.setup()
        self._runners.append(runner)
        if isinstance(where, int):
            await web.TCPSite(runner, self._host, where).start()
        else:
            await web.SockSite(runner, where).start()
        bound: int = runner.addresses[0][1]
        return bound


async def serve(
    backend: AppBackend,
    host: str = "127.0.0.1",
    port: int | socket.socket = 3210,
    site_port: int | socket.socket | None = 3211,
) -> None:
    """Serve until cancelled, then stop in good order."""
    server = Server(backend, host, port, site_port)
    await server.start()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await server.stop()
