"""`ctx.auth`: who calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from parabola.authoring.absent import absent, snake_case
from parabola.authoring.operations import SYSCALL_VERSION, Operation, Pending, Syscalls, Wait, async_only

__all__ = ["Auth", "BaseAuth", "MutationAuth", "SyncAuth", "SyncMutationAuth", "UserIdentity"]


class UserIdentity(dict[str, Any]):
    """The claims of a signed-in caller, as they came: `identity["email"]`, or `identity.email`.

    `tokenIdentifier`, `issuer` and `subject` are always there, the others when the token has them
    (js-runtime 1.10). As attributes they are spelled in snake case, and absent ones are `None`.
    """

    @property
    def token_identifier(self) -> str:
        """Issuer and subject in one string: unique for ever, so a good key for a users table."""
        return str(self["tokenIdentifier"])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        head, *rest = name.split("_")
        return self.get(head + "".join(part.capitalize() for part in rest), self.get(name))


class BaseAuth:
    """What both styles share."""

    def __init__(self, syscalls: Syscalls, wait: Wait = async_only) -> None:
        self._syscalls = syscalls
        self._wait = wait

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if snake_case(name) == "sign_jwt":
                raise AttributeError("Only mutations sign tokens: call one with `ctx.run_mutation` for it.")
            raise absent(self, "ctx.auth", name)

    def _get_user_identity(self) -> Pending[UserIdentity | None]:
        args = {"requestId": self._syscalls.request_id}
        return Operation(self._syscalls.call("1.0/getUserIdentity", args), _identity)

    def _sign_jwt(self, claims: Mapping[str, Any] | None, expires_in_seconds: float) -> Pending[str]:
        args: dict[str, Any] = {"requestId": self._syscalls.request_id, "version": SYSCALL_VERSION}
        if claims is not None:
            args["claims"] = dict(claims)
        args["expiresInSeconds"] = expires_in_seconds
        return Operation(self._syscalls.call("1.0/signJwt", args))


class Auth(BaseAuth):
    """`ctx.auth` in `async def` functions."""

    def get_user_identity(self) -> Pending[UserIdentity | None]:
        """The caller's claims, `None` when nobody is signed in."""
        return self._get_user_identity()


class MutationAuth(Auth):
    """`ctx.auth` in mutations, which may also sign tokens."""

    def sign_jwt(self, claims: Mapping[str, Any] | None = None, *, expires_in_seconds: float) -> Pending[str]:
        """A JSON Web Token with these claims (any JSON), signed with ES256 by the deployment's own key.

        It is valid for `expires_in_seconds`, from 1 to 3600. The server adds `iat`, `exp` and `iss`, which is
        `CONVEX_CLOUD_URL`; those claims, `nbf` and all that begin with `convex` or `cvx` are not yours to
        set. Anyone may read the claims, and verify the token with the keys at
        `{CONVEX_CLOUD_URL}/.well-known/jwks.json`. A token cannot be revoked: keep its life short
        (js-runtime 1.7).
        """
        return self._sign_jwt(claims, expires_in_seconds)


class SyncAuth(BaseAuth):
    """`ctx.auth` in plain `def` functions."""

    def get_user_identity(self) -> UserIdentity | None:
        """The caller's claims, `None` when nobody is signed in."""
        return self._wait(self._get_user_identity())


class SyncMutationAuth(SyncAuth):
    """`ctx.auth` in mutations that are plain `def` functions."""

    def sign_jwt(self, claims: Mapping[str, Any] | None = None, *, expires_in_seconds: float) -> str:
        """A JSON Web Token with these claims, signed by the deployment, valid for `expires_in_seconds` (1 to
        3600); see `MutationAuth.sign_jwt`.
        """
        return self._wait(self._sign_jwt(claims, expires_in_seconds))


def _identity(json: Any) -> UserIdentity | None:
    return None if json is None else UserIdentity(json)
