"""Completion in real shells: commands, options, values, files, and names of the server that runs here."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parabola.cli.options import completed_names
from server_process import ServerProcess

FUNCTIONS = """
from parabola import define_schema, define_table, query, v
@query
async def best(ctx) -> None: ...
@query
async def bright(ctx) -> None: ...
"""
SCHEMA = """
from parabola import define_schema, define_table, v
schema = define_schema({"notes": define_table({"text": v.string()}), "people": define_table({})})
"""
BASH = """
eval "$(_PARABOLA_COMPLETE=source_bash parabola)"
read -ra COMP_WORDS <<< "$1"
[[ "$1" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_parabola_completion parabola
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = "_PARABOLA_COMPLETE=source_fish parabola | source; complete -C $argv[1]"
SCRIPTS = {"bash": BASH, "fish": FISH}


def variables() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TERM": "xterm"}


def completions(shell: str, line: str, directory: Path) -> list[str]:
    """What a shell offers for the last word of a line; fish adds what each is for."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    how = ["-c", SCRIPTS[shell], *(["_"] if shell == "bash" else []), line]
    done = subprocess.run(
        [shell, *how], cwd=directory, env=variables(), capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return [each.split("\t")[0] for each in done.stdout.splitlines() if each]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("served")
    (directory / "convex" / "lib").mkdir(parents=True)
    (directory / "convex" / "lib" / "notes.py").write_text(FUNCTIONS)
    (directory / "convex" / "schema.py").write_text(SCHEMA)
    server = ServerProcess(directory, "dev", "--port", "0", "--site-port", "0").start()
    server.wait_for_output("functions ready")
    yield server
    server.close()


@pytest.mark.parametrize("shell", SCRIPTS)
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("parabola codeg", ["codegen"]),
        ("parabola env re", ["remove"]),
        ("parabola deploy --dry", ["--dry-run"]),
        ("parabola data notes --order ", ["asc", "desc"]),
        ("parabola run lib.notes.b", ["lib.notes.best", "lib.notes.bright"]),
        ("parabola data ", ["notes", "people"]),
    ],
)
def test_a_shell_offers(shell: str, line: str, offered: list[str], served: ServerProcess) -> None:
    assert completions(shell, line, served.directory) == offered


def test_without_a_server_there_are_no_names_and_no_words(tmp_path: Path) -> None:
    assert completions("bash", "parabola run lib", tmp_path) == []
    assert completions("bash", "parabola data ", tmp_path) == []


def test_names_are_those_of_the_server_that_runs_here(
    served: ServerProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(served.directory)
    assert completed_names.function_names("lib.notes.br") == ["lib.notes.bright"]
    assert completed_names.table_names("p") == ["people"]
    monkeypatch.chdir(tmp_path)
    assert completed_names.function_names("") == completed_names.table_names("") == []


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_key_at_a_terminal_completes_a_command_and_a_folder(shell: str, tmp_path: Path) -> None:
    """Zsh completes at a terminal alone; where nothing is ours to offer, the shell offers files."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "unusual_folder").mkdir()
    start = {
        "bash": 'eval "$(_PARABOLA_COMPLETE=source_bash parabola)"',
        "zsh": 'autoload -U compinit; compinit -D; eval "$(_PARABOLA_COMPLETE=source_zsh parabola)"',
    }[shell]
    options = ["--norc", "--noprofile", "-i"] if shell == "bash" else ["-f", "-i"]
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [shell, *options],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        env=variables(),
        start_new_session=True,
    )
    try:
        told = ""

        def until(text: str) -> None:
            nonlocal told
            deadline = time.monotonic() + 60
            while text not in told:
                assert time.monotonic() < deadline, told
                if select.select([ours], [], [], 1)[0]:
                    told += os.read(ours, 65536).decode(errors="replace")

        os.write(ours, f"{start}; echo rea''dy\n".encode())
        until("ready")
        told = ""
        os.write(ours, b"parabola codeg\t")
        until("codegen")
        told = ""
        os.write(ours, b"--project unus\t")
        until("unusual_folder")
    finally:
        running.kill()
        running.wait()
        os.close(ours)
        os.close(theirs)
