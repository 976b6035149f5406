# mypy: disable-error-code="override,misc,type-var"
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportOverlappingOverload=false
"""What a schema makes of contexts, for type checkers: generic in documents, indexes and functions.

`convex/_generated/server.pyi` fills these in for one schema. Nothing here exists at run time.
"""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Set
from datetime import datetime, timedelta
from typing import (
    Any,
    ClassVar,
    Generic,
    Literal,
    NotRequired,
    ParamSpec,
    Protocol,
    Self,
    SupportsIndex,
    TypeAlias,
    TypedDict,
    TypeVar,
    overload,
)

from parabola.authoring.blobs import Blob
from parabola.authoring.calls import TransactionLimits
from parabola.authoring.context import (
    ActionCtx,
    MutationCtx,
    QueryCtx,
    SyncActionCtx,
    SyncMutationCtx,
    SyncQueryCtx,
)
from parabola.authoring.database import (
    DatabaseReader,
    DatabaseVariables,
    DatabaseWriter,
    SyncDatabaseReader,
    SyncDatabaseWriter,
    SyncSystemReader,
    SystemReader,
)
from parabola.authoring.filters import Expression, IndexRangeBuilder, SearchFilterBuilder
from parabola.authoring.filters import FilterBuilder as UntypedFilterBuilder
from parabola.authoring.operations import Pending
from parabola.authoring.pagination import PaginationOpts, PaginationResult
from parabola.authoring.query_builder import Order
from parabola.authoring.query_stream import Document
from parabola.authoring.storage import Storage, StorageReader, SyncStorage, SyncStorageReader

Args = TypeVar("Args", contravariant=True)
Doc = TypeVar("Doc")
DocOut = TypeVar("DocOut", covariant=True)
Field = TypeVar("Field", contravariant=True)
Item = TypeVar("Item", covariant=True)
Next = TypeVar("Next", covariant=True)
P = ParamSpec("P")
Path = TypeVar("Path", contravariant=True)
Filter = TypeVar("Filter", covariant=True)
Reader = TypeVar("Reader", covariant=True)
Result = TypeVar("Result")
ResultOut = TypeVar("ResultOut", covariant=True)
Value = TypeVar("Value", contravariant=True)
Writer = TypeVar("Writer", covariant=True)

# What may stand for a document or an object, beside a dict.

class Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]

class Struct(Protocol):
    __struct_fields__: ClassVar[tuple[str, ...]]

class Model(Protocol):
    __pydantic_fields__: ClassVar[dict[str, Any]]

Record: TypeAlias = Dataclass | Struct | Model
"""An instance of a class whose fields are those of an object; which ones is seen when it is written."""

class _Sequence(Protocol[Item]):
    # Of a list and a tuple, and not of a str: its `__contains__` takes strings alone.
    def __contains__(self, item: object, /) -> bool: ...
    def __getitem__(self, index: SupportsIndex, /) -> Item: ...
    def __iter__(self) -> Iterator[Item]: ...
    def __len__(self) -> int: ...

Items: TypeAlias = _Sequence[Item] | Set[Item]
"""What may be written where an array is asked for."""

# References to functions. The parameters of the methods are what the caller passes after the reference.

class RunsQuery(Protocol[P, ResultOut]):
    """A query: `api.module.function`, or a decorated function."""

    def _as_query(self, *args: P.args, **kwargs: P.kwargs) -> ResultOut: ...

class RunsMutation(Protocol[P, ResultOut]):
    """A mutation: `api.module.function`, or a decorated function."""

    def _as_mutation(self, *args: P.args, **kwargs: P.kwargs) -> ResultOut: ...

class RunsAction(Protocol[P, ResultOut]):
    """An action: `api.module.function`, or a decorated function."""

    def _as_action(self, *args: P.args, **kwargs: P.kwargs) -> ResultOut: ...

class RunsLater(Protocol[P]):
    """A mutation or an action: `internal.module.function`, or a decorated function."""

    def _as_job(self, *args: P.args, **kwargs: P.kwargs) -> object: ...

class _Reference:
    """A reference to a function of one kind; what may be called with it is what takes that kind."""

class QueryReference(_Reference, Generic[Args, ResultOut]):
    def _as_query(
        self,
        args: Args,
        /,
        *,
        use_stale_snapshot: bool = False,
        transaction_limits: TransactionLimits | None = None,
    ) -> Coroutine[Any, Any, ResultOut]: ...

