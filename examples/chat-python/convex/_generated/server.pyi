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

class Channels(TypedDict):
    _id: Literal["channels"]
    _creationTime: float
    name: str

class NewChannels(TypedDict):
    name: str

class _Channels(TypedDict):
    name: ReadOnly[str | date | time | UUID | Decimal | Enum]

class _ChannelsReplacement(_Channels):
    _id: NotRequired[ReadOnly[Literal["channels"]]]
    _creationTime: NotRequired[ReadOnly[float]]

class PatchChannels(TypedDict, total=False):
    name: str

class _ChannelsPatch(TypedDict, total=False):
    name: ReadOnly[str | date | time | UUID | Decimal | Enum]

class MessagesFile(TypedDict):
    id: Literal["_storage"]
    name: str

class Messages(TypedDict):
    _id: Literal["messages"]
    _creationTime: float
    channel: Literal["channels"]
    author: str
    kind: Literal["person"] | Literal["command"] | Literal["webhook"]
    text: str
    file: NotRequired[MessagesFile]

class NewMessages(TypedDict):
    channel: Literal["channels"]
    author: str
    kind: Literal["person"] | Literal["command"] | Literal["webhook"]
    text: str
    file: NotRequired[MessagesFile]

class _MessagesFile(TypedDict):
    id: ReadOnly[Literal["_storage"]]
    name: ReadOnly[str | date | time | UUID | Decimal | Enum]

class _Messages(TypedDict):
    channel: ReadOnly[Literal["channels"]]
    author: ReadOnly[str | date | time | UUID | Decimal | Enum]
    kind: ReadOnly[Literal["person"] | Literal["command"] | Literal["webhook"] | Enum]
    text: ReadOnly[str | date | time | UUID | Decimal | Enum]
    file: NotRequired[ReadOnly[_MessagesFile | Record]]

class _MessagesReplacement(_Messages):
    _id: NotRequired[ReadOnly[Literal["messages"]]]
    _creationTime: NotRequired[ReadOnly[float]]

class PatchMessages(TypedDict, total=False):
    channel: Literal["channels"]
    author: str
    kind: Literal["person"] | Literal["command"] | Literal["webhook"]
    text: str
    file: MessagesFile | Undefined

class _MessagesPatch(TypedDict, total=False):
    channel: ReadOnly[Literal["channels"]]
    author: ReadOnly[str | date | time | UUID | Decimal | Enum]
    kind: ReadOnly[Literal["person"] | Literal["command"] | Literal["webhook"] | Enum]
    text: ReadOnly[str | date | time | UUID | Decimal | Enum]
    file: ReadOnly[_MessagesFile | Record | Undefined]

class Presence(TypedDict):
    _id: Literal["presence"]
    _creationTime: float
    channel: Literal["channels"]
    name: str
    until: float

class NewPresence(TypedDict):
    channel: Literal["channels"]
    name: str
    until: float

class _Presence(TypedDict):
    channel: ReadOnly[Literal["channels"]]
    name: ReadOnly[str | date | time | UUID | Decimal | Enum]
    until: ReadOnly[float | datetime | timedelta]

class _PresenceReplacement(_Presence):
    _id: NotRequired[ReadOnly[Literal["presence"]]]
    _creationTime: NotRequired[ReadOnly[float]]

class PatchPresence(TypedDict, total=False):
    channel: Literal["channels"]
    name: str
    until: float

class _PresencePatch(TypedDict, total=False):
    channel: ReadOnly[Literal["channels"]]
    name: ReadOnly[str | date | time | UUID | Decimal | Enum]
    until: ReadOnly[float | datetime | timedelta]

class Doc:
    """Hints for documents: `Doc.tasks` is one of the table `tasks`, with its system fields."""

    channels: TypeAlias = Channels
    messages: TypeAlias = Messages
    presence: TypeAlias = Presence
    _storage: TypeAlias = StoredFile
    _scheduled_functions: TypeAlias = ScheduledFunction

class NewDoc:
    """Hints for documents that are to be inserted: without system fields."""

    channels: TypeAlias = NewChannels
    messages: TypeAlias = NewMessages
    presence: TypeAlias = NewPresence

class PatchDoc:
    """Hints for the changes that `patch` takes: any of the fields."""

    channels: TypeAlias = PatchChannels
    messages: TypeAlias = PatchMessages
    presence: TypeAlias = PatchPresence

class _ChannelsFilter(FilterBuilder[Literal["_id", "_creationTime", "name"]]): ...

