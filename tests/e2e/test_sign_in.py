"""Signing in with the official clients, against a local issuer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from convex import ConvexClient
from convex.http_client import ConvexHttpClient

from node_packages import CLIENTS
from server_process import ServerProcess
from token_issuer import TokenIssuer

pytestmark = pytest.mark.e2e

AUTH_CONFIG = """
from parabola import env

providers = [{"domain": env["AUTH_ISSUER"], "applicationID": "app"}]
"""
WHO = """
from parabola import ActionCtx, MutationCtx, QueryCtx, action, mutation, query

@query
async def me(ctx: QueryCtx) -> dict | None:
    return await ctx.auth.get_user_identity()

@query
async def notes(ctx: QueryCtx) -> list[str]:
    return [note["text"] for note in await ctx.db.query("notes").collect()]

@mutation
async def add(ctx: MutationCtx, text: str) -> str:
    identity = await ctx.auth.get_user_identity()
    signed = f"{'nobody' if identity is None else identity.name}: {text}"
    await ctx.db.insert("notes", {"text": signed})
    return signed

@action
async def asked(ctx: ActionCtx) -> dict | None:
    return await ctx.run_query(me)
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    issuer = TokenIssuer()
    yield issuer
    issuer.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, issuer: TokenIssuer) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("auth")
    for folder in ("convex", "public"):
        (directory / folder).mkdir()
    (directory / "convex" / "auth_config.py").write_text(AUTH_CONFIG)
    (directory / "convex" / "who.py").write_text(WHO)
    command = ("serve", "--port", "0", "--site-port", "0", "--public", "public")
    server = ServerProcess(directory, *command).start()
    changes = [{"name": "AUTH_ISSUER", "value": issuer.url}]
    headers = {"Content-Type": "application/json", "Authorization": f"Convex {server.admin_key}"}
    body = json.dumps({"changes": changes}).encode()
    urlopen(Request(f"{server.url}/api/update_environment_variables", body, headers)).close()
    server.cli("deploy")
    yield server
    server.close()


def test_a_page_stays_signed_in(
    server: ServerProcess,
    issuer: TokenIssuer,
    bundle: Callable[[Path, Path], None],
    chromium: str,
    node_script: Callable[..., str],
) -> None:
    public = server.directory / "public"
    shutil.copy(CLIENTS / "pages" / "auth.html", public)
    bundle(CLIENTS / "pages" / "auth.tsx", public / "auth.js")
    node_script("auth_page.mjs", server.url, CHROMIUM=chromium, ISSUER=issuer.url)


def test_the_python_clients_sign_in(server: ServerProcess, issuer: TokenIssuer) -> None:
    http = ConvexHttpClient(server.url)
    assert http.query("who:me") is None
    http.set_auth(issuer.token(name="Ada"))
    assert http.query("who:me")["name"] == "Ada"
    http.set_auth(issuer.token(-1))
    with pytest.raises(Exception, match="401"):
        http.query("who:me")

    client = ConvexClient(server.url)
    updates = client.subscribe("who:me", {})
    assert next(updates) is None
    client.set_auth(issuer.token(name="Ada"))
    assert next(updates)["tokenIdentifier"] == f"{issuer.url}|ada"
    assert client.mutation("who:add", {"text": "hello"}) == "Ada: hello"
    client.set_auth(None)
    assert next(identity for identity in updates if identity is None) is None
    updates.unsubscribe()
