"""`ctx`: what a function may do. The class a handler names as its first parameter's type.

Queries read; mutations also write, schedule and store; actions call other functions and the outside world.
`async def` handlers get `QueryCtx`, `MutationCtx`, `ActionCtx`, whose methods are awaited; plain
`def` handlers get the `Sync` twins, whose methods return results directly. A member that the kind of
function must not use does not exist, and asking for it says what to do instead (js-runtime 2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from parabola.authoring.absent import absent, snake_case
from parabola.authoring.audit import audit
from parabola.authoring.auth import Auth, MutationAuth, SyncAuth, SyncMutationAuth
from parabola.authoring.calls import TransactionLimits, action_call, nested_call
from parabola.authoring.database import DatabaseReader, DatabaseWriter, SyncDatabaseReader, SyncDatabaseWriter
from parabola.authoring.meta import Meta, SyncMeta
from parabola.authoring.operations import Pending, Syscalls, Wait
from parabola.authoring.scheduling import Args, Scheduler, SyncScheduler
from parabola.authoring.search import VectorFilter, vector_search
from parabola.authoring.storage import Storage, StorageReader, SyncStorage, SyncStorageReader
from parabola.values.articles import with_article

__all__ = [
    "ActionCtx",
    "BaseCtx",
    "MutationCtx",
    "QueryCtx",
    "SyncActionCtx",
    "SyncMutationCtx",
    "SyncQueryCtx",
]

T_co = TypeVar("T_co", covariant=True)

_ABSENT: Final = {
    ("query", "run_mutation"): "A query only reads: make the function a mutation, or call it from an action.",
    ("query", "run_action"): "A query only reads: call actions from an action.",
    ("query", "scheduler"): "A query only reads: schedule from a mutation or an action.",
    ("query", "vector_search"): "Here it is `ctx.db.vector_search`, and a part of the transaction.",
    (
        "mutation",
        "run_action",
    ): "A mutation cannot wait for an action: use `ctx.scheduler.run_after(0, ...)`.",
    ("mutation", "vector_search"): "Here it is `ctx.db.vector_search`, and a part of the transaction.",
    (
        "action",
        "db",
    ): "Actions have no database: read with `ctx.run_query` and write with `ctx.run_mutation`.",
}


class BaseCtx:
    """What every context is made from."""

    def __init__(self, syscalls: Syscalls) -> None:
        self._syscalls = syscalls

    if not TYPE_CHECKING:  # checkers would take every name for one that is there

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            kind = self._syscalls.kind
            reason = _ABSENT.get(("action" if kind == "httpAction" else kind, snake_case(name)))
            label = "HTTP action" if kind == "httpAction" else kind
            if reason is None:
                raise absent(self, "ctx", name)
            raise AttributeError(f"There is no `ctx.{name}` in {with_article(label)}. {reason}")


class _Part(Generic[T_co]):
    """A part of a context, made when it is first asked for: most functions use one or two."""

    def __init__(self, kind: Callable[[Syscalls], T_co]) -> None:
        self._kind = kind
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, ctx: Any, owner: type) -> T_co:
        if ctx is None:
            return self  # type: ignore[return-value]
        part = ctx.__dict__[self._name] = self._kind(ctx._syscalls)
        return part


class QueryCtx(BaseCtx):
    """The context of queries: `db` and `storage` for reading, `auth`, `meta`, `run_query`."""

    db: DatabaseReader
    auth = _Part[Auth](Auth)
    storage = _Part[StorageReader](StorageReader)
    meta = _Part(Meta)

    def __init__(self, syscalls: Syscalls) -> None:
        self._syscalls = syscalls
        self.db = DatabaseReader(syscalls)

    def audit(self, body: Mapping[str, Any]) -> Pending[None]:
        """Write a line into the audit log: JSON, in which `audit_vars` may stand.

        It is durable with the commit of a mutation, and says whether that failed; for a query it is written
        whenever its result is given to somebody, for an action at once.
        """
        return audit(self._syscalls, body)

    def run_query(
        self, function: Any, args: Args | None = None, *, transaction_limits: TransactionLimits | None = None
    ) -> Pending[Any]:
        """Run another query in the same transaction."""
        return nested_call(self._syscalls, "query", function, args, transaction_limits)


class MutationCtx(QueryCtx):
    """The context of mutations: everything of queries, and writes, `scheduler`, `run_mutation`."""

    db: DatabaseWriter
    auth = _Part(MutationAuth)
    storage = _Part(Storage)
    scheduler = _Part(Scheduler)

    def __init__(self, syscalls: Syscalls) -> None:
        self._syscalls = syscalls
        self.db = DatabaseWriter(syscalls)

    def run_query(
        self,
        function: Any,
        args: Args | None = None,
        *,
        use_stale_snapshot: bool = False,
        transaction_limits: TransactionLimits | None = None,
    ) -> Pending[Any]:
        """Run a query in the same transaction.

        With `use_stale_snapshot` it sees the state before this mutation, and what it reads cannot conflict.
        """
        kind = "snapshotQuery" if use_stale_snapshot else "query"
        return nested_call(self._syscalls, kind, function, args, transaction_limits)  # type: ignore[arg-type]

    def run_mutation(
        self, function: Any, args: Args | None = None, *, transaction_limits: TransactionLimits | None = None
    ) -> Pending[Any]:
        """Run another mutation as a part of this one; if it fails, only its own writes are undone."""
        return nested_call(self._syscalls, "mutation", function, args, transaction_limits)


class ActionCtx(BaseCtx):
    """The context of actions: `run_query`, `run_mutation`, `run_action`, and what is outside."""

    def __init__(self, syscalls: Syscalls) -> None:
        super().__init__(syscalls)
        self.auth = Auth(syscalls)
        self.scheduler = Scheduler(syscalls)
        self.storage = Storage(syscalls)
        self.meta = Meta(syscalls)

    def audit(self, body: Mapping[str, Any]) -> Pending[None]:
        """Write a line into the audit log: JSON, in which `audit_vars` may stand; it is durable when this
        returns.
        """
        return audit(self._syscalls, body)

    def run_query(self, function: Any, args: Args | None = None) -> Pending[Any]:
        """Run a query on the newest state, in a transaction of its own."""
        return action_call(self._syscalls, "query", function, args)

    def run_mutation(self, function: Any, args: Args | None = None) -> Pending[Any]:
        """Run a mutation; it has committed when this returns, whatever the action does afterwards."""
        return action_call(self._syscalls, "mutation", function, args)

    def run_action(self, function: Any, args: Args | None = None) -> Pending[Any]:
        """Run another action and wait for it."""
        return action_call(self._syscalls, "action", function, args)

    def vector_search(
        self,
        table: str,
        index: str,
        *,
        vector: list[float],
        limit: int | None = None,
        filter: VectorFilter | None = None,
    ) -> Pending[list[dict[str, Any]]]:
        """The nearest documents: a list of `{"_id", "_score"}`, best first."""
        return vector_search(self._syscalls, table, index, vector, limit, filter)


class SyncQueryCtx(BaseCtx):
    """`QueryCtx` for plain `def` functions."""

    auth: SyncAuth
    db: SyncDatabaseReader
    storage: SyncStorageReader

    def __init__(self, syscalls: Syscalls, wait: Wait) -> None:
        super().__init__(syscalls)
        self._wait = wait
        self.db = SyncDatabaseReader(syscalls, wait)
        self.auth = SyncAuth(syscalls, wait)
        self.storage = SyncStorageReader(syscalls, wait)
        self.meta = SyncMeta(syscalls, wait)

    def audit(self, body: Mapping[str, Any]) -> None:
        """Write a line into the audit log: JSON, in which `audit_vars` may stand; see `QueryCtx.audit`."""
        self._wait(audit(self._syscalls, body))

    def run_query(
        self, function: Any, args: Args | None = None, *, transaction_limits: TransactionLimits | None = None
    ) -> Any:
        """Run another query in the same transaction."""
        return self._wait(nested_call(self._syscalls, "query", function, args, transaction_limits))


class SyncMutationCtx(SyncQueryCtx):
    """`MutationCtx` for plain `def` functions."""

    auth: SyncMutationAuth
    db: SyncDatabaseWriter
    storage: SyncStorage

    def __init__(self, syscalls: Syscalls, wait: Wait) -> None:
        super().__init__(syscalls, wait)
        self.auth = SyncMutationAuth(syscalls, wait)
        self.db = SyncDatabaseWriter(syscalls, wait)
        self.storage = SyncStorage(syscalls, wait)
        self.scheduler = SyncScheduler(syscalls, wait)

    def run_query(
        self,
        function: Any,
        args: Args | None = None,
        *,
        use_stale_snapshot: bool = False,
        transaction_limits: TransactionLimits | None = None,
    ) -> Any:
        """Run a query in the same transaction, or on the state before it (`use_stale_snapshot`)."""
        kind = "snapshotQuery" if use_stale_snapshot else "query"
        return self._wait(nested_call(self._syscalls, kind, function, args, transaction_limits))  # type: ignore[arg-type]

    def run_mutation(
        self, function: Any, args: Args | None = None, *, transaction_limits: TransactionLimits | None = None
    ) -> Any:
        """Run another mutation as a part of this one; if it fails, only its own writes are undone."""
        return self._wait(nested_call(self._syscalls, "mutation", function, args, transaction_limits))


class SyncActionCtx(BaseCtx):
    """`ActionCtx` for plain `def` functions; such an action runs in a thread and may block."""

    def __init__(self, syscalls: Syscalls, wait: Wait) -> None:
        super().__init__(syscalls)
        self._wait = wait
        self.auth = SyncAuth(syscalls, wait)
        self.scheduler = SyncScheduler(syscalls, wait)
        self.storage = SyncStorage(syscalls, wait)
        self.meta = SyncMeta(syscalls, wait)

    def audit(self, body: Mapping[str, Any]) -> None:
        """Write a line into the audit log: JSON, in which `audit_vars` may stand; see `QueryCtx.audit`."""
        self._wait(audit(self._syscalls, body))

    def run_query(self, function: Any, args: Args | None = None) -> Any:
        """Run a query on the newest state, in a transaction of its own."""
        return self._wait(action_call(self._syscalls, "query", function, args))

    def run_mutation(self, function: Any, args: Args | None = None) -> Any:
        """Run a mutation; it has committed when this returns, whatever the action does afterwards."""
        return self._wait(action_call(self._syscalls, "mutation", function, args))

    def run_action(self, function: Any, args: Args | None = None) -> Any:
        """Run another action and wait for it."""
        return self._wait(action_call(self._syscalls, "action", function, args))

    def vector_search(
        self,
        table: str,
        index: str,
        *,
        vector: list[float],
        limit: int | None = None,
        filter: VectorFilter | None = None,
    ) -> list[dict[str, Any]]:
        """The nearest documents: a list of `{"_id", "_score"}`, best first."""
        return self._wait(vector_search(self._syscalls, table, index, vector, limit, filter))
