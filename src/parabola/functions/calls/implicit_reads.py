"""What an execution depends on besides documents: the deployed code, and environment variables.

These are ordinary rows (semantics §5.1), but their contents are known without a look at the database; only
the dependency is recorded. So a push invalidates every query, and a changed variable exactly those that read
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parabola.database.model.indexes import BY_ID, prefix_interval
from parabola.database.model.intervals import Interval

if TYPE_CHECKING:
    from parabola.database.model.intervals import ReadSet
    from parabola.database.model.tables import Registry

__all__ = ["DEPLOYMENT_TABLE", "ENVIRONMENT_INDEX", "ENVIRONMENT_TABLE", "ImplicitReads"]

DEPLOYMENT_TABLE: Final = "_udf_config"
"""A push writes its row; every execution depends on it."""
ENVIRONMENT_TABLE: Final = "_environment_variables"
ENVIRONMENT_INDEX: Final = "by_name"
_EVERYTHING: Final = Interval.everything()


class ImplicitReads:
    """Index numbers of the system tables concerned; they never change once the tables exist."""

    __slots__ = ("_deployment_index", "_environment_index")

    def __init__(self, registry: Registry) -> None:
        self._deployment_index = _index_id(registry, DEPLOYMENT_TABLE, BY_ID)
        self._environment_index = _index_id(registry, ENVIRONMENT_TABLE, ENVIRONMENT_INDEX)

    def deployment(self, reads: ReadSet) -> None:
        """Depend on what is deployed."""
        reads.record(self._deployment_index, _EVERYTHING)

    def environment_variable(self, reads: ReadSet, name: str) -> None:
        """Depend on one variable, set or not; `*` stands for all of them."""
        interval = _EVERYTHING if name == "*" else prefix_interval([name])
        reads.record(self._environment_index, interval)


def _index_id(registry: Registry, table_name: str, index_name: str) -> int:
    table = registry.table(table_name)
    assert table is not None, f"the system table {table_name} is missing"
    index = registry.index(table, index_name)
    assert index is not None, f"the index {table_name}.{index_name} is missing"
    return index.index_id
