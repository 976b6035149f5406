"""`ctx.auth`: who calls."""

from __future__ import annotations

from typing import Any

from parabola.authoring.operations import SYSCALL_VERSION, Operation, Pending, Syscalls, Wait, async_only

__all__ = ["Auth", "BaseAuth", "SyncAuth", "UserIdentity"]


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

    def _get_user_identity(self) -> Pending[UserIdentity | None]:
        args = {"requestId": self._syscalls.request_id}
        return Operation(self._syscalls.call("1.0/getUserIdentity", args), _identity)

    def _sign_jwt(self, claims: dict[str, Any]) -> Pending[str]:
        args = {"requestId": self._syscalls.request_id, "version": SYSCALL_VERSION, "claims": claims}
        return Operation(self._syscalls.call("1.0/signJwt", args))


class Auth(BaseAuth):
    """`ctx.auth` in `async def` functions."""

    def get_user_identity(self) -> Pending[UserIdentity | None]:
        """The caller's claims, `None` when nobody is signed in."""
        return self._get_user_identity()

    def sign_jwt(self, claims: dict[str, Any]) -> Pending[str]:
        """A token with these claims, signed by the deployment (mutations only)."""
        return self._sign_jwt(claims)


class SyncAuth(BaseAuth):
    """`ctx.auth` in plain `def` functions."""

    def get_user_identity(self) -> UserIdentity | None:
        """The caller's claims, `None` when nobody is signed in."""
        return self._wait(self._get_user_identity())

    def sign_jwt(self, claims: dict[str, Any]) -> str:
        """A token with these claims, signed by the deployment (mutations only)."""
        return self._wait(self._sign_jwt(claims))


def _identity(json: Any) -> UserIdentity | None:
    return None if json is None else UserIdentity(json)
