"""Parabola: the Convex reactive backend, written in Python.

What an author of functions needs is here::

    from parabola import Id, MutationCtx, QueryCtx, mutation, query, v
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from parabola._version import __version__ as __version__

if TYPE_CHECKING:
    from parabola.authoring.offered import (
        COMMIT_TS,
        UNDEFINED,
        ActionCtx,
        Blob,
        ConvexError,
        Doc,
        Document,
        FormData,
        FormFile,
        FunctionHandle,
        Headers,
        HttpRouter,
        Id,
        Int64,
        MutationCtx,
        NewDoc,
        PaginationOpts,
        PaginationResult,
        PatchDoc,
        QueryCtx,
        Request,
        Response,
        SyncActionCtx,
        SyncMutationCtx,
        SyncQueryCtx,
        SyncRequest,
        UserIdentity,
        action,
        api,
        audit_vars,
        components,
        cron_jobs,
        define_app,
        define_component,
        define_schema,
        define_table,
        env,
        http_action,
        http_router,
        internal,
        internal_action,
        internal_mutation,
        internal_query,
        mutation,
        pagination_opts,
        query,
        trace_headers,
        v,
    )

__all__ = [
    "COMMIT_TS",
    "UNDEFINED",
    "ActionCtx",
    "Blob",
    "ConvexError",
    "Doc",
    "Document",
    "FormData",
    "FormFile",
    "FunctionHandle",
    "Headers",
    "HttpRouter",
    "Id",
    "Int64",
    "MutationCtx",
    "NewDoc",
    "PaginationOpts",
    "PaginationResult",
    "PatchDoc",
    "QueryCtx",
    "Request",
    "Response",
    "SyncActionCtx",
    "SyncMutationCtx",
    "SyncQueryCtx",
    "SyncRequest",
    "UserIdentity",
    "action",
    "api",
    "audit_vars",
    "components",
    "cron_jobs",
    "define_app",
    "define_component",
    "define_schema",
    "define_table",
    "env",
    "http_action",
    "http_router",
    "internal",
    "internal_action",
    "internal_mutation",
    "internal_query",
    "mutation",
    "pagination_opts",
    "query",
    "trace_headers",
    "v",
]


def __getattr__(name: str) -> Any:
    """The names above, from when one is first asked for: a server runs without any of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    offered = import_module("parabola.authoring.offered")
    globals().update({each: getattr(offered, each) for each in __all__})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
