"""An app on convex-helpers, Convex Auth and zod: what many Convex apps are made of runs unchanged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import RSAKey

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess

pytestmark = pytest.mark.e2e


def signing_keys() -> dict[str, str]:
    """The environment variables from which Convex Auth takes the keys of its tokens."""
    key = RSAKey.generate_key(2048, {"use": "sig"})
    pem = key.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "JWT_PRIVATE_KEY": pem.decode().strip().replace("\n", " "),
        "JWKS": json.dumps({"keys": [key.as_dict(private=False)]}),
        "SITE_URL": "http://127.0.0.1:5173",
    }


def test_an_app_on_popular_libraries_runs_unchanged(
    tmp_path: Path, npm_packages: Path, node_script: Callable[..., str]
) -> None:
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    try:
        project = ConvexProject(tmp_path / "project", server, "libraries")
        changes = [{"name": name, "value": value} for name, value in signing_keys().items()]
        project.post("/api/update_environment_variables", {"changes": changes})
        project.push()
        settings = (project.directory / ".env.local").read_text()
        (site,) = [line.split("=", 1)[1] for line in settings.splitlines() if "SITE_URL" in line]
        node_script("libraries.mjs", server.url, SITE_URL=site)
    finally:
        server.close()
