"""What an application and its requests carry for everything that handles them."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from parabola.server.http.intake import Intake, Lease
from parabola.server.http.rules import ServerRules

__all__ = ["INTAKE", "LEASE", "RULES", "rules_of"]

RULES: Final = web.AppKey("rules", ServerRules)
INTAKE: Final = web.AppKey("intake", Intake)
LEASE: Final = web.RequestKey("lease", Lease)


def rules_of(request: web.Request) -> ServerRules:
    """The rules of the server that has received a request."""
    return request.app[RULES]
