# Written by Parabola from the functions in this folder. Do not edit: it is overwritten.
# fmt: off
# ruff: noqa
# mypy: disable-error-code="override,misc"
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportPrivateUsage=false, reportUnusedImport=false, reportOverlappingOverload=false
"""The contexts of this project's functions, which know its tables and functions."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Never, TypeAlias, TypedDict, overload
from uuid import UUID

from typing_extensions import NotRequired, ReadOnly

from parabola.authoring.filters import Expression
from parabola.authoring.operations import Pending
from parabola.authoring.typed_contexts import (
    AnyTableQuery,
    FilterBuilder,
    IndexFields,
    IndexRange,
    Items,
    OrderedQuery,
    Query,
    Record,
    ScheduledFunction,
    Search,
    SearchFilter,
    StoredFile,
    SyncAnyTableQuery,
    SyncOrderedQuery,
    SyncQuery,
    SyncTableQuery,
    SyncTypedActionCtx,
    SyncTypedMutationCtx,
    SyncTypedQueryCtx,
    SyncTypedReader,
    SyncTypedWriter,
    TableQuery,
    TypedActionCtx,
    TypedMutationCtx,
    TypedQueryCtx,
    TypedReader,
    TypedWriter,
    TransactionalVectorFilter,
    VectorFilter,
    VectorResult,
)
from parabola.values.placeholders import CommitTs, Undefined

from parabola import COMMIT_TS as COMMIT_TS
from parabola import UNDEFINED as UNDEFINED
from parabola import Blob as Blob
from parabola import ConvexError as ConvexError
from parabola import Document as Document
from parabola import Headers as Headers
from parabola import Id as Id
from parabola import Int64 as Int64
from parabola import PaginationOpts as PaginationOpts
from parabola import PaginationResult as PaginationResult
from parabola import Request as Request
from parabola import Response as Response
from parabola import SyncRequest as SyncRequest
from parabola import UserIdentity as UserIdentity
from parabola import action as action
from parabola import audit_vars as audit_vars
from parabola import cron_jobs as cron_jobs
from parabola import env as env
from parabola import http_action as http_action
from parabola import http_router as http_router
from parabola import internal_action as internal_action
from parabola import internal_mutation as internal_mutation
from parabola import internal_query as internal_query
from parabola import mutation as mutation
from parabola import pagination_opts as pagination_opts
from parabola import query as query
from parabola import v as v

from .api import api as api
from .api import components as components
from .api import internal as internal

class Tasks(TypedDict):
    _id: Literal["tasks"]
    _creationTime: float
    text: str
    completed: bool

class NewTasks(TypedDict):
    text: str
    completed: bool

class _Tasks(TypedDict):
    text: ReadOnly[str | date | time | UUID | Decimal | Enum]
    completed: ReadOnly[bool]

class _TasksReplacement(_Tasks):
    _id: NotRequired[ReadOnly[Literal["tasks"]]]
    _creationTime: NotRequired[ReadOnly[float]]

class PatchTasks(TypedDict, total=False):
    text: str
    completed: bool

class _TasksPatch(TypedDict, total=False):
    text: ReadOnly[str | date | time | UUID | Decimal | Enum]
    completed: ReadOnly[bool]

class Doc:
    """Hints for documents: `Doc.tasks` is one of the table `tasks`, with its system fields."""

    tasks: TypeAlias = Tasks
    _storage: TypeAlias = StoredFile
    _scheduled_functions: TypeAlias = ScheduledFunction

class NewDoc:
    """Hints for documents that are to be inserted: without system fields."""

    tasks: TypeAlias = NewTasks

class PatchDoc:
    """Hints for the changes that `patch` takes: any of the fields."""

    tasks: TypeAlias = PatchTasks

class _TasksFilter(FilterBuilder[Literal["_id", "_creationTime", "text", "completed"]]): ...

class _TasksByCreationTime(IndexFields[Literal["_creationTime"], float | datetime | timedelta, IndexRange]): ...

class _TasksById(IndexFields[Literal["_id"], Literal["tasks"], IndexRange]): ...

class _TasksByCompleted(IndexFields[Literal["completed"], bool, IndexFields[Literal["_creationTime"], float | datetime | timedelta, IndexRange]]): ...

class _TasksQuery(TableQuery[Tasks, _TasksFilter]):
    @overload
    def with_index(self, name: Literal["by_creation_time"], range: Callable[[_TasksByCreationTime], IndexRange] | None = None) -> Query[Tasks, _TasksFilter]: ...
    @overload
    def with_index(self, name: Literal["by_id"], range: Callable[[_TasksById], IndexRange] | None = None) -> Query[Tasks, _TasksFilter]: ...
    @overload
    def with_index(self, name: Literal["by_completed"], range: Callable[[_TasksByCompleted], IndexRange] | None = None) -> Query[Tasks, _TasksFilter]: ...

class _SyncTasksQuery(SyncTableQuery[Tasks, _TasksFilter]):
    @overload
    def with_index(self, name: Literal["by_creation_time"], range: Callable[[_TasksByCreationTime], IndexRange] | None = None) -> SyncQuery[Tasks, _TasksFilter]: ...
    @overload
    def with_index(self, name: Literal["by_id"], range: Callable[[_TasksById], IndexRange] | None = None) -> SyncQuery[Tasks, _TasksFilter]: ...
    @overload
    def with_index(self, name: Literal["by_completed"], range: Callable[[_TasksByCompleted], IndexRange] | None = None) -> SyncQuery[Tasks, _TasksFilter]: ...

class DatabaseReader(TypedReader):
    """`ctx.db` in queries."""

    @overload
    def get(self, id: Literal["tasks"], /) -> Pending[Tasks | None]: ...
    @overload
    def get(self, id: str, /) -> Pending[Document | None]: ...
    @overload
    def get(self, table: Literal["tasks"], id: Literal["tasks"], /) -> Pending[Tasks | None]: ...
    def query(self, table: Literal["tasks"]) -> _TasksQuery: ...
    def normalize_id(self, table: Literal["tasks"], id: str) -> Pending[Literal["tasks"] | None]: ...

class DatabaseWriter(DatabaseReader, TypedWriter):
    """`ctx.db` in mutations."""

    def insert(self, table: Literal["tasks"], value: _Tasks | Record) -> Pending[Literal["tasks"]]: ...
    @overload
    def patch(self, id: Literal["tasks"], fields: _TasksPatch | Record, /) -> Pending[None]: ...
    @overload
    def patch(self, table: Literal["tasks"], id: Literal["tasks"], fields: _TasksPatch | Record, /) -> Pending[None]: ...
    @overload
    def replace(self, id: Literal["tasks"], value: _Tasks | _TasksReplacement | Record, /) -> Pending[None]: ...
    @overload
    def replace(self, table: Literal["tasks"], id: Literal["tasks"], value: _Tasks | _TasksReplacement | Record, /) -> Pending[None]: ...
    @overload
    def delete(self, id: str, /) -> Pending[None]: ...
    @overload
    def delete(self, table: Literal["tasks"], id: Literal["tasks"], /) -> Pending[None]: ...

class SyncDatabaseReader(SyncTypedReader):
    """`ctx.db` in queries."""

    @overload
    def get(self, id: Literal["tasks"], /) -> Tasks | None: ...
    @overload
    def get(self, id: str, /) -> Document | None: ...
    @overload
    def get(self, table: Literal["tasks"], id: Literal["tasks"], /) -> Tasks | None: ...
    def query(self, table: Literal["tasks"]) -> _SyncTasksQuery: ...
    def normalize_id(self, table: Literal["tasks"], id: str) -> Literal["tasks"] | None: ...

class SyncDatabaseWriter(SyncDatabaseReader, SyncTypedWriter):
    """`ctx.db` in mutations."""

    def insert(self, table: Literal["tasks"], value: _Tasks | Record) -> Literal["tasks"]: ...
    @overload
    def patch(self, id: Literal["tasks"], fields: _TasksPatch | Record, /) -> None: ...
    @overload
    def patch(self, table: Literal["tasks"], id: Literal["tasks"], fields: _TasksPatch | Record, /) -> None: ...
    @overload
    def replace(self, id: Literal["tasks"], value: _Tasks | _TasksReplacement | Record, /) -> None: ...
    @overload
    def replace(self, table: Literal["tasks"], id: Literal["tasks"], value: _Tasks | _TasksReplacement | Record, /) -> None: ...
    @overload
    def delete(self, id: str, /) -> None: ...
    @overload
    def delete(self, table: Literal["tasks"], id: Literal["tasks"], /) -> None: ...

class QueryCtx(TypedQueryCtx[DatabaseReader]):
    """The context of `async def` queries."""

class MutationCtx(TypedMutationCtx[DatabaseWriter], QueryCtx):
    """The context of `async def` mutations."""

class ActionCtx(TypedActionCtx):
    """The context of `async def` actions."""

    pass

class SyncQueryCtx(SyncTypedQueryCtx[SyncDatabaseReader]):
    """The context of plain `def` queries."""

class SyncMutationCtx(SyncTypedMutationCtx[SyncDatabaseWriter], SyncQueryCtx):
    """The context of plain `def` mutations."""

class SyncActionCtx(SyncTypedActionCtx):
    """The context of plain `def` actions."""

    pass
