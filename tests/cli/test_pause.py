"""Pausing and resuming from a terminal."""

from __future__ import annotations

from typing import Any

import pytest

from parabola.cli.commands.pause import pause
from parabola.cli.commands.resume import resume

NOWHERE = {"url": None, "admin_key": None, "admin_key_file": None}


def test_a_deployment_is_paused_after_a_question_and_resumed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    posted: list[str] = []
    asked: list[bool] = []

    class Client:
        def post(self, path: str, body: Any) -> None:
            assert body == {}
            posted.append(path)

    chosen = "parabola.cli.options.chosen_target.ChosenTarget"
    monkeypatch.setattr(f"{chosen}.client", lambda self: Client())
    monkeypatch.setattr(f"{chosen}.confirm", lambda self, what, yes: asked.append(yes))
    pause(yes=True, **NOWHERE)
    resume(**NOWHERE)
    assert posted == ["/api/v1/pause_deployment", "/api/v1/unpause_deployment"]
    assert asked == [True]
    assert "parabola resume" in "".join(capsys.readouterr())
