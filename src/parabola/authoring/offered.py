"""What `from parabola import ...` offers to authors of functions."""

from __future__ import annotations

from parabola.authoring.audit import audit_vars
from parabola.authoring.auth import UserIdentity
from parabola.authoring.blobs import Blob
from parabola.authoring.components import define_app, define_component
from parabola.authoring.context import (
    ActionCtx,
    MutationCtx,
    QueryCtx,
    SyncActionCtx,
    SyncMutationCtx,
    SyncQueryCtx,
)
from parabola.authoring.crons import cron_jobs
from parabola.authoring.environment import env
from parabola.authoring.form_data import FormData, FormFile
from parabola.authoring.functions import (
    action,
    internal_action,
    internal_mutation,
    internal_query,
    mutation,
    query,
)
from parabola.authoring.http import HttpRouter, http_action, http_router
from parabola.authoring.http_messages import Headers, Request, Response, SyncRequest
from parabola.authoring.pagination import PaginationOpts, PaginationResult, pagination_opts
from parabola.authoring.query_stream import Document
from parabola.authoring.references import api, components, internal
from parabola.authoring.tracing import trace_headers
from parabola.values.errors import ConvexError
from parabola.values.hints.documents import Doc, NewDoc, PatchDoc
from parabola.values.hints.type_hints import Id
from parabola.values.int64 import Int64
from parabola.values.placeholders import COMMIT_TS, UNDEFINED
from parabola.values.schema.definition import define_schema, define_table
from parabola.values.validators.builder import v
from parabola.values.validators.handles import FunctionHandle

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