class QueryReferenceMaybeArgs(_Reference, Generic[Args, ResultOut]):
    """A query that may be called without arguments."""

    def _as_query(
        self,
        args: Args = ...,
        /,
        *,
        use_stale_snapshot: bool = False,
        transaction_limits: TransactionLimits | None = None,
    ) -> Coroutine[Any, Any, ResultOut]: ...

class MutationReference(_Reference, Generic[Args, ResultOut]):
    def _as_mutation(
        self, args: Args, /, *, transaction_limits: TransactionLimits | None = None
    ) -> Coroutine[Any, Any, ResultOut]: ...
    def _as_job(self, args: Args, /) -> None: ...

class MutationReferenceMaybeArgs(_Reference, Generic[Args, ResultOut]):
    """A mutation that may be called without arguments."""

    def _as_mutation(
        self, args: Args = ..., /, *, transaction_limits: TransactionLimits | None = None
    ) -> Coroutine[Any, Any, ResultOut]: ...
    def _as_job(self, args: Args = ..., /) -> None: ...

class ActionReference(_Reference, Generic[Args, ResultOut]):
    def _as_action(self, args: Args, /) -> Coroutine[Any, Any, ResultOut]: ...
    def _as_job(self, args: Args, /) -> None: ...

class ActionReferenceMaybeArgs(_Reference, Generic[Args, ResultOut]):
    """An action that may be called without arguments."""

    def _as_action(self, args: Args = ..., /) -> Coroutine[Any, Any, ResultOut]: ...
    def _as_job(self, args: Args = ..., /) -> None: ...

# Queries on a table: at first anything may be said, then less and less.

class FilterBuilder(UntypedFilterBuilder, Generic[Path]):
    """The `q` of `.filter(lambda q: ...)`, which knows the fields of the table."""

    def field(self, path: Path) -> Expression: ...

class OrderedQuery(Generic[DocOut, Filter]):
    """A query whose order is said: filter it, then await a result or iterate with `async for`."""

    def filter(self, condition: Callable[[Filter], Expression | bool]) -> Self: ...
    async def take(self, n: float) -> list[DocOut]: ...
    async def first(self) -> DocOut | None: ...
    async def unique(self) -> DocOut | None: ...
    async def collect(self) -> list[DocOut]: ...
    async def paginate(
        self: OrderedQuery[Doc, Any],
        options: PaginationOpts | Mapping[str, Any] | None = None,
        *,
        num_items: float | None = None,
        cursor: str | None = None,
        end_cursor: str | None = None,
        maximum_rows_read: float | None = None,
        maximum_bytes_read: float | None = None,
    ) -> PaginationResult[Doc]: ...
    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> DocOut: ...

class Query(OrderedQuery[DocOut, Filter]):
    """A query on an index."""

    def order(self, order: Order) -> OrderedQuery[DocOut, Filter]: ...

class TableQuery(Query[DocOut, Filter]):
    """A query about which nothing has been said; the generated classes add `with_index`."""

    def full_table_scan(self) -> Query[DocOut, Filter]: ...
    async def count(self) -> int: ...

class SyncOrderedQuery(Generic[DocOut, Filter]):
    """`OrderedQuery` in plain `def` functions; iterate with `for`."""

    def filter(self, condition: Callable[[Filter], Expression | bool]) -> Self: ...
    def take(self, n: float) -> list[DocOut]: ...
    def first(self) -> DocOut | None: ...
    def unique(self) -> DocOut | None: ...
    def collect(self) -> list[DocOut]: ...
    def paginate(
        self: SyncOrderedQuery[Doc, Any],
        options: PaginationOpts | Mapping[str, Any] | None = None,
        *,
        num_items: float | None = None,
        cursor: str | None = None,
        end_cursor: str | None = None,
        maximum_rows_read: float | None = None,
        maximum_bytes_read: float | None = None,
    ) -> PaginationResult[Doc]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> DocOut: ...

class SyncQuery(SyncOrderedQuery[DocOut, Filter]):
    def order(self, order: Order) -> SyncOrderedQuery[DocOut, Filter]: ...

class SyncTableQuery(SyncQuery[DocOut, Filter]):
    def full_table_scan(self) -> SyncQuery[DocOut, Filter]: ...
    def count(self) -> int: ...

