"""Signing in: from a token to what `ctx.auth` says, by the deployment's own auth config."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.functions.processes.host_set import HostConfig
from parabola.server.app import Server
from parabola.services.deploys.push import Push
from parabola.values.errors import BadRequest, Unauthenticated

KEY = RSAKey.generate_key(2048, {"kid": "k"})
KEYS = base64.b64encode(json.dumps({"keys": [KEY.as_dict(private=False)]}).encode()).decode()

AUTH = f"""
import os

auth_config = {{
    "providers": [
        {{
            "type": "customJwt",
            "issuer": os.environ["ISSUER"],
            "jwks": "data:application/json;base64,{KEYS}",
            "algorithm": "RS256",
            "applicationID": "app",
        }}
    ]
}}
"""

WHO = """
from parabola import QueryCtx, query

@query
async def am_i(ctx: QueryCtx) -> str | None:
    identity = await ctx.auth.get_user_identity()
    return None if identity is None else identity["name"]
"""


def token(**claims: Any) -> str:
    told = {"iss": "http://issuer.local", "sub": "ann", "aud": "app", "exp": int(time.time()) + 60, **claims}
    return jwt.encode({"alg": "RS256", "kid": "k"}, told, KEY)


def push(**files: str) -> Push:
    return Push("python", tuple(Module(f"{name}.py", "python", source) for name, source in files.items()))


async def test_a_token_of_a_configured_issuer_is_the_identity_that_functions_see(tmp_path: Path) -> None:
    backend = await Backend.open(BackendConfig(tmp_path))
    try:
        await backend.change_environment({"ISSUER": "http://issuer.local"})
        await backend.deploy(push(who=WHO, auth_config=AUTH))
        ann = await backend.authenticate(token(name="Ann"))
        assert (await backend.query(client_call("who:am_i", {}, ann))).value == "Ann"
        assert (await backend.query(client_call("who:am_i", {}))).value is None
        for bad in (token(aud="other"), token(exp=1), token(name="Ann")[:-3] + "abc", "nonsense"):
            with pytest.raises(Unauthenticated):
                await backend.authenticate(bad)
    finally:
        await backend.close()


async def test_a_variable_that_the_auth_config_needs_must_be_set(tmp_path: Path) -> None:
    backend = await Backend.open(BackendConfig(tmp_path))
    try:
        with pytest.raises(
            BadRequest, match="Environment variable ISSUER is used in auth config file"
        ) as caught:
            await backend.deploy(push(auth_config=AUTH))
        assert caught.value.code == "AuthConfigMissingEnvironmentVariable"
        await backend.deploy(push(who=WHO))
        assert (await backend.query(client_call("who:am_i", {}, Identity.user({"name": "Bo"})))).value == "Bo"
    finally:
        await backend.close()


OWN_ISSUER = """
import os
providers = [{"domain": os.environ["CONVEX_SITE_URL"], "applicationID": "app"}]
"""
OWN_DOCUMENTS = """
from parabola import *

http = http_router()

@http.route(path="/.well-known/openid-configuration", method="GET")
def describe(ctx: SyncActionCtx, request: SyncRequest) -> Response:
    issuer = env["CONVEX_SITE_URL"]
    return Response.json({"issuer": issuer, "jwks_uri": issuer + "/keys"})

@http.route(path="/keys", method="GET")
def keys(ctx: SyncActionCtx, request: SyncRequest) -> Response:
    return Response(env["KEYS"], headers={"content-type": "application/json"})
"""


async def test_a_deployment_may_sign_people_in_by_itself(tmp_path: Path, unused_tcp_port: int) -> None:
    """Its own HTTP actions publish its keys; where they are may change from one start to the next."""
    backend = await Backend.open(BackendConfig(tmp_path, site_url="https://before.example"))
    try:
        await backend.change_environment({"KEYS": base64.b64decode(KEYS).decode()})
        await backend.deploy(push(who=WHO, auth_config=OWN_ISSUER, http=OWN_DOCUMENTS))
        assert backend.deployment.auth_providers[0]["domain"] == "https://before.example"
    finally:
        await backend.close()
    backend = await Backend.open(BackendConfig(tmp_path, hosts=HostConfig(commands={})))
    assert backend.deployment.auth_providers[0]["domain"] == "https://before.example", "as far as it can tell"
    await backend.close()
    site = f"http://127.0.0.1:{unused_tcp_port}"
    backend = await Backend.open(BackendConfig(tmp_path, site_url=site))
    server = Server(backend, port=0, site_port=unused_tcp_port)
    try:
        await server.start()
        ann = await backend.authenticate(token(iss=site, name="Ann"))
        assert (await backend.query(client_call("who:am_i", {}, ann))).value == "Ann"
        with pytest.raises(Unauthenticated, match="No auth provider found"):
            await backend.authenticate(token(iss="https://before.example"))
    finally:
        await server.stop()
        await backend.close()
