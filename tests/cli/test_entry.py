"""What a command imports: a server nothing that explains command lines, and nothing that few servers need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from parabola.project import DATA_FOLDER
from server_process import ServerProcess

SEEN_AT_THE_START = """
import json, sys
from parabola.cli import entry
from parabola.cli.server.local_server import LocalServer

async def tell(server):
    # In one piece with its newline: the log goes there too.
    sys.stdout.write("\\n" + json.dumps(sorted(sys.modules)) + "\\n")
    sys.stdout.flush()

LocalServer.until_told_to_end = tell
sys.argv = ["parabola", "serve", "--port", "0", "--site-port=0", "--data", sys.argv[1]]
entry.main()
"""
SEEN_BY_A_COMMAND = """
import json, sys
from parabola.cli import entry

sys.argv = ["parabola", *sys.argv[1:]]
try:
    entry.main()
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)))
"""
SEEN_AS_HOSTS_BEGIN = """
from parabola.functions.processes.host_process import SpawnedProcess

start = SpawnedProcess.start

async def seen(*args, **options):
    sys.stdout.write("\\n" + json.dumps(sorted(sys.modules)) + "\\n")
    sys.stdout.flush()
    return await start(*args, **options)

SpawnedProcess.start = seen
"""
OF_COMMAND_LINES = {"typer", "click", "rich", "pydantic"}
SELDOM_NEEDED = {"cryptography", "joserfc", "obstore", "numpy", "watchfiles", "dotenv", "tomllib"}
OTHER_COMMANDS = {"parabola.cli.commands.dev", "parabola.cli.commands.deploy"}
MOST_MODULES = 420
"""Of Parabola itself, and 900 of all together: what a start takes is mostly their number."""


OF_DASHBOARDS = {
    f"parabola.services.{name}"
    for name in (
        "document_shapes",
        "observability.attention",
        "observability.contention",
        "observability.live_queries",
        "observability.read_advice",
        "past_documents",
        "validator_trial",
    )
} | {"parabola.functions.calls.wide_reads", "parabola.server.api.observation.series_api"}
"""What is there for whoever looks at a server: until somebody does, it is not loaded."""


def modules_seen_by(program: str, *arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("PARABOLA_")},
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(next(line for line in done.stdout.splitlines() if line.startswith("["))))


def test_a_server_starts_without_what_few_servers_need(tmp_path: Path) -> None:
    modules = modules_seen_by(SEEN_AT_THE_START, str(tmp_path / "data"))
    assert not modules & (OF_COMMAND_LINES | SELDOM_NEEDED | OF_DASHBOARDS)
    assert not {name for name in modules if name.startswith("parabola.authoring")}
    assert sum(name.startswith("parabola.") for name in modules) < MOST_MODULES
    assert len(modules) < 900


def test_hosts_begin_before_what_only_requests_need_is_imported(tmp_path: Path) -> None:
    """They take as long to start as the rest takes to be imported."""
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "notes.py").write_text(
        "from parabola import query\n\n@query\nasync def hello(ctx) -> str:\n    return 'hello'\n"
    )
    command = ("serve", "--port", "0", "--site-port", "0")
    with closing(ServerProcess(tmp_path, *command).start()) as server:
        server.cli("deploy", "--yes", "--url", server.url, "--admin-key", server.admin_key)
    program = SEEN_AT_THE_START.replace("async def tell", SEEN_AS_HOSTS_BEGIN + "\nasync def tell")
    modules = modules_seen_by(program, str(tmp_path / DATA_FOLDER))
    assert "parabola.foundation" in modules
    assert not modules & {"aiohttp", "parabola.backend", "parabola.server.app"}


@pytest.mark.parametrize(
    ("arguments", "others"),
    [
        (
            ["admin-key", "--help"],
            {"parabola.cli.commands.dev", "parabola.cli.commands.deploy", "parabola.server.app"},
        ),
        (["run", "--help"], {"parabola.cli.commands.dev", "parabola.cli.commands.init", "parabola.backend"}),
    ],
)
def test_a_command_does_not_import_the_others(arguments: list[str], others: set[str]) -> None:
    modules = modules_seen_by(SEEN_BY_A_COMMAND, *arguments)
    assert "typer" in modules
    assert not modules & others


CERTIFICATES = """
import os, sys
from parabola.cli.server.http_library import import_http_library

before = dict(os.environ)
import_http_library()
assert dict(os.environ) == before
from aiohttp import connector

print([connector._SSL_CONTEXT_VERIFIED.cert_store_stats()["x509"]])
"""


@pytest.mark.parametrize("file", [None, "/some/certificates.pem"])
def test_certificates_are_not_read_at_the_start_and_what_names_them_stays(file: str | None) -> None:
    variables = dict(os.environ)
    variables.pop("SSL_CERT_FILE", None)
    if file is not None:
        variables["SSL_CERT_FILE"] = file
    done = subprocess.run(
        [sys.executable, "-c", CERTIFICATES], capture_output=True, text=True, check=False, env=variables
    )
    assert done.stdout == "[0]\n", done.stderr