class _ChannelsByCreationTime(IndexFields[Literal["_creationTime"], float | datetime | timedelta, IndexRange]): ...

class _ChannelsById(IndexFields[Literal["_id"], Literal["channels"], IndexRange]): ...

class _ChannelsByName(IndexFields[Literal["name"], str | date | time | UUID | Decimal | Enum, IndexFields[Literal["_creationTime"], float | datetime | timedelta, IndexRange]]): ...

class _ChannelsQuery(TableQuery[Channels, _ChannelsFilter]):
    @overload
    def with_index(self, name: Literal["by_creation_time"], range: Callable[[_ChannelsByCreationTime], IndexRange] | None = None) -> Query[Channels, _ChannelsFilter]: ...
    @overload
    def with_index(self, name: Literal["by_id"], range: Callable[[_ChannelsById], IndexRange] | None = None) -> Query[Channels, _ChannelsFilter]: ...
    @overload
    def with_index(self, name: Literal["by_name"], range: Callable[[_ChannelsByName], IndexRange] | None = None) -> Query[Channels, _ChannelsFilter]: ...

class _SyncChannelsQuery(SyncTableQuery[Channels, _ChannelsFilter]):
    @overload
    def with_index(self, name: Literal["by_creation_time"], range: Callable[[_ChannelsByCreationTime], IndexRange] | None = None) -> SyncQuery[Channels, _ChannelsFilter]: ...
    @overload
    def with_index(self, name: Literal["by_id"], range: Callable[[_ChannelsById], IndexRange] | None = None) -> SyncQuery[Channels, _ChannelsFilter]: ...
    @overload
    def with_index(self, name: Literal["by_name"], range: Callable[[_ChannelsByName], IndexRange] | None = None) -> SyncQuery[Channels, _ChannelsFilter]: ...

class _MessagesFilter(FilterBuilder[Literal["_id", "_creationTime", "channel", "author", "kind", "text", "file", "file.id", "file.name"]]): ...

class _MessagesByCreationTime(IndexFields[Literal["_creationTime"], float | datetime | timedelta, IndexRange]): ...

class _MessagesById(IndexFields[Literal["_id"], Literal["messages"], IndexRange]): ...

class _MessagesByChannel(IndexFields[Literal["channel"], Literal["channels"], IndexFields[Literal["_creationTime"], float | datetime | timedelta, IndexRange]]): ...

class _MessagesQuery(TableQuery[Messages, _MessagesFilter]):
    @overload
    def with_index(self, name: Literal["by_creation_time"], range: Callable[[_MessagesByCreationTime], IndexRange] | None = None) -> Query[Messages, _MessagesFilter]: ...
    @overload
    def with_index(self, name: Literal["by_id"], range: Callable[[_MessagesById], IndexRange] | None = None) -> Query[Messages, _MessagesFilter]: ...
    @overload
    def with_index(self, name: Literal["by_channel"], range: Callable[[_MessagesByChannel], IndexRange] | None = None) -> Query[Messages, _MessagesFilter]: ...

class _SyncMessagesQuery(SyncTableQuery[Messages, _MessagesFilter]):
    @overload
    def with_index(self, name: Literal["by_creation_time"], range: Callable[[_MessagesByCreationTime], IndexRange] | None = None) -> SyncQuery[Messages, _MessagesFilter]: ...
    @overload
    def with_index(self, name: Literal["by_id"], range: Callable[[_MessagesById], IndexRange] | None = None) -> SyncQuery[Messages, _MessagesFilter]: ...
    @overload
    def with_index(self, name: Literal["by_channel"], range: Callable[[_MessagesByChannel], IndexRange] | None = None) -> SyncQuery[Messages, _MessagesFilter]: ...

class _PresenceFilter(FilterBuilder[Literal["_id", "_creationTime", "channel", "name", "until"]]): ...

class _PresenceByCreationTime(IndexFields[Literal["_creationTime"], float | datetime | timedelta, IndexRange]): ...

class _PresenceById(IndexFields[Literal["_id"], Literal["presence"], IndexRange]): ...

class _PresenceByChannelName(IndexFields[Literal["channel"], Literal["channels"], IndexFields[Literal["name"], str | date | time | UUID | Decimal | Enum, IndexFields[Literal["_creationTime"], float | datetime | timedelta, IndexRange]]]): ...

