"""`parabola dashboard`: the browser is led there by a page that nobody else can read."""

from __future__ import annotations

import stat
import webbrowser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from parabola.cli.application import application
from parabola.cli.commands import dashboard as module

KEY = "here|01ab/+="
URL = "http://127.0.0.1:3210"


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "_BROWSER_SECONDS", 0.0)
    return CliRunner(env={"PARABOLA_ADMIN_KEY": KEY, "CONVEX_SELF_HOSTED_ADMIN_KEY": KEY})


def test_the_key_is_neither_an_argument_nor_printed(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, str, int]] = []

    def open_page(address: str) -> bool:
        page = Path(urlsplit(address).path)
        opened.append((address, page.read_text(), stat.S_IMODE(page.stat().st_mode)))
        return True

    monkeypatch.setattr(webbrowser, "open", open_page)
    result = runner.invoke(application(["dashboard", "env"]), ["dashboard", "--url", URL])
    assert result.exit_code == 0, result.output
    ((address, page, mode),) = opened
    assert "01ab" not in address + result.output
    assert f"{URL}/dashboard#key=here%7C01ab%2F%2B%3D" in page
    assert mode == 0o600
    assert not Path(urlsplit(address).path).exists()


def test_without_a_browser_it_says_where_to_go(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    result = runner.invoke(application(["dashboard", "env"]), ["dashboard", "--url", URL])
    assert f"{URL}/dashboard\n" in result.output
    assert "No browser could be opened" in result.output


def test_the_address_alone_opens_nothing(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda address: pytest.fail("a browser was opened"))
    result = runner.invoke(application(["dashboard", "env"]), ["dashboard", "--no-open", "--url", URL])
    assert (result.exit_code, result.stdout) == (0, f"{URL}/dashboard\n")
