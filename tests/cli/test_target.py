"""Which deployment a command talks to, and who a local deployment is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from parabola.cli.instance import Instance
from parabola.cli.target import RunningServer, Target
from parabola.values.errors import BadRequest, NotFound


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVEX_SELF_HOSTED_URL", raising=False)
    monkeypatch.delenv("CONVEX_SELF_HOSTED_ADMIN_KEY", raising=False)


def running(data_dir: Path, pid: int | None = None) -> None:
    RunningServer("http://local", "http://site", "local|key", pid or os.getpid()).write(data_dir)


def test_options_come_first_then_the_environment_then_the_local_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(tmp_path / ".parabola")
    assert Target.find(None, None, tmp_path) == Target("http://local", "local|key")
    monkeypatch.setenv("CONVEX_SELF_HOSTED_URL", "http://environment/")
    monkeypatch.setenv("CONVEX_SELF_HOSTED_ADMIN_KEY", "e|key")
    assert Target.find(None, None, tmp_path) == Target("http://environment", "e|key")
    assert Target.find("http://option", "o|key", tmp_path) == Target("http://option", "o|key")
    assert Target.find("http://option", None, tmp_path) == Target("http://option", "e|key")


def test_env_local_of_the_project_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env.local").write_text(
        "# a comment\nCONVEX_SELF_HOSTED_URL='http://file'\nCONVEX_SELF_HOSTED_ADMIN_KEY=f|key\n"
    )
    assert Target.find(None, None, tmp_path) == Target("http://file", "f|key")


def test_the_server_of_an_enclosing_project_is_found(tmp_path: Path) -> None:
    running(tmp_path / ".parabola")
    below = tmp_path / "web" / "src"
    below.mkdir(parents=True)
    assert Target.find(None, None, below).url == "http://local"


def test_a_server_that_is_gone_is_not_found(tmp_path: Path) -> None:
    running(tmp_path / ".parabola", pid=2**22 + 1)
    with pytest.raises(NotFound, match="Start one with `parabola dev`"):
        Target.find(None, None, tmp_path)


def test_a_url_without_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="--admin-key"):
        Target.find("http://option", None, tmp_path)


def test_a_secret_is_made_once_and_kept_for_the_owner_alone(tmp_path: Path) -> None:
    first = Instance.of(tmp_path, None, None)
    assert Instance.of(tmp_path, None, None) == first
    assert stat.S_IMODE((tmp_path / "instance.json").stat().st_mode) == 0o600


def test_a_given_secret_is_not_written_down(tmp_path: Path) -> None:
    instance = Instance.of(tmp_path, "my-app", "ab" * 32)
    assert (instance.name, instance.secret) == ("my-app", "ab" * 32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "secret"), [("My App", "ab" * 32), ("", "ab" * 32), ("app", "ab"), ("app", "zz" * 32)]
)
def test_names_and_secrets_that_cannot_be_are_refused(name: str, secret: str) -> None:
    with pytest.raises(BadRequest):
        Instance(name, secret)
