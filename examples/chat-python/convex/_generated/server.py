# Written by Parabola from the functions in this folder. Do not edit: it is overwritten.
# fmt: off
# ruff: noqa
"""What functions import: contexts, references, hints. `server.pyi` has their types."""

from parabola import action as action
from parabola import ActionCtx as ActionCtx
from parabola import api as api
from parabola import audit_vars as audit_vars
from parabola import Blob as Blob
from parabola import COMMIT_TS as COMMIT_TS
from parabola import components as components
from parabola import ConvexError as ConvexError
from parabola import cron_jobs as cron_jobs
from parabola import Doc as Doc
from parabola import Document as Document
from parabola import env as env
from parabola import Headers as Headers
from parabola import http_action as http_action
from parabola import http_router as http_router
from parabola import Id as Id
from parabola import Int64 as Int64
from parabola import internal as internal
from parabola import internal_action as internal_action
from parabola import internal_mutation as internal_mutation
from parabola import internal_query as internal_query
from parabola import mutation as mutation
from parabola import MutationCtx as MutationCtx
from parabola import NewDoc as NewDoc
from parabola import pagination_opts as pagination_opts
from parabola import PaginationOpts as PaginationOpts
from parabola import PaginationResult as PaginationResult
from parabola import PatchDoc as PatchDoc
from parabola import query as query
from parabola import QueryCtx as QueryCtx
from parabola import Request as Request
from parabola import Response as Response
from parabola import SyncActionCtx as SyncActionCtx
from parabola import SyncMutationCtx as SyncMutationCtx
from parabola import SyncQueryCtx as SyncQueryCtx
from parabola import SyncRequest as SyncRequest
from parabola import UNDEFINED as UNDEFINED
from parabola import UserIdentity as UserIdentity
from parabola import v as v
from parabola.authoring.database import DatabaseReader as DatabaseReader
from parabola.authoring.database import DatabaseWriter as DatabaseWriter
from parabola.authoring.database import SyncDatabaseReader as SyncDatabaseReader
from parabola.authoring.database import SyncDatabaseWriter as SyncDatabaseWriter
