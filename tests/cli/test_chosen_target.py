"""No command acts silently on another deployment than the one that runs here, and none replaces unasked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parabola.cli.options.chosen_target import ChosenTarget
from parabola.cli.target import RunningServer
from parabola.values.errors import BadRequest

LOCAL = "http://127.0.0.1:3210"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("CONVEX_SELF_HOSTED_URL", "CONVEX_SELF_HOSTED_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def local_server(project: Path) -> None:
    RunningServer(LOCAL, "http://site", "local|key", os.getpid()).write(project / ".parabola")


def env_local(project: Path, url: str) -> None:
    (project / ".env.local").write_text(f"CONVEX_SELF_HOSTED_URL={url}\nCONVEX_SELF_HOSTED_ADMIN_KEY=p|key\n")


def test_the_server_that_runs_here_needs_no_word(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    local_server(project)
    for url in (None, LOCAL, "http://localhost:3210/"):
        chosen = ChosenTarget(url, None, None)
        assert chosen.find().is_local
        chosen.confirm("remove everything", yes=False)
    env_local(project, "http://localhost:3210")
    assert ChosenTarget(None, None, None).find().is_local
    assert capsys.readouterr().err == ""


def test_another_deployment_is_named_before_anything_else(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    local_server(project)
    env_local(project, "https://production")
    chosen = ChosenTarget(None, None, None)
    assert chosen.find() is chosen.find()
    said = " ".join(capsys.readouterr().err.split())
    assert said == (
        "→ https://production, from CONVEX_SELF_HOSTED_URL in .env.local; "
        f"not the server that runs here, {LOCAL}"
    )


def test_nothing_is_replaced_there_when_nobody_can_be_asked(project: Path) -> None:
    env_local(project, "https://production")
    chosen = ChosenTarget(None, None, None)
    with pytest.raises(BadRequest, match=r"This would remove X at https://production, from .* Give --yes"):
        chosen.confirm("remove X", yes=False)
    chosen.confirm("remove X", yes=True)
    ChosenTarget("https://production", "key", None).confirm("remove X", yes=False)  # it was named


@pytest.mark.parametrize("agrees", [True, False])
def test_who_sits_there_is_asked(project: Path, monkeypatch: pytest.MonkeyPatch, agrees: bool) -> None:
    env_local(project, "https://production")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: agrees)
    chosen = ChosenTarget(None, None, None)
    if agrees:
        chosen.confirm("remove X", yes=False)
    else:
        with pytest.raises(BadRequest, match="Nothing has changed"):
            chosen.confirm("remove X", yes=False)


def test_a_push_asks_where_another_server_may_be_meant(project: Path) -> None:
    env_local(project, "https://production")
    ChosenTarget(None, None, None).confirm_over_local("replace the functions", yes=False)
    local_server(project)
    with pytest.raises(BadRequest, match="replace the functions at https://production"):
        ChosenTarget(None, None, None).confirm_over_local("replace the functions", yes=False)


def test_a_key_may_come_from_a_file(project: Path) -> None:
    (project / "key").write_text("f|key\n")
    assert ChosenTarget("http://x", None, project / "key").find().admin_key == "f|key"
    with pytest.raises(BadRequest, match="cannot be read from"):
        ChosenTarget("http://x", None, project / "missing")
