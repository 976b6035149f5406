"""A local identity provider: publishes its keys, signs what tests want signed, misbehaves when told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

Answer = tuple[int, str, bytes]


class TokenIssuer:
    """An OpenID Connect issuer on a free port. `GET /token?claims={...}` signs for scripts."""

    def __init__(self) -> None:
        self.keys = [RSAKey.generate_key(2048, {"kid": "first"})]
        self.cache_control = "max-age=60"
        self.asked: list[str] = []
        """The paths that were asked for."""
        self.misbehave: Callable[[str], Answer | None] = lambda path: None
        """What is answered instead of a document, if anything."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish only that."""
        self.keys = [RSAKey.generate_key(2048, {"kid": f"key {time.monotonic_ns()}"})]

    def token(self, seconds: float = 600, *, age: float = 0, key: RSAKey | None = None, **claims: Any) -> str:
        """A token that was made `age` seconds ago and ends in `seconds`. Claims of None are left out."""
        now = int(time.time())
        times = {"iat": now - int(age), "exp": now + int(seconds)}
        told = {"iss": self.url, "sub": "ada", "aud": "app", **times, **claims}
        told = {name: value for name, value in told.items() if value is not None}
        signing = key or self.keys[0]
        return jwt.encode({"alg": "RS256", "kid": self.keys[0].kid}, told, signing)

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        """What a request gets."""
        self.asked.append(path)
        instead = self.misbehave(path)
        if instead is not None:
            return instead
        if path == "/token":
            return 200, "text/plain", self.token(**json.loads(query["claims"])).encode()
        documents: dict[str, Any] = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [key.as_dict(private=False) for key in self.keys]},
        }
        return 200, "application/json", json.dumps(documents[path]).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                status, kind, body = issuer.answer(url.path, query)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", issuer.cache_control)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing for each request."""

        return Handler
