"""A server among several is refused with a sentence, where it would not be one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from node_servers import SECRET, new_database
from parabola.cli.options.server_options import OPTIONS
from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.opening import check_address
from server_process import ServerProcess

FILES = tempfile.TemporaryDirectory(prefix="parabola-files-")
NOWHERE = "postgresql://user:pa55word@127.0.0.1:1/none"


def refused(directory: Path, *options: str, **variables: str) -> str:
    """What a server says that does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "parabola", "serve", "--port", "0", "--site-port", "0", *options],
        cwd=directory,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "400", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert "pa55word" not in said
    assert "Traceback" not in said
    return said


def node(database: str, name: str = "a", *more: str) -> tuple[str, ...]:
    return (
        "--database",
        database,
        "--node",
        name,
        "--file-storage",
        "file:///tmp/parabola-test-files",
        *more,
    )


def test_a_node_needs_a_name_a_place_of_files_and_the_secret_of_the_others(tmp_path: Path) -> None:
    assert "give it a name of its own, with --node" in refused(tmp_path, "--database", NOWHERE)
    named = ("--database", NOWHERE, "--node", "a")
    assert "name an object store with --file-storage" in refused(tmp_path, *named)
    assert "one instance secret: give it to each of them" in refused(tmp_path, *node(NOWHERE))
    assert "'a b' is no name for a node" in refused(tmp_path, *node(NOWHERE, "a b"))
    assert "give its address too, with --database" in refused(tmp_path, "--node", "a")
    assert not (tmp_path / ".parabola" / "instance.json").exists()


def test_a_log_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    said = refused(tmp_path, *node(NOWHERE), INSTANCE_SECRET=SECRET)
    assert "PostgreSQL at 127.0.0.1:1/none does not answer" in said


def test_the_address_may_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "address").write_text(f"{NOWHERE}\n")
    options = ("--database-file", "address", *node(NOWHERE)[2:])
    said = refused(tmp_path, *options, INSTANCE_SECRET=SECRET)
    assert "PostgreSQL at 127.0.0.1:1/none does not answer" in said
    said = refused(tmp_path, *options, INSTANCE_SECRET=SECRET, PARABOLA_DATABASE=NOWHERE)
    assert "given twice" in said


def test_a_database_of_another_deployment_is_left_alone(tmp_path: Path) -> None:
    database = new_database()
    first = ServerProcess(
        tmp_path, "serve", "--port", "0", "--site-port", "0", *node(database), "--instance-name", "one"
    ).start(INSTANCE_SECRET=SECRET)
    try:
        other = tmp_path / "other"
        other.mkdir()
        options = (*node(database, "b"), "--instance-name", "one")
        said = refused(other, *options, INSTANCE_SECRET="77" * 32)
        assert "this one's is not that of the log" in said
        assert "77777" not in said
        said = refused(other, *node(database, "b", "--instance-name", "two"), INSTANCE_SECRET=SECRET)
        assert 'is that of the deployment "one", and this server was to be a node of "two"' in said
        elsewhere = ("--database", database, "--node", "b", "--file-storage", (tmp_path / "files").as_uri())
        said = refused(other, *elsewhere, "--instance-name", "one", INSTANCE_SECRET=SECRET)
        assert "The stored files of the other nodes are in another place" in said
        said = refused(other, *node(database, "a", "--instance-name", "one"), INSTANCE_SECRET=SECRET)
        assert 'Another node is called "a" and is serving now' in said
    finally:
        first.close()


def test_a_copy_is_not_thrown_away_for_an_empty_database(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0", *node(new_database()))
    server.start(INSTANCE_SECRET=SECRET)
    server.close()
    said = refused(tmp_path, *node(new_database()), INSTANCE_SECRET=SECRET)
    assert "is empty, and this data directory is a copy of what once was in it" in said
    assert (tmp_path / ".parabola" / "parabola.sqlite3").exists()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:pa55@word@host/database",
        "postgresql://user:pa/55@host/database",
        "postgresql://user:pa#55@host/database",
        "postgresql://user:pa?55@host/database",
        "postgresql://user@host:pa55/database",
        "pa55://x",
        "pa55",
    ],
)
def test_nothing_of_an_address_that_cannot_be_read_is_told(url: str) -> None:
    with pytest.raises(UnusableData) as caught:
        check_address(url)
    assert not re.search("55", str(caught.value))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:p%40ss@host:5432/database?sslmode=require",
        "postgres://host/database",
        "postgresql://user@one:5432,two:5433/database",
        "postgresql://user@[::1]:5432/database",
        "postgresql:///database?host=/var/run/postgresql",
    ],
)
def test_addresses_of_postgresql_are_taken(url: str) -> None:
    check_address(url)


def test_the_options_of_a_node_are_none_of_a_developers_server() -> None:
    assert not any(OPTIONS[name].in_dev for name in ("database", "database-file", "node"))
