"""The hosts of a backend that run queries and mutations."""

from __future__ import annotations

from parabola.backend import Backend
from parabola.functions.deployed.runtimes import RuntimeName
from parabola.functions.processes.host_pool import DeterministicPool

__all__ = ["pool_of"]


def pool_of(backend: Backend, runtime: RuntimeName = "isolate") -> DeterministicPool:
    """Those of one runtime, of what is deployed now."""
    pool = backend.runner.active.hosts._hosts_of[runtime].deterministic
    assert isinstance(pool, DeterministicPool)
    return pool