class AnyTableQuery(TableQuery[Document, UntypedFilterBuilder]):
    """A query on a table that no schema describes."""

    def with_index(
        self, name: str, range: Callable[[IndexRangeBuilder], IndexRangeBuilder] | None = None
    ) -> Query[Document, UntypedFilterBuilder]: ...
    def with_search_index(
        self, name: str, filter: Callable[[SearchFilterBuilder], SearchFilterBuilder]
    ) -> OrderedQuery[Document, UntypedFilterBuilder]: ...

class SyncAnyTableQuery(SyncTableQuery[Document, UntypedFilterBuilder]):
    def with_index(
        self, name: str, range: Callable[[IndexRangeBuilder], IndexRangeBuilder] | None = None
    ) -> SyncQuery[Document, UntypedFilterBuilder]: ...
    def with_search_index(
        self, name: str, filter: Callable[[SearchFilterBuilder], SearchFilterBuilder]
    ) -> SyncOrderedQuery[Document, UntypedFilterBuilder]: ...

# The `q` of `with_index`: equalities on the first fields of the index in order, then bounds on the next.

class IndexRange:
    """A range of an index, as `with_index` takes it."""

class BelowBound(IndexRange, Generic[Field, Value]):
    """A lower bound is said; the upper one of the same field may follow."""

    def lt(self, field: Field, value: Value) -> IndexRange: ...
    def lte(self, field: Field, value: Value) -> IndexRange: ...

class AboveBound(IndexRange, Generic[Field, Value]):
    """An upper bound is said; the lower one of the same field may follow."""

    def gt(self, field: Field, value: Value) -> IndexRange: ...
    def gte(self, field: Field, value: Value) -> IndexRange: ...

class IndexFields(IndexRange, Generic[Field, Value, Next]):
    """The next field of an index, and what may be said after an equality on it."""

    def eq(self, field: Field, value: Value) -> Next: ...
    def gt(self, field: Field, value: Value) -> BelowBound[Field, Value]: ...
    def gte(self, field: Field, value: Value) -> BelowBound[Field, Value]: ...
    def lt(self, field: Field, value: Value) -> AboveBound[Field, Value]: ...
    def lte(self, field: Field, value: Value) -> AboveBound[Field, Value]: ...

class SearchFilter(Generic[Path]):
    """The `q` of `with_search_index` after `search`: equalities on filter fields."""

    def eq(self, field: Path, value: object) -> SearchFilter[Path]: ...

class Search(Generic[Field, Path]):
    """The `q` of `with_search_index`."""

    def search(self, field: Field, text: str) -> SearchFilter[Path]: ...

class VectorFilter(Generic[Path]):
    """The `q` of a vector search's filter."""

    def eq(self, field: Path, value: object) -> Expression: ...
    def or_(self, *operands: Expression) -> Expression: ...

class TransactionalVectorFilter(VectorFilter[Path]):
    """The same in queries and mutations, where conditions may have to hold together."""

    def and_(self, *operands: Expression) -> Expression: ...

class VectorResult(TypedDict, Generic[Doc]):
    _id: Doc
    _score: float

# System tables.

class StoredFile(TypedDict):
    """A document of `_storage`."""

    _id: Literal["_storage"]
    _creationTime: float
    sha256: str
    size: float
    contentType: NotRequired[str]

class _JobState(TypedDict):
    kind: Literal["pending", "inProgress", "success", "canceled"]

class _FailedState(TypedDict):
    kind: Literal["failed"]
    error: str

class ScheduledFunction(TypedDict):
    """A document of `_scheduled_functions`."""

    _id: Literal["_scheduled_functions"]
    _creationTime: float
    name: str
    args: list[Any]
    scheduledTime: float
    completedTime: NotRequired[float]
    state: _JobState | _FailedState

_StoredFilePath: TypeAlias = Literal["_id", "_creationTime", "sha256", "size", "contentType"]
_JobPath: TypeAlias = Literal[
    "_id",
    "_creationTime",
    "name",
    "args",
    "scheduledTime",
    "completedTime",
    "state",
    "state.kind",
    "state.error",
]
_ByCreation: TypeAlias = IndexFields[Literal["_creationTime"], float, IndexRange]

class _SystemQuery(TableQuery[DocOut, Filter]):
    def with_index(
        self, name: Literal["by_creation_time"], range: Callable[[_ByCreation], IndexRange] | None = None
    ) -> Query[DocOut, Filter]: ...

