"""A server that goes away in the middle of a command is one sentence, whichever command, whatever moment."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parabola.cli.application import application
from parabola.values.errors import ParabolaError

COMMANDS = {
    "run": ["run", "tasks:list"],
    "data": ["data"],
    "data of a table": ["data", "tasks"],
    "env list": ["env", "list"],
    "env get": ["env", "get", "NAME"],
    "env set": ["env", "set", "NAME", "value"],
    "env remove": ["env", "remove", "NAME"],
    "logs": ["logs", "--history", "1"],
    "logs of a request": ["logs", "--request-id", "ab"],
    "deploy": ["deploy", "--project", "PROJECT"],
    "export": ["export", "--path", "PROJECT/out.zip"],
    "import": ["import", "PROJECT/rows.jsonl", "--table", "tasks"],
    "admin-key list": ["admin-key", "list"],
    "admin-key revoke": ["admin-key", "revoke", "--all"],
}
BODY = json.dumps({"status": "success", "value": None, "keys": [], "entries": []}).encode()
MOMENTS = {
    "before a word": b"",
    "within the head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "within the body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + BODY,
    "within an error": b"HTTP/1.1 500 Broken\r\nContent-Length: 1000\r\n\r\n{",
    "within a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
    "with something else": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<html",
    "with no HTTP at all": b"SSH-2.0-OpenSSH_9.6\r\n",
}


@contextmanager
def server_that_says(words: bytes) -> Iterator[str]:
    """Takes a request, says so much, and closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(words)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.parametrize("words", MOMENTS.values(), ids=MOMENTS)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_it_is_one_sentence(command: list[str], words: bytes, tmp_path: Path) -> None:
    (tmp_path / "convex").mkdir()
    (tmp_path / "rows.jsonl").write_text('{"n": 1}\n')
    arguments = [part.replace("PROJECT", str(tmp_path)) for part in command]
    with server_that_says(words) as url:
        done = CliRunner().invoke(application(), [*arguments, "--url", url, "--admin-key", "a|00"])
    assert isinstance(done.exception, ParabolaError), done.exception  # which `main` says as it is
    assert url in str(done.exception) or "connection broke" in str(done.exception)
