"""Who calls: nobody, a signed-in user, an administrator (perhaps acting as a user), or the server itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Literal

import orjson
from msgspec import Struct

from parabola.values.errors import BadRequest

__all__ = ["NO_IDENTITY", "SYSTEM_IDENTITY", "Identity", "IdentityKind"]

IdentityKind = Literal["none", "user", "admin", "system"]


class Identity(Struct, frozen=True, dict=True):
    """The caller of a function.

    `attributes` is the JSON object that `getUserIdentity` answers with (sync-and-http §6.3), or `None` when
    there is no user to speak of. An administrator acting as a user carries that user's attributes and keeps
    an administrator's rights.
    """

    kind: IdentityKind = "none"
    attributes: Mapping[str, Any] | None = None
    read_only: bool = False
    admin_name: str | None = None
    """The name in an administrator's key: who changed something, in the audit log."""

    @property
    def is_admin(self) -> bool:
        """True when internal and system functions may be called."""
        return self.kind in ("admin", "system")

    @cached_property
    def cache_key(self) -> str:
        """Two identities with equal keys get the same answer from the same function (semantics §6.2)."""
        kind = f"{self.kind} reader" if self.read_only else self.kind
        if self.attributes is None:
            return kind
        canonical = orjson.dumps(dict(self.attributes), option=orjson.OPT_SORT_KEYS)
        return f"{kind}:{hashlib.sha256(canonical).hexdigest()}"

    @property
    def caller(self) -> str:
        """Names the caller across tokens: a new token of the same user is the same caller."""
        if self.attributes is None:
            return self.kind
        return f"{self.kind}:{self.attributes.get('tokenIdentifier')}"

    @cached_property
    def attributes_json(self) -> bytes:
        """The attributes as JSON, `null` without."""
        return b"null" if self.attributes is None else orjson.dumps(dict(self.attributes))

    def require_writable(self) -> Identity:
        """The identity itself. Raises BadRequest (InvalidIdentity) when its attributes cannot be handed to
        functions: they come from outside, as deep and as large as JSON may be.
        """
        try:
            self.attributes_json  # noqa: B018
        except TypeError as error:
            raise BadRequest(
                f"The identity has attributes that functions cannot be given: {error}.",
                code="InvalidIdentity",
            ) from None
        return self

    @staticmethod
    def user(attributes: Mapping[str, Any]) -> Identity:
        """A user whose token has been verified. Raises BadRequest as `require_writable` does."""
        return Identity("user", attributes).require_writable()

    @staticmethod
    def admin(
        acting_as: Mapping[str, Any] | None = None, *, read_only: bool = False, name: str | None = None
    ) -> Identity:
        """The holder of an admin key, plain or acting as a user. Raises BadRequest as `require_writable`
        does.
        """
        return Identity("admin", acting_as, read_only, name).require_writable()


NO_IDENTITY: Final = Identity()
SYSTEM_IDENTITY: Final = Identity("system")