class _PresenceQuery(TableQuery[Presence, _PresenceFilter]):
    @overload
    def with_index(self, name: Literal["by_creation_time"], range: Callable[[_PresenceByCreationTime], IndexRange] | None = None) -> Query[Presence, _PresenceFilter]: ...
    @overload
    def with_index(self, name: Literal["by_id"], range: Callable[[_PresenceById], IndexRange] | None = None) -> Query[Presence, _PresenceFilter]: ...
    @overload
    def with_index(self, name: Literal["by_channel_name"], range: Callable[[_PresenceByChannelName], IndexRange] | None = None) -> Query[Presence, _PresenceFilter]: ...

class _SyncPresenceQuery(SyncTableQuery[Presence, _PresenceFilter]):
    @overload
    def with_index(self, name: Literal["by_creation_time"], range: Callable[[_PresenceByCreationTime], IndexRange] | None = None) -> SyncQuery[Presence, _PresenceFilter]: ...
    @overload
    def with_index(self, name: Literal["by_id"], range: Callable[[_PresenceById], IndexRange] | None = None) -> SyncQuery[Presence, _PresenceFilter]: ...
    @overload
    def with_index(self, name: Literal["by_channel_name"], range: Callable[[_PresenceByChannelName], IndexRange] | None = None) -> SyncQuery[Presence, _PresenceFilter]: ...

class DatabaseReader(TypedReader):
    """`ctx.db` in queries."""

    @overload
    def get(self, id: Literal["channels"], /) -> Pending[Channels | None]: ...
    @overload
    def get(self, id: Literal["messages"], /) -> Pending[Messages | None]: ...
    @overload
    def get(self, id: Literal["presence"], /) -> Pending[Presence | None]: ...
    @overload
    def get(self, id: str, /) -> Pending[Document | None]: ...
    @overload
    def get(self, table: Literal["channels"], id: Literal["channels"], /) -> Pending[Channels | None]: ...
    @overload
    def get(self, table: Literal["messages"], id: Literal["messages"], /) -> Pending[Messages | None]: ...
    @overload
    def get(self, table: Literal["presence"], id: Literal["presence"], /) -> Pending[Presence | None]: ...
    @overload
    def query(self, table: Literal["channels"]) -> _ChannelsQuery: ...
    @overload
    def query(self, table: Literal["messages"]) -> _MessagesQuery: ...
    @overload
    def query(self, table: Literal["presence"]) -> _PresenceQuery: ...
    @overload
    def normalize_id(self, table: Literal["channels"], id: str) -> Pending[Literal["channels"] | None]: ...
    @overload
    def normalize_id(self, table: Literal["messages"], id: str) -> Pending[Literal["messages"] | None]: ...
    @overload
    def normalize_id(self, table: Literal["presence"], id: str) -> Pending[Literal["presence"] | None]: ...

class DatabaseWriter(DatabaseReader, TypedWriter):
    """`ctx.db` in mutations."""

    @overload
    def insert(self, table: Literal["channels"], value: _Channels | Record) -> Pending[Literal["channels"]]: ...
    @overload
    def insert(self, table: Literal["messages"], value: _Messages | Record) -> Pending[Literal["messages"]]: ...
    @overload
    def insert(self, table: Literal["presence"], value: _Presence | Record) -> Pending[Literal["presence"]]: ...
    @overload
    def patch(self, id: Literal["channels"], fields: _ChannelsPatch | Record, /) -> Pending[None]: ...
    @overload
    def patch(self, id: Literal["messages"], fields: _MessagesPatch | Record, /) -> Pending[None]: ...
    @overload
    def patch(self, id: Literal["presence"], fields: _PresencePatch | Record, /) -> Pending[None]: ...
    @overload
    def patch(self, table: Literal["channels"], id: Literal["channels"], fields: _ChannelsPatch | Record, /) -> Pending[None]: ...
    @overload
    def patch(self, table: Literal["messages"], id: Literal["messages"], fields: _MessagesPatch | Record, /) -> Pending[None]: ...
    @overload
    def patch(self, table: Literal["presence"], id: Literal["presence"], fields: _PresencePatch | Record, /) -> Pending[None]: ...
    @overload
    def replace(self, id: Literal["channels"], value: _Channels | _ChannelsReplacement | Record, /) -> Pending[None]: ...
    @overload
    def replace(self, id: Literal["messages"], value: _Messages | _MessagesReplacement | Record, /) -> Pending[None]: ...
    @overload
    def replace(self, id: Literal["presence"], value: _Presence | _PresenceReplacement | Record, /) -> Pending[None]: ...
    @overload
    def replace(self, table: Literal["channels"], id: Literal["channels"], value: _Channels | _ChannelsReplacement | Record, /) -> Pending[None]: ...
    @overload
    def replace(self, table: Literal["messages"], id: Literal["messages"], value: _Messages | _MessagesReplacement | Record, /) -> Pending[None]: ...
    @overload
    def replace(self, table: Literal["presence"], id: Literal["presence"], value: _Presence | _PresenceReplacement | Record, /) -> Pending[None]: ...
    @overload
    def delete(self, id: str, /) -> Pending[None]: ...
    @overload
    def delete(self, table: Literal["channels"], id: Literal["channels"], /) -> Pending[None]: ...
    @overload
    def delete(self, table: Literal["messages"], id: Literal["messages"], /) -> Pending[None]: ...
    @overload
    def delete(self, table: Literal["presence"], id: Literal["presence"], /) -> Pending[None]: ...

