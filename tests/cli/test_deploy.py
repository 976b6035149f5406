"""`parabola deploy` asks before a push makes or removes an index over a large table."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server_process import ServerProcess

SCHEMA = """
from parabola import define_schema, define_table, v
schema = define_schema({{"notes": define_table({{"text": v.string()}}){index}}})
"""
NOTES = """
from parabola import mutation
@mutation
async def add(ctx, text: str) -> None:
    await ctx.db.insert("notes", {"text": text})
"""
INDEX = '.index("by_text", ["text"])'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("served")
    server = ServerProcess(directory, "serve", "--port", "0", "--site-port", "0").start()
    (directory / "convex").mkdir()
    (directory / "convex" / "notes.py").write_text(NOTES)
    (directory / "convex" / "schema.py").write_text(SCHEMA.format(index=""))
    deploy(server)
    server.call("mutation", "notes:add", text="one")
    yield server
    server.close()


def deploy(server: ServerProcess, *options: str, answer: str | None = None) -> str:
    """What the command says, with everything from one document on taken for large; at a terminal if there is
    an answer to be typed.
    """
    variables = {**os.environ, "NO_COLOR": "1", "CONVEX_MIN_DOCUMENTS_FOR_INDEX_BACKFILL_WARNING": "1"}
    command = [sys.executable, "-m", "parabola", "deploy", *options]
    terminal, standard_input = (None, subprocess.DEVNULL) if answer is None else pty.openpty()
    try:
        running = subprocess.Popen(
            command,
            cwd=server.directory,
            stdin=standard_input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=variables,
        )
        if terminal is not None and answer is not None:
            os.write(terminal, f"{answer}\n".encode())
        said, _ = running.communicate()
        return said
    finally:
        if terminal is not None:
            os.close(terminal)
            os.close(standard_input)


def schema(server: ServerProcess, index: str) -> None:
    (Path(server.directory) / "convex" / "schema.py").write_text(SCHEMA.format(index=index))


def test_an_index_of_a_large_table_is_asked_about(served: ServerProcess) -> None:
    schema(served, INDEX)
    said = deploy(served)
    assert "This push fills the index notes.by_text of a table with 1 documents." in said
    assert "staged=True" in said
    assert "--skip-large-indexes-check" in said
    assert "Deployed to" not in said
    assert "Nothing has changed." in deploy(served, answer="n")
    assert "Checked against" in deploy(served, "--dry-run")
    assert "+ index notes.by_text" in deploy(served, answer="y")
    schema(served, "")
    said = deploy(served, "--yes")
    assert "This push removes the index notes.by_text of a table with 1 documents." in said
    assert "Deployed to" not in said
    assert "- index notes.by_text" in deploy(served, "--skip-large-indexes-check")


def test_a_staged_index_is_not_asked_about(served: ServerProcess) -> None:
    schema(served, '.index("by_text", ["text"], staged=True)')
    assert "Deployed to" in deploy(served)
