# Written by Parabola from the functions in this folder. Do not edit: it is overwritten.
# fmt: off
# ruff: noqa
# pyright: reportPrivateUsage=false, reportUnusedImport=false
"""References to this project's functions: `api.module.function`."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Never, TypeAlias, TypedDict, overload
from uuid import UUID

from typing_extensions import NotRequired, ReadOnly

from parabola.authoring.typed_contexts import (
    ActionReference,
    ActionReferenceMaybeArgs,
    Items,
    MutationReference,
    MutationReferenceMaybeArgs,
    QueryReference,
    QueryReferenceMaybeArgs,
    Record,
)
from parabola.values.int64 import Int64
from parabola.values.placeholders import CommitTs
from .server import Tasks as Tasks

class _SampleLoadArgs(TypedDict):
    pass

class _TasksListArgs(TypedDict):
    limit: NotRequired[ReadOnly[float | datetime | timedelta | None]]

class _TasksPageArgsPaginationOpts(TypedDict):
    numItems: ReadOnly[float | datetime | timedelta]
    cursor: ReadOnly[str | date | time | UUID | Decimal | Enum | None]
    endCursor: NotRequired[ReadOnly[str | date | time | UUID | Decimal | Enum | None]]
    id: NotRequired[ReadOnly[float | datetime | timedelta]]
    maximumRowsRead: NotRequired[ReadOnly[float | datetime | timedelta]]
    maximumBytesRead: NotRequired[ReadOnly[float | datetime | timedelta]]

class _TasksPageArgs(TypedDict):
    paginationOpts: ReadOnly[_TasksPageArgsPaginationOpts | Record]

class TasksPageResult(TypedDict):
    page: list[Tasks]
    isDone: bool
    continueCursor: str
    splitCursor: NotRequired[str | None]
    pageStatus: NotRequired[Literal["SplitRecommended"] | Literal["SplitRequired"] | None]

class _TasksSummaryArgs(TypedDict):
    pass

class TasksSummaryResult(TypedDict):
    open: float
    done: float

class _TasksCreateArgs(TypedDict):
    text: ReadOnly[str | date | time | UUID | Decimal | Enum]

class _TasksToggleArgs(TypedDict):
    id: ReadOnly[Literal["tasks"]]

class _TasksRemoveArgs(TypedDict):
    id: ReadOnly[Literal["tasks"]]

class _TasksClearCompletedArgs(TypedDict):
    pass

class _api_tasks:
    clear_completed: MutationReferenceMaybeArgs[_TasksClearCompletedArgs, int]
    create: MutationReference[_TasksCreateArgs, Literal["tasks"]]
    list: QueryReferenceMaybeArgs[_TasksListArgs, list[Tasks]]
    page: QueryReference[_TasksPageArgs, TasksPageResult]
    remove: MutationReference[_TasksRemoveArgs, None]
    summary: QueryReferenceMaybeArgs[_TasksSummaryArgs, TasksSummaryResult]
    toggle: MutationReference[_TasksToggleArgs, None]

class _api:
    tasks: _api_tasks

class _internal_sample:
    load: MutationReferenceMaybeArgs[_SampleLoadArgs, int]

class _internal:
    sample: _internal_sample

class _components:
    pass

api: _api
"""References to the public functions."""
internal: _internal
"""References to every function that only other functions may call."""
components: _components
"""References to the functions of the components that are used."""
