"""What an operator may set about running functions: their time, their processes, what is remembered."""

from __future__ import annotations

from dataclasses import dataclass

from parabola.values.limits import (
    MAX_ACTION_TIME,
    MAX_NODE_ACTION_TIME,
    MAX_SYSTEM_TIME,
    MAX_USER_TIME,
    MIB,
)

__all__ = ["FunctionSettings"]


@dataclass(frozen=True)
class FunctionSettings:
    """The settings of one deployment's functions. Sizes are bytes, times seconds.

    The times of functions are limits of Convex, which those who serve themselves may move: slower machines
    and longer work are theirs. What functions see of each other's data does not depend on any of these.
    """

    user_seconds: float = MAX_USER_TIME
    """Processor time of a query or mutation with all it calls; from 0.1."""
    system_seconds: float = MAX_SYSTEM_TIME
    """Time in which a query or mutation waits for the database; from 1."""
    action_seconds: float = MAX_ACTION_TIME
    """Time of an action, but for those in full Node.js; from 1."""
    node_action_seconds: float = MAX_NODE_ACTION_TIME
    """Time of an action in full Node.js; from 1."""
    import_seconds: float = 60.0
    """Time for loading all modules in a process, and for analysing one of them; from 1. Waiting for a
    processor does not count in the latter."""

    hosts: int | None = None
    """The most processes for queries and mutations, for each runtime; from 1, None: one a processor."""
    least_hosts: int = 1
    """How many of these there are when there is little to do; from 1."""
    calls_per_host: int = 128
    """Queries and mutations in flight in one process; from 1. More wait."""
    call_wait_seconds: float = 15.0
    """How long a query or mutation waits for a process before it is refused; from 0.1."""
    spare_hosts: int = 1
    """Processes for queries and mutations that stand by, for each runtime that is in use; 0 or 1."""
    actions_at_once: int = 64
    """Actions that run at a time, for each runtime, those that actions have started apart (js-runtime §9);
    from 1. Three quarters of them may be scheduled ones."""
    action_wait_seconds: float = 10.0
    """How long an action waits for others to end before it is refused (semantics §5.7); from 0.1."""
    spare_action_hosts: int = 1
    """Processes for actions that stand by, for each runtime with actions; from 0."""
    action_idle_seconds: float = 60.0
    """How long another process for actions is kept that none needs; from 1."""
    host_memory_bytes: int = 1024 * MIB
    """Memory of one process with functions, beyond which it is ended; from 128 MiB. Half of it is for the
    queries and mutations of a Python process together, and for the heap of a Node.js process."""
    drain_seconds: float = 10.0
    """How long queries and mutations that were running when functions are replaced may go on with the old
    ones; then they begin anew with the new ones. From 0."""

    query_cache_bytes: int = 100 * MIB
    """Memory for results of queries that nobody watches (semantics §13); from 0."""
    log_entries: int = 4096
    """Executions whose log can be read (semantics §13: the buffer of log streams); from 1."""
    log_history_bytes: int = 64 * MIB
    """What the files may take that keep the log of functions for later; 0: there are none."""
