"""Who a request speaks for: bearer tokens, admin keys, admins acting as a user.

Specified in sync-and-http 2.2 and 6.4, deploy-api 3.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from parabola.functions.deployed.deployment_events import note_administrator
from parabola.functions.deployed.identity import NO_IDENTITY, Identity
from parabola.server.served_backend import ServedBackend
from parabola.values.errors import BadRequest, Forbidden

__all__ = [
    "SHORTEST_AUTHORIZATION",
    "admin_identity",
    "begin_change",
    "check_writer",
    "checked_admin",
    "identify",
    "identity_behind",
    "require_admin",
    "require_admin_of_link",
    "split_admin_header",
    "user_attributes",
]

SHORTEST_AUTHORIZATION: Final = 7
_HEX: Final = re.compile("[0-9a-f]+")


async def identify(request: web.Request, backend: ServedBackend) -> Identity:
    """The identity a request states in its `Authorization` header, nobody without one.

    Raises BadRequest for a header that is neither, Unauthenticated for a token or key that is not good.
    """
    return await identity_behind(request.headers.get("Authorization"), backend)


async def identity_behind(header: str | None, backend: ServedBackend) -> Identity:
    """As `identify`, for the header alone."""
    if header is None:
        return NO_IDENTITY
    if len(header) < SHORTEST_AUTHORIZATION:
        raise BadRequest("The Authorization header is too short", code="InvalidHeaderFailure")
    scheme, _, value = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return await backend.authenticate(value.strip())
        case "convex":
            key, acting_as = split_admin_header(value.strip())
            return admin_identity(backend, key, acting_as)
        case _:
            raise BadRequest(
                "The Authorization header must be 'Bearer <token>' or 'Convex <admin key>'",
                code="InvalidAdminKey",
            )


async def require_admin_of_link(request: web.Request, backend: ServedBackend) -> Identity:
    """As `require_admin`, for what a browser downloads by following a link: that can carry no header, so
    the key may also stand in the URL, as `?adminKey=`. Nowhere else: URLs get into logs and histories.
    """
    key = request.query.get("adminKey")
    if key is not None and "Authorization" not in request.headers:
        return backend.check_admin_key(key)
    return await require_admin(request, backend)


async def require_admin(request: web.Request, backend: ServedBackend) -> Identity:
    """The admin a request comes from. Raises Forbidden (BadDeployKey) when it comes from anybody else."""
    return checked_admin(await identify(request, backend))


def checked_admin(identity: Identity) -> Identity:
    """Raises Forbidden (BadDeployKey) for anybody else than an admin."""
    if not identity.is_admin:
        raise Forbidden(
            "This endpoint needs an admin key: send 'Authorization: Convex <admin key>'", code="BadDeployKey"
        )
    return identity


async def begin_change(request: web.Request, backend: ServedBackend, operation: str) -> None:
    """Let a request change things: it comes from an admin whose key is not read-only, and who from here on is
    named in the history of what it changes. Raises Forbidden (BadDeployKey, OperationNotPermitted).
    """
    identity = await require_admin(request, backend)
    check_writer(identity, operation)
    note_administrator(identity)


def check_writer(identity: Identity, operation: str) -> None:
    """Raises Forbidden (OperationNotPermitted) for an admin who may only read. `operation` is what the
    official server calls it.
    """
    if identity.read_only:
        raise Forbidden(
            f"You do not have permission to perform this operation ({operation}). "
            "Use a key that is not read-only.",
            code="OperationNotPermitted",
        )


def split_admin_header(text: str) -> tuple[str, dict[str, Any] | None]:
    """`KEY` or `KEY:BASE64(JSON identity)`. The key's name may itself be prefixed, as in
    `prod:name|hex`, or be missing.
    """
    name, bar, rest = text.rpartition("|")
    secret, colon, encoded = rest.partition(":")
    if not colon or not (bar or _HEX.fullmatch(secret)):
        return text, None
    try:
        attributes = orjson.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        attributes = None
    if not isinstance(attributes, dict):
        raise BadRequest(
            "The identity behind the admin key is not a base64-encoded JSON object", code="InvalidAdminKey"
        )
    return f"{name}{bar}{secret}", attributes


def admin_identity(backend: ServedBackend, key: str, acting_as: Mapping[str, Any] | None) -> Identity:
    """The admin behind `key`, acting as the user with these attributes if there are any."""
    admin = backend.check_admin_key(key)
    if not acting_as:
        return admin
    return Identity.admin(user_attributes(acting_as), read_only=admin.read_only, name=admin.admin_name)


def user_attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    """A whole UserIdentity from what an admin gave of it. Raises BadRequest when it names nobody."""
    attributes = {name: value for name, value in given.items() if value is not None}
    token_identifier = attributes.get("tokenIdentifier")
    if token_identifier is None and {"issuer", "subject"} <= attributes.keys():
        attributes["tokenIdentifier"] = f"{attributes['issuer']}|{attributes['subject']}"
    elif isinstance(token_identifier, str):
        issuer, _, subject = token_identifier.rpartition("|")
        attributes.setdefault("issuer", issuer)
        attributes.setdefault("subject", subject)
    else:
        raise BadRequest(
            "An identity to act as needs a tokenIdentifier, or an issuer and a subject",
            code="InvalidAdminKey",
        )
    return attributes
