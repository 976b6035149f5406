"""Tokens that a deployment signs itself: in both languages, for the world, and for itself."""

from __future__ import annotations

import asyncio
import time
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.database.database import Database
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import SYSTEM_IDENTITY
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.deploys.push import Push
from parabola.services.sign_in.signing_keys import SIGNING_KEYS, SigningKeyRow, SigningKeys
from parabola.values.errors import BadRequest
from parabola.values.limits import MAX_TOKEN_SECONDS
from services.archive_driver import finished

SECRET = "ef" * 32

PYTHON = """
from parabola import ActionCtx, MutationCtx, QueryCtx, SyncMutationCtx, action, internal, mutation, query
from typing import Any

@mutation
async def sign(ctx: MutationCtx, claims: dict[str, Any], seconds: float) -> str:
    return await ctx.auth.sign_jwt(claims, expires_in_seconds=seconds)

@mutation
def sign_at_once(ctx: SyncMutationCtx) -> str:
    return ctx.auth.sign_jwt(expires_in_seconds=60)

@query
async def asked_in_a_query(ctx: QueryCtx) -> str:
    return await ctx.auth.sign_jwt({}, expires_in_seconds=60)

@query
async def who(ctx: QueryCtx) -> str | None:
    identity = await ctx.auth.get_user_identity()
    return None if identity is None else identity["tokenIdentifier"]
"""

# What the official library and bundler make of a mutation, in the fewest words.
TYPESCRIPT = """
const sign = () => {};
sign.isMutation = true;
sign.isPublic = true;
sign.exportArgs = () => '{"type":"any"}';
sign.exportReturns = () => "null";
sign.invokeMutation = async (args) => {
  const [{ claims, seconds }] = JSON.parse(args);
  const asked = JSON.stringify({ requestId: "", version: "1.49.0", claims, expiresInSeconds: seconds });
  return await Convex.asyncSyscall("1.0/signJwt", asked);
};
export { sign };
"""

AUTH = """
import os

auth_config = {
    "providers": [
        {
            "type": "customJwt",
            "issuer": os.environ["CONVEX_CLOUD_URL"],
            "jwks": os.environ["CONVEX_CLOUD_URL"] + "/.well-known/jwks.json",
            "algorithm": "ES256",
            "applicationID": "ours",
        }
    ]
}
"""


@asynccontextmanager
async def opened(directory: Path, cloud_url: str = "https://cloud.example") -> AsyncIterator[Backend]:
    backend = await Backend.open(BackendConfig(directory, cloud_url=cloud_url, instance_secret=SECRET))
    try:
        yield backend
    finally:
        await backend.close()


def python_push(**files: str) -> Push:
    return Push("python", tuple(Module(f"{name}.py", "python", source) for name, source in files.items()))


async def signed(backend: Backend, name: str = "tokens:sign", **args: Any) -> str:
    result = await backend.mutation(client_call(name, args))
    assert result.error is None, result.error
    return str(result.value)


async def checked(backend: Backend, token: str) -> Any:
    """The token, verified as anybody would with the published keys."""
    keys = KeySet.import_key_set(await backend.signing_keys.key_set())  # type: ignore[arg-type]
    return jwt.decode(token, keys, algorithms=["ES256"])


@pytest.mark.parametrize("language", ["python", "typescript"])
async def test_a_mutation_signs_what_anyone_can_verify(tmp_path: Path, language: str) -> None:
    async with opened(tmp_path) as backend:
        typescript = Push("typescript", (Module("tokens.js", "isolate", TYPESCRIPT),))
        await backend.deploy(python_push(tokens=PYTHON) if language == "python" else typescript)
        before = int(time.time())
        given = {"sub": "ann", "aud": ["a", "b"], "deep": {"x": [1, None]}}
        token = await checked(backend, await signed(backend, claims=given, seconds=90))
        claims = token.claims
        assert before <= claims["iat"] <= time.time()
        assert claims == {
            **given,
            "iss": "https://cloud.example",
            "iat": claims["iat"],
            "exp": claims["iat"] + 90,
        }
        (key,) = (await backend.signing_keys.key_set())["keys"]
        assert token.header == {"alg": "ES256", "typ": "JWT", "kid": key["kid"]}


