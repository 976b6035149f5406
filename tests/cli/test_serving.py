"""A server that goes on: anew where its copy of the data is lost, in another role, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from parabola.cli.options.server_options import ServerOptions
from parabola.cli.server import serving
from parabola.database.shared_log.errors import LogUnreachable, ReplicaForked, UnreadableEntry
from parabola.services.moves import NewRole, RoleChanged
from parabola.values.errors import ParabolaError


class Runs:
    """The runs of a server, one after another: each begins or not, and ends with an error or well."""

    def __init__(self, *runs: tuple[ParabolaError | None, ParabolaError | None]) -> None:
        self.options: list[ServerOptions] = []
        self.awaited: list[bool] = []
        self.said: list[str] = []
        self._runs = list(runs)

    @asynccontextmanager
    async def running(
        self, options: ServerOptions, say: Any, *, is_awaited: bool = False
    ) -> AsyncIterator[Any]:
        self.options.append(options)
        self.awaited.append(is_awaited)
        at_start, at_end = self._runs.pop(0)
        if at_start is not None:
            raise at_start
        yield SimpleNamespace(port=4000, site_port=4001, end=at_end)


async def served(monkeypatch: pytest.MonkeyPatch, runs: Runs, **options: Any) -> None:
    async def serve(server: Any, log: Any) -> None:
        if server.end is not None:
            raise server.end

    class Log:
        def __init__(self, *_: Any) -> None: ...
        def close(self) -> None: ...
        def say(self, event: str, text: str, *_: Any, **__: Any) -> None:
            runs.said.append(text)

    monkeypatch.setattr(serving, "LocalServer", runs)
    monkeypatch.setattr(serving, "ServerLog", Log)
    monkeypatch.setattr(serving, "_serve", serve)
    monkeypatch.setattr(serving, "RETRY_SECONDS", 0.0)
    await serving._until_told_to_end(ServerOptions(data_dir=Path("data"), port=0, **options))


LOST = ReplicaForked("The log does not have entry 5.")


async def test_a_lost_copy_is_made_anew_on_the_same_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs((None, LOST), (None, None))
    await served(monkeypatch, runs)
    assert [each.port for each in runs.options] == [0, 4000]
    assert runs.said == ["Starting anew. The log does not have entry 5."]
    assert runs.awaited == [False, False]


async def test_who_has_served_waits_for_the_log_and_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs((None, LOST), (LogUnreachable("It is away."), None), (LOST, None), (None, None))
    await served(monkeypatch, runs)
    assert len(runs.options) == 4


async def test_at_the_first_start_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (LogUnreachable("It is away."), LOST):
        with pytest.raises(type(error)):
            await served(monkeypatch, Runs((error, None)))


async def test_what_a_newer_version_wrote_ends_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreadableEntry):
        await served(monkeypatch, Runs((None, UnreadableEntry("Upgrade this node."))))


async def test_a_server_goes_on_in_another_role_where_clients_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = NewRole("postgresql://secret@db", "a", "s3://bucket")
    runs = Runs((None, RoleChanged(node)), (None, RoleChanged(NewRole())), (None, None))
    await served(monkeypatch, runs)
    assert runs.awaited == [False, True, True]
    assert (runs.options[1].database_address, runs.options[1].node) == ("postgresql://secret@db", "a")
    assert (runs.options[2].database_address, runs.options[2].node) == (None, None)
    assert runs.options[2].file_storage == "s3://bucket"
    assert not any("secret" in text for text in runs.said)