class SyncDatabaseReader(SyncTypedReader):
    """`ctx.db` in queries."""

    @overload
    def get(self, id: Literal["channels"], /) -> Channels | None: ...
    @overload
    def get(self, id: Literal["messages"], /) -> Messages | None: ...
    @overload
    def get(self, id: Literal["presence"], /) -> Presence | None: ...
    @overload
    def get(self, id: str, /) -> Document | None: ...
    @overload
    def get(self, table: Literal["channels"], id: Literal["channels"], /) -> Channels | None: ...
    @overload
    def get(self, table: Literal["messages"], id: Literal["messages"], /) -> Messages | None: ...
    @overload
    def get(self, table: Literal["presence"], id: Literal["presence"], /) -> Presence | None: ...
    @overload
    def query(self, table: Literal["channels"]) -> _SyncChannelsQuery: ...
    @overload
    def query(self, table: Literal["messages"]) -> _SyncMessagesQuery: ...
    @overload
    def query(self, table: Literal["presence"]) -> _SyncPresenceQuery: ...
    @overload
    def normalize_id(self, table: Literal["channels"], id: str) -> Literal["channels"] | None: ...
    @overload
    def normalize_id(self, table: Literal["messages"], id: str) -> Literal["messages"] | None: ...
    @overload
    def normalize_id(self, table: Literal["presence"], id: str) -> Literal["presence"] | None: ...

class SyncDatabaseWriter(SyncDatabaseReader, SyncTypedWriter):
    """`ctx.db` in mutations."""

    @overload
    def insert(self, table: Literal["channels"], value: _Channels | Record) -> Literal["channels"]: ...
    @overload
    def insert(self, table: Literal["messages"], value: _Messages | Record) -> Literal["messages"]: ...
    @overload
    def insert(self, table: Literal["presence"], value: _Presence | Record) -> Literal["presence"]: ...
    @overload
    def patch(self, id: Literal["channels"], fields: _ChannelsPatch | Record, /) -> None: ...
    @overload
    def patch(self, id: Literal["messages"], fields: _MessagesPatch | Record, /) -> None: ...
    @overload
    def patch(self, id: Literal["presence"], fields: _PresencePatch | Record, /) -> None: ...
    @overload
    def patch(self, table: Literal["channels"], id: Literal["channels"], fields: _ChannelsPatch | Record, /) -> None: ...
    @overload
    def patch(self, table: Literal["messages"], id: Literal["messages"], fields: _MessagesPatch | Record, /) -> None: ...
    @overload
    def patch(self, table: Literal["presence"], id: Literal["presence"], fields: _PresencePatch | Record, /) -> None: ...
    @overload
    def replace(self, id: Literal["channels"], value: _Channels | _ChannelsReplacement | Record, /) -> None: ...
    @overload
    def replace(self, id: Literal["messages"], value: _Messages | _MessagesReplacement | Record, /) -> None: ...
    @overload
    def replace(self, id: Literal["presence"], value: _Presence | _PresenceReplacement | Record, /) -> None: ...
    @overload
    def replace(self, table: Literal["channels"], id: Literal["channels"], value: _Channels | _ChannelsReplacement | Record, /) -> None: ...
    @overload
    def replace(self, table: Literal["messages"], id: Literal["messages"], value: _Messages | _MessagesReplacement | Record, /) -> None: ...
    @overload
    def replace(self, table: Literal["presence"], id: Literal["presence"], value: _Presence | _PresenceReplacement | Record, /) -> None: ...
    @overload
    def delete(self, id: str, /) -> None: ...
    @overload
    def delete(self, table: Literal["channels"], id: Literal["channels"], /) -> None: ...
    @overload
    def delete(self, table: Literal["messages"], id: Literal["messages"], /) -> None: ...
    @overload
    def delete(self, table: Literal["presence"], id: Literal["presence"], /) -> None: ...

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
