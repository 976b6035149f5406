"""Which admin keys a deployment has seen, and taking them no more: endpoints of our own."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web
from msgspec import UNSET

from parabola.server.http.credentials import begin_change, require_admin
from parabola.server.http.json_body import read_json, read_object
from parabola.server.served_backend import ServedBackend
from parabola.services.sign_in.known_admin_keys import AdminKeyRow, AdminKeys
from parabola.values.errors import BadRequest

__all__ = ["KeptKeysBackend", "routes"]


class KeptKeysBackend(ServedBackend, Protocol):
    """A backend whose admin keys can be revoked."""

    @property
    def admin_keys(self) -> AdminKeys: ...


def routes(backend: KeptKeysBackend) -> list[web.RouteDef]:
    """The endpoints of `parabola admin-key list` and `revoke`, and of the dashboard's settings."""

    async def list_keys(request: web.Request) -> web.Response:
        await require_admin(request, backend)
        keys = backend.admin_keys
        return web.json_response({"keys": [_shown(keys, row, used) for row, used in keys.seen]})

    async def revoke(request: web.Request) -> web.Response:
        await begin_change(request, backend, "RevokeAdminKeys")
        fields = read_object(await read_json(request), keyId=(str, type(None)), all=(bool, type(None)))
        if bool(fields["all"]) == (fields["keyId"] is not None):
            raise BadRequest("Give `keyId`, or `all: true`.", code="BadJsonBody")
        if fields["keyId"] is None:
            await backend.admin_keys.revoke_all()
        else:
            await backend.admin_keys.revoke(fields["keyId"])
        return web.json_response({})

    async def make(request: web.Request) -> web.Response:
        await begin_change(request, backend, "MakeAdminKeys")
        fields = read_object(await read_json(request), name=str, isReadOnly=(bool, type(None)))
        if not fields["name"].strip():
            raise BadRequest("Give the key a name: it is what the history says then.", code="BadJsonBody")
        key = await backend.admin_keys.make(fields["name"].strip(), read_only=bool(fields["isReadOnly"]))
        return web.json_response({"adminKey": key}, headers={"Cache-Control": "no-store"})

    return [
        web.get("/api/parabola/admin_keys", list_keys),
        web.post("/api/parabola/admin_keys/make", make),
        web.post("/api/parabola/admin_keys/revoke", revoke),
    ]


def _shown(keys: AdminKeys, row: AdminKeyRow, used: float | None) -> dict[str, Any]:
    return {
        "keyId": row.key_id,
        "name": row.name,
        "issuedAt": row.issued_at,
        "isReadOnly": row.is_read_only,
        "isRevoked": keys.is_revoked(row),
        "revokedAt": None if row.revoked_at is UNSET else row.revoked_at,
        "lastUsedAt": used,
    }
