"""`parabola promote` and `demote`: what they ask of a server, what they wait for, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from parabola.cli import moving
from parabola.cli.commands.demote import demote
from parabola.cli.commands.promote import promote
from parabola.cli.moving import move
from parabola.cli.options.chosen_target import ChosenTarget
from parabola.values.errors import BadRequest, NotFound

NOWHERE: dict[str, Any] = {"url": None, "admin_key": None, "admin_key_file": None}
COPYING = {"state": "copying", "copied": 7, "code": None, "message": None}
GONE = NotFound("The server went away.")


class Server:
    """Answers `nodes` and `moves` in turn; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.posted: list[tuple[str, Any]] = []
        self._answers = list(answers)

    def post(self, path: str, body: Any) -> Any:
        self.posted.append((path, body))

    def get(self, path: str) -> Any:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"nodes": answer} if path.endswith("nodes") else answer


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "POLL_SECONDS", 0.0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server([], COPYING, GONE, GONE, [{"name": "a"}])
    monkeypatch.setattr(ChosenTarget, "client", lambda self: server)
    monkeypatch.setattr(ChosenTarget, "confirm", lambda self, what, yes: None)
    return server


def test_the_server_that_comes_back_as_a_node_is_waited_for(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "postgresql://me:hunter2@db/app"
    promote(database=address, database_file=None, node="a", file_storage="s3://b", yes=False, **NOWHERE)
    body = {"database": address, "node": "a", "fileStorage": "s3://b"}
    assert server.posted == [("/api/parabola/promote", body)]
    said = "".join(capsys.readouterr())
    assert "--node a --file-storage s3://b" in said
    assert "hunter2" not in said


def test_an_address_may_come_from_a_file(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "address"
    file.write_text("postgresql://me:hunter2@db/app\n")
    promote(database=None, database_file=file, node="first", file_storage=None, yes=True, **NOWHERE)
    assert server.posted[0][1]["database"] == "postgresql://me:hunter2@db/app"


@pytest.mark.parametrize("database", [None, "postgresql://db/app"])
def test_one_address_is_to_be_given(server: Server, database: str | None, tmp_path: Path) -> None:
    file = None if database is None else tmp_path
    with pytest.raises(BadRequest, match="an empty database"):
        promote(database=database, database_file=file, node="a", file_storage=None, yes=True, **NOWHERE)
    assert server.posted == []


def test_what_goes_wrong_is_told() -> None:
    failed = {"state": "failed", "copied": 7, "code": "UnusableData", "message": "There is one already."}
    with pytest.raises(BadRequest, match="There is one already"):
        move(Server([], COPYING, [], failed), "/x", {}, to_node=True)  # type: ignore[arg-type]


def test_a_server_that_does_not_come_back_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "RETURN_SECONDS", -1.0)
    with pytest.raises(NotFound):
        move(Server(GONE), "/x", {}, to_node=True)  # type: ignore[arg-type]


def test_a_node_becomes_a_server_that_is_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server([{"name": "a"}], COPYING, GONE, [])
    monkeypatch.setattr(ChosenTarget, "client", lambda self: server)
    monkeypatch.setattr(ChosenTarget, "confirm", lambda self, what, yes: None)
    demote(yes=True, **NOWHERE)
    assert server.posted == [("/api/parabola/demote", {})]
    assert "Stop the other nodes" in "".join(capsys.readouterr())