async def test_plain_functions_sign_too_and_queries_are_told_to_ask_a_mutation(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.deploy(python_push(tokens=PYTHON))
        token = await checked(backend, await signed(backend, "tokens:sign_at_once"))
        assert set(token.claims) == {"iss", "iat", "exp"}
        refused = await backend.query(client_call("tokens:asked_in_a_query", {}))
        assert refused.error is not None
        assert "Only mutations sign tokens" in refused.error.message


@pytest.mark.parametrize("name", ["iss", "iat", "exp", "nbf", "convexUser", "CONVEX", "cvx", "CvX_a"])
async def test_claims_of_the_server_are_not_to_be_set(tmp_path: Path, name: str) -> None:
    async with opened(tmp_path) as backend:
        with pytest.raises(BadRequest, match=f"The claim `{name}` is not yours to set"):
            await backend.signing_keys.sign({name: 1}, 60)


@pytest.mark.parametrize("seconds", [0, 0.5, -1, MAX_TOKEN_SECONDS + 1, float("nan"), float("inf")])
async def test_a_token_ends_within_an_hour(tmp_path: Path, seconds: float) -> None:
    async with opened(tmp_path) as backend:
        with pytest.raises(BadRequest, match=r"valid for 1 to 3600 seconds"):
            await backend.signing_keys.sign({}, seconds)
        for good in (1, 1.5, MAX_TOKEN_SECONDS):
            claims = (await checked(backend, await backend.signing_keys.sign({}, good))).claims
            assert claims["exp"] - claims["iat"] == int(good)


async def test_what_is_wrong_with_the_options_is_an_error_that_the_function_may_catch(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.deploy(Push("typescript", (Module("tokens.js", "isolate", TYPESCRIPT),)))
        for args, text in (
            ({"claims": {}}, "missing field `expiresInSeconds`"),
            ({"claims": {}, "seconds": "60"}, "expected a number of seconds"),
            ({"claims": [], "seconds": 60}, "Invalid argument `claims` for `auth.signJwt`"),
            ({"claims": {"exp": 1}, "seconds": 60}, "The claim `exp` is not yours to set"),
            ({"claims": {}, "seconds": 0}, "Invalid argument `expiresInSeconds` for `auth.signJwt`"),
        ):
            refused = await backend.mutation(client_call("tokens:sign", args))
            assert refused.error is not None
            assert text in refused.error.message


async def test_the_key_is_one_for_ever_and_only_its_public_half_is_shown(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        published = await asyncio.gather(*(backend.signing_keys.key_set() for _ in range(5)))
        token = await backend.signing_keys.sign({}, 60)
    (key,) = published[0]["keys"]
    assert published == [published[0]] * 5
    assert key == {
        "kty": "EC",
        "crv": "P-256",
        "alg": "ES256",
        "use": "sig",
        "kid": key["kid"],
        "x": key["x"],
        "y": key["y"],
    }
    async with opened(tmp_path) as backend:
        assert await backend.signing_keys.key_set() == published[0]
        assert (await checked(backend, token)).claims["iss"] == "https://cloud.example"
        (row,) = await system_rows(backend.database.begin(), SIGNING_KEYS)
        stored = SigningKeyRow.of(row)
        assert b"PRIVATE KEY" in stored.private_key
        assert "PRIVATE" not in repr(stored)
        page = {"table": SIGNING_KEYS, "paginationOpts": {"numItems": 5.0, "cursor": None}}
        for tool, args in (
            ("frontend/listTableScan", {"table": SIGNING_KEYS, "limit": 5.0}),
            ("frontend/paginatedTableDocuments", page),
            ("frontend/getById", {"id": stored.id}),
            ("cli/tableData", {**page, "order": "asc"}),
        ):
            answer = await backend.query(client_call(f"_system/{tool}", args, SYSTEM_IDENTITY))
            assert "PRIVATE" not in str(answer.value)
            assert stored.id not in str(answer.value)


async def test_two_servers_at_once_make_one_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        database: Database = backend.database
        several = [SigningKeys(database, "https://cloud.example") for _ in range(4)]
        sets = await asyncio.gather(*(one.key_set() for one in several))
        assert sets == [sets[0]] * 4
        assert len(await system_rows(database.begin(), SIGNING_KEYS)) == 1


async def test_exports_do_not_carry_it(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as backend:
        await backend.signing_keys.key_set()
        archive = await finished(backend, await backend.exports.request(include_storage=True))
        with zipfile.ZipFile(archive.path) as entries:
            assert entries.namelist()
            for name in entries.namelist():
                assert SIGNING_KEYS not in name
                assert b"PRIVATE" not in entries.read(name)


async def test_the_deployment_believes_its_own_tokens(tmp_path: Path) -> None:
    """Its public address need not lead to it: `cloud.example` is nowhere."""
    async with opened(tmp_path) as backend:
        await backend.deploy(python_push(tokens=PYTHON, auth_config=AUTH))
        token = await signed(backend, claims={"sub": "ann", "aud": "ours"}, seconds=60)
        ann = await backend.authenticate(token)
        result = await backend.query(client_call("tokens:who", {}, ann))
        assert result.value == "https://cloud.example|ann"