class _SyncSystemQuery(SyncTableQuery[DocOut, Filter]):
    def with_index(
        self, name: Literal["by_creation_time"], range: Callable[[_ByCreation], IndexRange] | None = None
    ) -> SyncQuery[DocOut, Filter]: ...

class TypedSystemReader(SystemReader):
    """`ctx.db.system`."""

    @overload
    def get(self, id: Literal["_storage"], /) -> Pending[StoredFile | None]: ...
    @overload
    def get(self, id: Literal["_scheduled_functions"], /) -> Pending[ScheduledFunction | None]: ...
    @overload
    def get(self, id: str, /) -> Pending[Document | None]: ...
    @overload
    def get(self, table: Literal["_storage"], id: Literal["_storage"], /) -> Pending[StoredFile | None]: ...
    @overload
    def get(
        self, table: Literal["_scheduled_functions"], id: Literal["_scheduled_functions"], /
    ) -> Pending[ScheduledFunction | None]: ...
    @overload
    def query(
        self, table: Literal["_storage"]
    ) -> _SystemQuery[StoredFile, FilterBuilder[_StoredFilePath]]: ...
    @overload
    def query(
        self, table: Literal["_scheduled_functions"]
    ) -> _SystemQuery[ScheduledFunction, FilterBuilder[_JobPath]]: ...
    @overload
    def normalize_id(self, table: Literal["_storage"], id: str) -> Pending[Literal["_storage"] | None]: ...
    @overload
    def normalize_id(
        self, table: Literal["_scheduled_functions"], id: str
    ) -> Pending[Literal["_scheduled_functions"] | None]: ...

class SyncTypedSystemReader(SyncSystemReader):
    """`ctx.db.system` in plain `def` functions."""

    @overload
    def get(self, id: Literal["_storage"], /) -> StoredFile | None: ...
    @overload
    def get(self, id: Literal["_scheduled_functions"], /) -> ScheduledFunction | None: ...
    @overload
    def get(self, id: str, /) -> Document | None: ...
    @overload
    def get(self, table: Literal["_storage"], id: Literal["_storage"], /) -> StoredFile | None: ...
    @overload
    def get(
        self, table: Literal["_scheduled_functions"], id: Literal["_scheduled_functions"], /
    ) -> ScheduledFunction | None: ...
    @overload
    def query(self, table: Literal["_storage"]) -> _SyncSystemQuery[StoredFile, _StoredFilePath]: ...
    @overload
    def query(
        self, table: Literal["_scheduled_functions"]
    ) -> _SyncSystemQuery[ScheduledFunction, _JobPath]: ...
    @overload
    def normalize_id(self, table: Literal["_storage"], id: str) -> Literal["_storage"] | None: ...
    @overload
    def normalize_id(
        self, table: Literal["_scheduled_functions"], id: str
    ) -> Literal["_scheduled_functions"] | None: ...

class TypedReader(DatabaseReader):
    """`ctx.db` for reading, without the methods that a schema has a say in."""

    @property
    def system(self) -> TypedSystemReader: ...

class TypedWriter(TypedReader, DatabaseWriter):
    """`ctx.db` for writing, without the methods that a schema has a say in."""

    vars: DatabaseVariables

class SyncTypedReader(SyncDatabaseReader):
    @property
    def system(self) -> SyncTypedSystemReader: ...

class SyncTypedWriter(SyncTypedReader, SyncDatabaseWriter):
    vars: DatabaseVariables

# Files and jobs, whose ids are those of system tables.

class TypedStorageReader(StorageReader):
    """`ctx.storage` in queries."""

    def get_url(self, storage_id: Literal["_storage"]) -> Pending[str | None]: ...
    def get_metadata(self, storage_id: Literal["_storage"]) -> Pending[dict[str, Any] | None]: ...

class TypedStorage(TypedStorageReader, Storage):
    """`ctx.storage` in mutations and actions."""

    def delete(self, storage_id: Literal["_storage"]) -> Pending[None]: ...
    def store(
        self, content: Blob | bytes, *, content_type: str | None = None, sha256: str | None = None
    ) -> Pending[Literal["_storage"]]: ...
    def get(self, storage_id: Literal["_storage"]) -> Pending[Blob | None]: ...

