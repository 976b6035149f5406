"""What generated Python files begin with, and the modules that functions import at run time.

They do not depend on the project, so that a host has them for every one, whether or not they are written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = [
    "BESIDE",
    "GENERATED",
    "GENERATED_FOLDERS",
    "HEADER",
    "RE_EXPORTED",
    "RUNTIME_MODULES",
    "re_exports",
]

HEADER: Final = """\
# Written by Parabola from the functions in this folder. Do not edit: it is overwritten.
# fmt: off
# ruff: noqa
"""

RE_EXPORTED: Final = (
    "COMMIT_TS",
    "UNDEFINED",
    "Blob",
    "ConvexError",
    "Document",
    "Headers",
    "Id",
    "Int64",
    "PaginationOpts",
    "PaginationResult",
    "Request",
    "Response",
    "SyncRequest",
    "UserIdentity",
    "action",
    "audit_vars",
    "cron_jobs",
    "env",
    "http_action",
    "http_router",
    "internal_action",
    "internal_mutation",
    "internal_query",
    "mutation",
    "pagination_opts",
    "query",
    "v",
)
"""What `server` has of `parabola`, so that one import serves a module."""

_MADE: Final = (
    "ActionCtx",
    "Doc",
    "MutationCtx",
    "NewDoc",
    "PatchDoc",
    "QueryCtx",
    "SyncActionCtx",
    "SyncMutationCtx",
    "SyncQueryCtx",
    "api",
    "components",
    "internal",
)
"""What type checkers see in `server.pyi` as the schema makes it."""


def re_exports(names: Iterable[str]) -> str:
    """Import statements that offer `names` of `parabola` again."""
    return "".join(f"from parabola import {name} as {name}\n" for name in names)


_SERVER: Final = (
    HEADER
    + '"""What functions import: contexts, references, hints. `server.pyi` has their types."""\n\n'
    + re_exports(sorted((*RE_EXPORTED, *_MADE), key=str.lower))
    + "from parabola.authoring.database import DatabaseReader as DatabaseReader\n"
    + "from parabola.authoring.database import DatabaseWriter as DatabaseWriter\n"
    + "from parabola.authoring.database import SyncDatabaseReader as SyncDatabaseReader\n"
    + "from parabola.authoring.database import SyncDatabaseWriter as SyncDatabaseWriter\n"
)

_API: Final = (
    HEADER
    + '"""References to functions. `api.pyi` has their types."""\n\n'
    + re_exports(("api", "components", "internal"))
)

GENERATED: Final = "_generated"
BESIDE: Final = "python_generated"
GENERATED_FOLDERS: Final = (GENERATED, BESIDE)
"""Where they are: `npx convex` removes from `_generated` what it has not written, so in a project with
TypeScript functions they have a folder of their own. Both names can be imported everywhere."""

RUNTIME_MODULES: Final = {"__init__.py": HEADER, "server.py": _SERVER, "api.py": _API}
"""File name -> text of the modules in such a folder."""
