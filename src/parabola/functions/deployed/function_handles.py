"""Function handles: strings that stand for functions, to be stored and passed around (js-runtime §8,
semantics §12).

A handle is `function://<id>#<module>:<function>`; only the id counts. It is the id of a row of
`_function_handles`, which a push creates for each function and marks as deleted when the function is gone;
bringing the function back revives it.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Final

from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.function_path import FunctionPath, parse_path
from parabola.functions.deployed.stored_rows import system_rows
from parabola.values.errors import BadRequest
from parabola.values.validators.handles import HANDLE_SCHEME

if TYPE_CHECKING:
    from parabola.database.transaction import Transaction
    from parabola.functions.deployed.deployment import Deployment

__all__ = ["TABLE", "FunctionHandle", "FunctionHandles", "load_handles", "remove_handles", "update_handles"]

TABLE: Final = "_function_handles"


class FunctionHandle(SystemRow, frozen=True, kw_only=True):
    """A row of `_function_handles`; `path` is a canonical function name."""

    component: str = ""
    path: str
    deleted: bool = False


class FunctionHandles:
    """The live handles: id of a component and canonical function name <-> row id."""

    def __init__(self, ids: Mapping[tuple[str, str], str] | None = None) -> None:
        self._ids = dict(ids or {})
        self._names = {row_id: name for name, row_id in self._ids.items()}

    def handle(self, component: str, name: FunctionPath) -> str:
        """The handle of a deployed function."""
        row_id = self._ids.get((component, name.canonical))
        if row_id is None:
            raise BadRequest(f"Could not find public function for '{name}'.")
        return f"{HANDLE_SCHEME}{row_id}#{name.canonical}"

    def function(self, handle: str) -> tuple[str, FunctionPath]:
        """The function behind a handle, after the id of its component. Raises `BadRequest`."""
        if not handle.startswith(HANDLE_SCHEME):
            raise BadRequest(f"Invalid function handle {handle}", code="InvalidFunctionHandle")
        row_id = handle.removeprefix(HANDLE_SCHEME).partition("#")[0]
        found = self._names.get(row_id)
        if found is None:
            raise BadRequest("Function handle not found", code="FunctionHandleNotFound")
        component, name = found
        return component, parse_path(name)


async def load_handles(transaction: Transaction) -> FunctionHandles:
    """Read the live handles."""
    rows = [FunctionHandle.of(row) for row in await system_rows(transaction, TABLE)]
    return FunctionHandles({(row.component, row.path): row.id for row in rows if not row.deleted})


async def remove_handles(transaction: Transaction, components: Container[str]) -> None:
    """Forget the handles of components, by their ids, that are gone for good."""
    for row in [FunctionHandle.of(row) for row in await system_rows(transaction, TABLE)]:
        if row.component in components:
            await transaction.delete_system(row.id)


async def update_handles(transaction: Transaction, deployment: Deployment) -> FunctionHandles:
    """Make the rows say that exactly the functions of a deployment exist, those of its components too."""
    wanted = {
        (component.id, name)
        for component in (deployment.app, *deployment.components.values())
        for name in component.definition.functions
    }
    ids: dict[tuple[str, str], str] = {}
    for row in [FunctionHandle.of(row) for row in await system_rows(transaction, TABLE)]:
        key = (row.component, row.path)
        if row.deleted == (key in wanted):
            await transaction.patch_system(row.id, {"deleted": not row.deleted})
        if key in wanted:
            ids[key] = row.id
    for component, name in sorted(wanted - ids.keys()):
        row = FunctionHandle(component=component, path=name)
        ids[component, name] = await transaction.insert_system(TABLE, row.fields())
    return FunctionHandles(ids)
