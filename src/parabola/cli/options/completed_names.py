"""Names that a shell completes: of functions and tables, as the server that runs here has them.

Whoever presses a key waits for it, so there is no answer where the server has none at once; nothing is said.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Final

from parabola.cli.admin_client import AdminClient
from parabola.cli.target import Target, running_in
from parabola.functions.deployed.function_path import strip_extension

__all__ = ["function_names", "table_names"]

_PATIENCE_SECONDS: Final = 1.0


def function_names(incomplete: str) -> list[str]:
    """Functions that begin so, with dots: bash takes a colon for the end of a word, and `run` takes both."""
    asked = _asked("_system/cli/modules:apiSpec", {})
    names = [_dotted(each["identifier"]) for each in asked or () if "identifier" in each]
    return sorted(name for name in names if name.startswith(incomplete))


def table_names(incomplete: str) -> list[str]:
    """Tables that begin so."""
    page = _asked("_system/cli/tables:default", {"paginationOpts": {"cursor": None, "numItems": 1000}})
    names = [table["name"] for table in (page or {"page": []})["page"]]
    return sorted(name for name in names if name.startswith(incomplete))


def _dotted(identifier: str) -> str:
    module, _, name = identifier.partition(":")
    return f"{strip_extension(module).replace('/', '.')}.{name or 'default'}"


def _asked(function: str, args: dict[str, Any]) -> Any:
    before = socket.getdefaulttimeout()
    try:
        running = running_in(Path.cwd())
        if running is None:
            return None
        socket.setdefaulttimeout(_PATIENCE_SECONDS)
        return AdminClient(Target(running.url, running.admin_key)).call(function, args)
    except Exception:  # of whatever kind: nobody wants to read it while typing
        return None
    finally:
        socket.setdefaulttimeout(before)
