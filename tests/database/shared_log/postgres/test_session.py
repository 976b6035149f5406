"""Poolers between a node and PostgreSQL: one that gives each transaction another connection is refused."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from database.shared_log.logs import PostgresLogs
from parabola.database.model.errors import UnusableData
from parabola.database.shared_log.log import START, Appended
from parabola.database.shared_log.postgres.refusals import is_final, refusal
from parabola.database.shared_log.postgres.session import place_of


@contextmanager
def pgbouncer(port: int, mode: str) -> Iterator[str]:
    """A PgBouncer before a server; its address. Skips where there is none."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("there is no PgBouncer")
    folder = Path(tempfile.mkdtemp(prefix="parabola-pgbouncer-"))
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        own = found.getsockname()[1]
    (folder / "ini").write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={port} user=parabola\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {own}\nauth_type = any\n"
        f"pool_mode = {mode}\nunix_socket_dir =\n"
    )
    options: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, folder / "ini"):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "ini")], stdout=log, stderr=log, **options)
    try:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as trying:
                if not trying.connect_ex(("127.0.0.1", own)):
                    break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"postgresql://parabola@127.0.0.1:{own}/postgres"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


async def test_a_pooler_by_transaction_is_refused() -> None:
    async with PostgresLogs() as logs:
        with pgbouncer(logs.server.port, "transaction") as url:
            for _ in range(3):  # it may be the same connection again, with what others have left in it
                with pytest.raises(UnusableData, match="pool_mode = session"):
                    await logs.node("a", url=url)


def test_a_pooler_is_known_by_what_others_have_left_in_a_connection() -> None:
    # Another process has prepared statements under the same names.
    for kind in (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError):
        error = kind('prepared statement "__asyncpg_stmt_1__" already exists\nHINT: much more')
        assert is_final(error)
        assert "pool_mode = session" in refusal(error).message
        assert "HINT" not in refusal(error).message


async def test_a_pooler_by_session_is_as_good_as_none() -> None:
    async with PostgresLogs() as logs:
        with pgbouncer(logs.server.port, "session") as url:
            log = await logs.node("a", url=url)
            assert await log.append(START, b"a" * 16, 1, b"x") is Appended.OURS
            await log.close()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://u:secret@db.example:5432/app", "db.example:5432/app"),
        ("postgresql://u:s@cr@t@a:1,b:2/app?target_session_attrs=any", "a:1,b:2/app"),
        ("postgresql:///app", "/app"),
    ],
)
def test_a_place_has_nothing_secret_in_it(url: str, place: str) -> None:
    assert place_of(url) == place


def test_a_single_server_loads_no_driver() -> None:
    program = "import sys, parabola.database.database; sys.exit('asyncpg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
