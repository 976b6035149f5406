"""The list of nodes: in eighty columns, whatever they are called and however they are."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from parabola.cli.commands import nodes as module
from parabola.cli.commands.nodes import nodes

NODE = {
    "name": "a",
    "incarnation": "0123456789abcdef",
    "since": 0.0,
    "state": "active",
    "version": "0.1.0",
    "position": 1_000_000_000,
    "behind": 0,
    "heard": 0.0,
    "ready": True,
    "isThis": True,
}


class Target:
    """Answers with these nodes."""

    def __init__(self, *found: dict[str, Any]) -> None:
        self._found = list(found)

    def client(self) -> Target:
        return self

    def get(self, path: str) -> Any:
        assert path == "/api/parabola/nodes"
        return {"nodes": self._found}


def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *found: Any) -> list[str]:
    monkeypatch.setattr(
        "parabola.cli.options.chosen_target.ChosenTarget.client", lambda self: Target(*found), raising=True
    )
    nodes(json=False, url=None, admin_key=None, admin_key_file=None)
    return capsys.readouterr().out.splitlines()


def test_each_node_is_a_line_of_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = time.time() * 1000
    printed = lines(
        monkeypatch,
        capsys,
        NODE,
        {**NODE, "name": "n" * 63, "isThis": False, "since": now - 90_000, "ready": False, "behind": 12},
        {**NODE, "name": "c", "isThis": False, "since": now, "ready": None, "position": None, "behind": None},
        {**NODE, "name": "d", "isThis": False, "since": now - 7_200_000, "state": "leaving"},
    )
    assert all(len(line) <= 80 for line in printed)
    rows = [line.split() for line in printed[1:]]
    assert rows[0][:2] == ["*", "a"]
    assert rows[1] == ["n" * 19 + "…", "1", "min", "1000000000", "12", "cut", "off", "0.1.0"]
    assert rows[2] == ["c", "now", "?", "?", "silent", "0.1.0"]
    assert rows[3] == ["d", "2", "h", "1000000000", "0", "leaving", "0.1.0"]


def test_a_server_that_is_alone_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines(monkeypatch, capsys) == []
    assert module.nodes is nodes


def test_all_that_is_known_is_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("parabola.cli.options.chosen_target.ChosenTarget.client", lambda self: Target(NODE))
    nodes(json=True, url=None, admin_key=None, admin_key_file=None)
    assert json.loads(capsys.readouterr().out) == [NODE]
