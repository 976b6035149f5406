"""What the chat needs from the world around it: somebody who signs people in, and a weather service.

    python services.py --port 3220

`GET /token?name=Ada` signs anybody in, `/jwks.json` has the key to check that with, `/weather?city=Oslo`
makes the weather up. A real app asks a real identity provider.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

KEY = RSAKey.generate_key(2048, {"kid": "chat"})
SKIES = ("sunny", "cloudy", "rainy", "windy")
TOKEN_SECONDS = 600


class Services(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        answers = {"/jwks.json": keys, "/token": self.token, "/weather": weather}
        if url.path in answers:
            self.answer(200, answers[url.path](**asked))
        else:
            self.answer(404, {"error": "not here"})

    def token(self, name: str) -> Any:
        now = int(time.time())
        claims = {
            "iss": f"http://{self.headers['Host']}",
            "sub": name.lower(),
            "aud": "chat",
            "name": name,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
        }
        return {"token": jwt.encode({"alg": "RS256", "kid": "chat"}, claims, KEY)}

    def answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing for each request."""


def keys() -> Any:
    return {"keys": [{**KEY.as_dict(private=False), "use": "sig", "alg": "RS256"}]}


def weather(city: str) -> Any:
    return {"city": city, "sky": SKIES[len(city) % len(SKIES)], "celsius": 5 + len(city)}


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=3220, help="0 takes a free one")
    server = ThreadingHTTPServer(("127.0.0.1", arguments.parse_args().port), Services)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()