class SyncTypedStorageReader(SyncStorageReader):
    def get_url(self, storage_id: Literal["_storage"]) -> str | None: ...
    def get_metadata(self, storage_id: Literal["_storage"]) -> dict[str, Any] | None: ...

class SyncTypedStorage(SyncTypedStorageReader, SyncStorage):
    def delete(self, storage_id: Literal["_storage"]) -> None: ...
    def store(
        self, content: Blob | bytes, *, content_type: str | None = None, sha256: str | None = None
    ) -> Literal["_storage"]: ...
    def get(self, storage_id: Literal["_storage"]) -> Blob | None: ...

class TypedScheduler:
    """`ctx.scheduler`."""

    def run_after(
        self, delay_ms: float | timedelta, function: RunsLater[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[Literal["_scheduled_functions"]]: ...
    def run_at(
        self, timestamp: float | datetime, function: RunsLater[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[Literal["_scheduled_functions"]]: ...
    def cancel(self, id: Literal["_scheduled_functions"]) -> Pending[None]: ...

class SyncTypedScheduler:
    """`ctx.scheduler` in plain `def` functions."""

    def run_after(
        self, delay_ms: float | timedelta, function: RunsLater[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> Literal["_scheduled_functions"]: ...
    def run_at(
        self, timestamp: float | datetime, function: RunsLater[P], /, *args: P.args, **kwargs: P.kwargs
    ) -> Literal["_scheduled_functions"]: ...
    def cancel(self, id: Literal["_scheduled_functions"]) -> None: ...

# Contexts.

class TypedQueryCtx(QueryCtx, Generic[Reader]):
    """`QueryCtx` with a database that knows its tables."""

    @property
    def db(self) -> Reader: ...
    @property
    def storage(self) -> TypedStorageReader: ...
    def run_query(
        self, function: RunsQuery[P, Coroutine[Any, Any, Result]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[Result]: ...

class TypedMutationCtx(MutationCtx, Generic[Writer]):
    """`MutationCtx` with a database that knows its tables."""

    @property
    def db(self) -> Writer: ...
    @property
    def storage(self) -> TypedStorage: ...
    @property
    def scheduler(self) -> TypedScheduler: ...
    def run_query(
        self, function: RunsQuery[P, Coroutine[Any, Any, Result]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[Result]: ...
    def run_mutation(
        self, function: RunsMutation[P, Coroutine[Any, Any, Result]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[Result]: ...

class TypedActionCtx(ActionCtx):
    """`ActionCtx` that knows the functions."""

    @property
    def storage(self) -> TypedStorage: ...
    @property
    def scheduler(self) -> TypedScheduler: ...
    def run_query(
        self, function: RunsQuery[P, Coroutine[Any, Any, Result]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[Result]: ...
    def run_mutation(
        self, function: RunsMutation[P, Coroutine[Any, Any, Result]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[Result]: ...
    def run_action(
        self, function: RunsAction[P, Coroutine[Any, Any, Result]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Pending[Result]: ...

class SyncTypedQueryCtx(SyncQueryCtx, Generic[Reader]):
    """`TypedQueryCtx` for plain `def` functions."""

    @property
    def db(self) -> Reader: ...
    @property
    def storage(self) -> SyncTypedStorageReader: ...
    def run_query(
        self, function: RunsQuery[P, Coroutine[Any, Any, Result]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result: ...

class SyncTypedMutationCtx(SyncMutationCtx, Generic[Writer]):
    """`TypedMutationCtx` for plain `def` functions."""

    @property
    def db(self) -> Writer: ...
    @property
    def storage(self) -> SyncTypedStorage: ...
    @property
    def scheduler(self) -> SyncTypedScheduler: ...
    def run_query(
        self, function: RunsQuery[P, Coroutine[Any, Any, Result]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result: ...
    def run_mutation(
        self, function: RunsMutation[P, Coroutine[Any, Any, Result]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result: ...

class SyncTypedActionCtx(SyncActionCtx):
    """`TypedActionCtx` for plain `def` functions."""

    @property
    def storage(self) -> SyncTypedStorage: ...
    @property
    def scheduler(self) -> SyncTypedScheduler: ...
    def run_query(
        self, function: RunsQuery[P, Coroutine[Any, Any, Result]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result: ...
    def run_mutation(
        self, function: RunsMutation[P, Coroutine[Any, Any, Result]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result: ...
    def run_action(
        self, function: RunsAction[P, Coroutine[Any, Any, Result]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result: ...
