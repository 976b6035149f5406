"""A backend for one test: the functions of a folder, empty tables, calls that return values or raise."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import orjson

from parabola.authoring.http_messages import Headers
from parabola.authoring.integer_places import IntegerPlaces
from parabola.authoring.query_stream import decode_document
from parabola.authoring.references import function_name
from parabola.backend import Backend, BackendConfig
from parabola.database.store.scratch import Scratch
from parabola.functions.calls.arguments import EncodedArguments
from parabola.functions.calls.calling import Call
from parabola.functions.deployed.components import Component
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.function_path import parse_path
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.failures import MISSING, FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.processes.host_set import HostConfig
from parabola.functions.settings import FunctionSettings
from parabola.host_programs import isolate_command
from parabola.project import Project, ProjectError
from parabola.project_components import collect_components
from parabola.services.deploys.push import Push
from parabola.testing.clock import MovableClock
from parabola.testing.http_requests import Answer, request
from parabola.testing.in_process_host import InProcessHosts
from parabola.values.encoding import decode, encode, normalize
from parabola.values.errors import BadRequest, ConvexError, ParabolaError

__all__ = ["FunctionFailed", "InProcessBackend", "open_backend"]

_UNHURRIED: Final = FunctionSettings(system_seconds=86_400.0, action_seconds=86_400.0)
"""Somebody may be looking at a function through a debugger."""
ISSUER: Final = "https://parabola.test"
"""The issuer of test users."""


_ALL_AUDIT_LINES: Final = 100_000


class FunctionFailed(ParabolaError):
    """The function that was called raised something other than a `ConvexError`; the message tells where."""

    default_code = "FunctionFailed"


@asynccontextmanager
async def open_backend(
    functions: str | Path = "convex", *, env: Mapping[str, str] | None = None
) -> AsyncIterator[InProcessBackend]:
    """A backend with the functions and the schema of a folder, with the components that it uses, and with
    empty tables. Components in TypeScript need Node.js, and run in processes of their own.

    `env`: environment variables of the deployment. Raises a `ParabolaError` with file and line when the
    functions cannot be deployed.
    """
    folder, components, push = _read(functions)
    with Scratch("parabola-test-") as data_dir:
        clock = MovableClock()
        hosts = HostConfig(
            commands={"isolate": isolate_command},
            in_process=InProcessHosts(folder, components),
            settings=_UNHURRIED,
        )
        config = BackendConfig(data_dir=data_dir, hosts=hosts, clock=clock)
        backend = await Backend.open(config)
        try:
            if env:
                await backend.activation.change_environment(dict(env))
            await backend.deploy(push)
            yield InProcessBackend(backend, Identity.admin(), clock)
        finally:
            await backend.close()


class InProcessBackend:
    """Calls functions as one caller. A function is named by `"tasks:create"`, `api.tasks.create` or itself.

    Arguments are given as a dict or by name. Internal functions may be called too. What functions print goes
    to standard output.
    """

    def __init__(self, backend: Backend, identity: Identity, clock: MovableClock) -> None:
        self._backend = backend
        self._identity = identity
        self._clock = clock

    def as_user(self, subject: str, **claims: Any) -> InProcessBackend:
        """The same backend, called by a signed-in user. `claims` are further attributes: `name`, `email`,
        ...
        """
        issuer = claims.pop("issuer", ISSUER)
        attributes = {
            "issuer": issuer,
            "subject": subject,
            "tokenIdentifier": f"{issuer}|{subject}",
            **claims,
        }
        return InProcessBackend(self._backend, Identity.admin(attributes), self._clock)

    async def query(self, function: Any, args: Mapping[str, Any] | None = None, /, **named: Any) -> Any:
        """Run a query and return its value. Raises `ConvexError` or `FunctionFailed`."""
        return self._value(function, await self._backend.query(self._call(function, args, named)))

    async def mutation(self, function: Any, args: Mapping[str, Any] | None = None, /, **named: Any) -> Any:
        """Run a mutation and return its value once it is committed. Raises `ConvexError` or
        `FunctionFailed`.
        """
        return self._value(function, await self._backend.mutation(self._call(function, args, named)))

    async def action(self, function: Any, args: Mapping[str, Any] | None = None, /, **named: Any) -> Any:
        """Run an action and return its value. Raises `ConvexError` or `FunctionFailed`."""
        return self._value(function, await self._backend.action(self._call(function, args, named)))

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | str | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request to the HTTP actions of `http.py` and read the whole answer.

        `path` may have a query. Raises `ConvexError` or `FunctionFailed` when the action raises, which a
        client would see as status 500.
        """
        given = Headers(headers or {})
        if json is not None:
            body = orjson.dumps(json)
            if "content-type" not in given:
                given.pairs.append(("content-type", "application/json"))
        raw = body.encode() if isinstance(body, str) else body
        answer = await request(self._backend, method, path, raw, given, self._identity)
        if isinstance(answer, FunctionFailure):
            raise _failed(answer)
        return answer

    async def subscribe(
        self, function: Any, args: Mapping[str, Any] | None = None, /, **named: Any
    ) -> AsyncIterator[Any]:
        """The query's value now, and again after each change of what it read.

        Close the iterator (`aclose`) when it is no longer needed; the end of the backend closes it too.
        """
        changed = asyncio.Event()
        live = self._backend.live_query(self._call(function, args, named), on_invalid=changed.set)
        try:
            while True:
                changed.clear()
                yield self._value(function, await live.result_at(self._backend.durable_ts))
                await changed.wait()
        finally:
            live.close()

    async def settle(self) -> None:
        """Run what is due to its end: scheduled functions and crons, and what they schedule for at once."""
        await self._settle()

    async def advance(self, seconds: float | timedelta) -> None:
        """Move the clock ahead by `seconds` (at least 0); what becomes due on the way runs, each at its time.

        Functions see the moved time, actions too; what a job schedules for a time on the way is run as well.
        A cron that is due every minute runs sixty times in an hour.
        """
        ahead = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        if ahead < timedelta(0):
            raise ValueError(f"Time can only be moved ahead, not by {seconds!r}.")
        until = self._clock() + ahead // timedelta(microseconds=1) * 1000
        while (following := await self._settle()) is not None and following <= until:
            self._clock.move_to(following)
        self._clock.move_to(until)
        await self._settle()

    async def _settle(self) -> int | None:
        """Run what is due; when the next thing will be, in nanoseconds since 1970."""
        while True:
            before = self._backend.database.latest_ts
            following = [*await self._backend.scheduler.settle(), await self._backend.crons.settle()]
            if self._backend.database.latest_ts == before:  # nothing has happened meanwhile
                return min((ts for ts in following if ts is not None), default=None)

    async def insert(self, table: str, document: Mapping[str, Any], *, component: str = "") -> str:
        """Put a document into a table, past all functions but not past the schema; its id. `component`: the
        path of the component whose table it is, such as `"mailer"`.
        """
        value = normalize(dict(document))
        assert isinstance(value, dict)
        id = self._component(component).id
        return await self._backend.database.transact(
            lambda tx: tx.view(id).insert(table, value), source="test"
        )

    async def documents(self, table: str, *, component: str = "") -> list[dict[str, Any]]:
        """All documents of a table of the app, or of the component at a path, oldest first."""
        source = {"type": "FullTableScan", "tableName": table, "order": "asc"}
        mounted = self._component(component)
        view = self._backend.database.begin().view(mounted.id)
        stream = view.query({"source": source, "operators": []})
        integers = self._integer_places.in_documents(table)
        if component:
            integers = IntegerPlaces(mounted.definition.schema, {}).in_documents(table)
        return [decode_document(orjson.loads(document.raw), integers) for document in await stream.collect()]

    def _component(self, path: str) -> Component:
        component = self._backend.deployment.component_at(path)
        if component is None:
            there = ", ".join(sorted(each.path for each in self._backend.deployment.components.values()))
            raise BadRequest(f"There is no component at {path!r}. There are: {there or 'none'}.")
        return component

    @cached_property
    def _integer_places(self) -> IntegerPlaces:
        deployment = self._backend.deployment
        return IntegerPlaces(deployment.schema, deployment.functions)

    async def audit_lines(self) -> list[dict[str, Any]]:
        """What functions wrote with `ctx.audit(...)`, oldest first: `body`, `function`, `status`, ..."""
        await self._backend.audit.settle()
        return [row.to_json() for row in await self._backend.audit.newest(_ALL_AUDIT_LINES)]

    def _call(self, function: Any, args: Mapping[str, Any] | None, named: Mapping[str, Any]) -> Call:
        encoded = encode(normalize({**(args or {}), **named}))
        assert isinstance(encoded, dict)
        return Call.of_client(function_name(function), EncodedArguments(encoded), self._identity)

    def _value(self, function: Any, result: FunctionResult) -> Any:
        """What a function of Python would get from the same call."""
        for line in result.log_lines:
            print(line, file=sys.stdout)
        if result.error is not None:
            raise _failed(result.error)
        integers = self._integer_places.in_results(parse_path(function_name(function)).canonical)
        return result.value if integers is None else integers(result.value)


def _read(functions: str | Path) -> tuple[Path, Mapping[str, Path], Push]:
    folder = Path(functions).resolve()
    if not folder.is_dir():
        raise ProjectError(f"There are no functions to test: {folder} is not a directory.")
    project = Project(folder.parent, folder)
    files = [*project.python_modules(), *project.data_files().files]
    components = collect_components(project)
    push = Push(
        "python",
        tuple(Module(file.path, "python", file.source) for file in files),
        definitions=components.pushed(),
    )
    return folder, components.folders, push


def _failed(error: FunctionFailure) -> ParabolaError:
    if error.data is not MISSING:
        return ConvexError(decode(error.data), error.message)
    return FunctionFailed(error.text().rstrip())
