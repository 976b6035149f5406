"""`parabola serve`: the server alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parabola.cli.options.server_command import server_command
from parabola.cli.server.serving import serve_with

__all__ = ["serve"]


def _serve(values: Mapping[str, Any]) -> None:
    """Serve a deployment. Functions come to it by [b]parabola deploy[/b] or [b]npx convex deploy[/b].

    Options come from flags, from environment variables, from a file: in this order.
    """
    serve_with(values)


serve = server_command(_serve)
