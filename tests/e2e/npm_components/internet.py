"""What functions find behind `fetch` where an app talks to a service: a server on the loopback that answers
for every host.

A `node` that comes first on the PATH of the server sends requests of functions there, whatever their
address; the packages and Parabola are as they are.
"""

from __future__ import annotations

import json
import os
import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

from parabola.hosts.node import node_executable

DETOUR = """
const outside = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const request = new Request(input, init);
  const url = new URL(request.url);
  if (url.hostname === "127.0.0.1" || url.hostname === "localhost") return outside(request);
  const headers = new Headers(request.headers);
  headers.set("x-asked-host", url.host);
  const detour = new Request(`http://127.0.0.1:PORT${url.pathname}${url.search}`, request);
  return outside(new Request(detour, { headers }));
};
"""


@dataclass(frozen=True)
class Asked:
    """A request of a function."""

    method: str
    host: str
    path: str
    """With its query."""
    headers: dict[str, str]
    """By their names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True)
class Answer:
    """What a service answers."""

    status: int = 200
    body: Any = None
    """Bytes, or what is sent as JSON."""
    headers: dict[str, str] = field(default_factory=dict)


Service = Callable[[Asked], Answer]


class Internet:
    """Services by their hosts. Who asks for another one gets status 404, and `asked` has every request."""

    def __init__(self, directory: Path) -> None:
        self.services: dict[str, Service] = {}
        self.asked: list[Asked] = []
        self._directory = directory
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def path(self) -> str:
        """A PATH whose `node` leads here."""
        detour = self._directory / "detour.mjs"
        detour.write_text(DETOUR.replace("PORT", str(self._server.server_address[1])))
        node = self._directory / "node"
        node.write_text(f'#!/bin/sh\nexec {shlex.quote(node_executable())} --import {detour} "$@"\n')
        node.chmod(0o755)
        return f"{self._directory}{os.pathsep}{os.environ['PATH']}"

    def to(self, host: str) -> list[Asked]:
        """The requests to a host."""
        return [asked for asked in self.asked if asked.host == host]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        service = self.services.get(asked.host)
        return Answer(404) if service is None else service(asked)

    def __enter__(self) -> Internet:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(internet: Internet) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline:
                self.close_connection = True
            elif self.parse_request():
                self._respond()

        def _respond(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            host = headers.get("x-asked-host", headers.get("host", ""))
            answer = internet.answer(Asked(self.command, host, self.path, headers, self._body()))
            is_bytes = isinstance(answer.body, bytes)
            body = answer.body if is_bytes else json.dumps(answer.body).encode()
            if answer.body is None:
                body = b""
            self.send_response(answer.status)
            kind = {} if is_bytes else {"Content-Type": "application/json"}
            for name, value in {**kind, **answer.headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
