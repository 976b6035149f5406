"""The key pair with which a deployment signs tokens: `ctx.auth.signJwt` (js-runtime 1.7).

It is made when it is first needed, and kept in a system table of its own, which no function, no tool and no
export reads. Its public half is at `/.well-known/jwks.json`, where anyone may fetch it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.stored_rows import system_rows
from parabola.functions.syscalls.table import CallArguments
from parabola.services.threads import imported
from parabola.values.errors import BadRequest
from parabola.values.limits import MAX_TOKEN_SECONDS

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction
    from parabola.functions.calls.execution import Execution
    from parabola.functions.syscalls.table import SyscallTable
    from parabola.services.sign_in.key_pair import KeyPair

__all__ = ["KEY_SET_PATH", "SIGNING_KEYS", "SigningKeyRow", "SigningKeys"]

SIGNING_KEYS: Final = "_signing_keys"
KEY_SET_PATH: Final = "/.well-known/jwks.json"
"""Where the public keys are, below the address of the API."""

_RESERVED: Final = frozenset({"iss", "iat", "exp", "nbf"})
_RESERVED_PREFIXES: Final = ("convex", "cvx")


class SigningKeyRow(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_signing_keys`: the private key as PEM (PKCS 8)."""

    key_id: str
    private_key: bytes

    def __repr__(self) -> str:
        """Without the private key, which would get into a log."""
        return f"SigningKeyRow({self.key_id!r})"


class SigningKeys:
    """The keys of the deployment at `issuer`, the public address of its API."""

    def __init__(self, database: Database, issuer: str) -> None:
        self._database = database
        self._issuer = issuer
        self._key: KeyPair | None = None
        self._making = asyncio.Lock()

    @property
    def address(self) -> str:
        """Where `key_set` is published."""
        return self._issuer.rstrip("/") + KEY_SET_PATH

    def register(self, syscalls: SyscallTable) -> None:
        """Serve `ctx.auth.signJwt`."""
        syscalls.register("1.0/signJwt", self._sign_jwt, contexts=("mutation",))

    async def key_set(self) -> dict[str, Any]:
        """The public keys, as a JSON Web Key Set."""
        return {"keys": [(await self._signing_key()).public_half()]}

    async def sign(self, claims: Mapping[str, Any], seconds: float) -> str:
        """A token with `claims` that is valid from now on for `seconds` (1 to 3600).

        Raises `BadRequest` for a claim that the server sets or keeps for itself, and for another time.
        """
        _check_claims(claims)
        if not 1 <= seconds <= MAX_TOKEN_SECONDS:
            raise BadRequest(
                f"A token may be valid for 1 to {MAX_TOKEN_SECONDS} seconds (an hour), not for {seconds:g}. "
                "Sign a new one when it has ended.",
                code="InvalidTokenLifetime",
            )
        key = await self._signing_key()
        now = math.floor(self._database.now_ms() / 1000)
        told = {**claims, "iss": self._issuer, "iat": now, "exp": now + math.floor(seconds)}
        return key.sign(told)

    async def _sign_jwt(self, execution: Execution, args: Mapping[str, Any]) -> str:
        read = CallArguments(args, "auth.signJwt")
        seconds = args.get("expiresInSeconds")
        if seconds is None:
            raise read.missing("expiresInSeconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise read.bad("expiresInSeconds", "expected a number of seconds")
        claims = {} if args.get("claims") is None else read.object("claims")
        try:
            return await self.sign(claims, seconds)
        except BadRequest as error:
            name = "expiresInSeconds" if error.code == "InvalidTokenLifetime" else "claims"
            raise read.bad(name, error) from None

    async def _signing_key(self) -> KeyPair:
        if self._key is None:
            async with self._making:
                if self._key is None:
                    await imported("parabola.services.sign_in.key_pair")
                    from parabola.services.sign_in.key_pair import KeyPair

                    row = await self._database.transact(_stored_key, source="the key that signs tokens")
                    self._key = KeyPair.stored(row.key_id, row.private_key)
        return self._key


async def _stored_key(tx: Transaction) -> SigningKeyRow:
    """The newest key; one is made where there is none."""
    rows = [SigningKeyRow.of(row) for row in await system_rows(tx, SIGNING_KEYS)]
    if rows:
        return rows[-1]
    from parabola.services.sign_in.key_pair import KeyPair

    key_id, private_key = KeyPair.made()
    row = SigningKeyRow(key_id=key_id, private_key=private_key)
    await tx.insert_system(SIGNING_KEYS, row.fields())
    return row


def _check_claims(claims: Mapping[str, Any]) -> None:
    for name in claims:
        if name in _RESERVED or name.lower().startswith(_RESERVED_PREFIXES):
            raise BadRequest(
                f"The claim `{name}` is not yours to set: the server sets `iss`, `iat` and `exp`, and `nbf` "
                "and all names that begin with `convex` or `cvx` are reserved.",
                code="ReservedClaim",
            )
