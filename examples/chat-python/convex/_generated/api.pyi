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
from .server import Channels as Channels
from .server import _MessagesFile as _MessagesFile

class _ChannelsListArgs(TypedDict):
    pass

class _ChannelsCreateArgs(TypedDict):
    name: ReadOnly[str | date | time | UUID | Decimal | Enum]

class _CleanupOldArgs(TypedDict):
    days: ReadOnly[float | datetime | timedelta]

class _CommandsWeatherArgs(TypedDict):
    channel: ReadOnly[Literal["channels"]]
    city: ReadOnly[str | date | time | UUID | Decimal | Enum]

class _FilesUploadArgs(TypedDict):
    pass

class _MessagesListArgsPaginationOpts(TypedDict):
    numItems: ReadOnly[float | datetime | timedelta]
    cursor: ReadOnly[str | date | time | UUID | Decimal | Enum | None]
    endCursor: NotRequired[ReadOnly[str | date | time | UUID | Decimal | Enum | None]]
    id: NotRequired[ReadOnly[float | datetime | timedelta]]
    maximumRowsRead: NotRequired[ReadOnly[float | datetime | timedelta]]
    maximumBytesRead: NotRequired[ReadOnly[float | datetime | timedelta]]

class _MessagesListArgs(TypedDict):
    channel: ReadOnly[Literal["channels"]]
    paginationOpts: ReadOnly[_MessagesListArgsPaginationOpts | Record]

class MessagesListResultPageItemFile(TypedDict):
    name: str
    url: str | None

class MessagesListResultPageItem(TypedDict):
    _id: Literal["messages"]
    _creationTime: float
    author: str
    kind: Literal["person"] | Literal["command"] | Literal["webhook"]
    text: str
    file: NotRequired[MessagesListResultPageItemFile]

class MessagesListResult(TypedDict):
    page: list[MessagesListResultPageItem]
    isDone: bool
    continueCursor: str
    splitCursor: NotRequired[str | None]
    pageStatus: NotRequired[Literal["SplitRecommended"] | Literal["SplitRequired"] | None]

class _MessagesSendArgs(TypedDict):
    channel: ReadOnly[Literal["channels"]]
    text: ReadOnly[str | date | time | UUID | Decimal | Enum]
    file: NotRequired[ReadOnly[_MessagesFile | Record | None]]

class _MessagesPostArgs(TypedDict):
    channel: ReadOnly[Literal["channels"]]
    author: ReadOnly[str | date | time | UUID | Decimal | Enum]
    text: ReadOnly[str | date | time | UUID | Decimal | Enum]

class _MessagesReceiveArgs(TypedDict):
    channel: ReadOnly[str | date | time | UUID | Decimal | Enum]
    author: ReadOnly[str | date | time | UUID | Decimal | Enum]
    text: ReadOnly[str | date | time | UUID | Decimal | Enum]

class _PresenceTypingArgs(TypedDict):
    channel: ReadOnly[Literal["channels"]]

class _PresenceBeatArgs(TypedDict):
    channel: ReadOnly[Literal["channels"]]

class _PresenceExpireArgs(TypedDict):
    id: ReadOnly[Literal["presence"]]

class _api_channels:
    create: MutationReference[_ChannelsCreateArgs, Literal["channels"]]
    list: QueryReferenceMaybeArgs[_ChannelsListArgs, list[Channels]]

class _api_files:
    upload: MutationReferenceMaybeArgs[_FilesUploadArgs, str]

class _api_messages:
    list: QueryReference[_MessagesListArgs, MessagesListResult]
    send: MutationReference[_MessagesSendArgs, None]

class _api_presence:
    beat: MutationReference[_PresenceBeatArgs, None]
    typing: QueryReference[_PresenceTypingArgs, list[str]]

class _api:
    channels: _api_channels
    files: _api_files
    messages: _api_messages
    presence: _api_presence

class _internal_cleanup:
    old: MutationReference[_CleanupOldArgs, int]

class _internal_commands:
    weather: ActionReference[_CommandsWeatherArgs, None]

class _internal_messages:
    post: MutationReference[_MessagesPostArgs, None]
    receive: MutationReference[_MessagesReceiveArgs, bool]

class _internal_presence:
    expire: MutationReference[_PresenceExpireArgs, None]

class _internal:
    cleanup: _internal_cleanup
    commands: _internal_commands
    messages: _internal_messages
    presence: _internal_presence

class _components:
    pass

api: _api
"""References to the public functions."""
internal: _internal
"""References to every function that only other functions may call."""
components: _components
"""References to the functions of the components that are used."""
