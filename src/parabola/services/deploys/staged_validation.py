"""Holding the documents of tables against staged validators, in the background, one table after another.

Each chunk is read at a fresh snapshot: what is written behind it is held against the validator by who writes
it. A row that is gone, or has failed meanwhile, ends the look through its table; a server that was stopped
begins it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

import orjson

from parabola.database.model.indexes import BY_ID
from parabola.database.model.intervals import Interval
from parabola.database.model.schema_rows import StagedValidator
from parabola.database.model.system_tables import STAGED_VALIDATORS
from parabola.functions.deployed.component_rows import recorded_components
from parabola.services.deploys.staged_validators import staged_validators
from parabola.values.errors import ParabolaError, ValidationError
from parabola.values.validators.builder import Validator, validator_from_json

if TYPE_CHECKING:
    from parabola.database.commits.write_set import WriteSet
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["StagedValidation"]

_log: Final = logging.getLogger(__name__)

CHUNK: Final = 200
"""Documents looked at between two turns of the event loop."""
RETRY_SECONDS: Final = 10.0
"""Pause after the database could not be read or written."""
_NOTED: Final = 20
"""Chunks between two notes of how far it is."""
_SOURCE: Final = "staged validation"


class StagedValidation:
    """Looks through tables whose staged validators are pending, until closed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._stop_listening = database.on_commit(self._notice, of_system=True)

    def start(self) -> None:
        """Begin, with what an earlier server has left pending."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=_SOURCE)

    async def close(self) -> None:
        """Stop."""
        self._stop_listening()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _notice(self, writes: WriteSet, _ts: int) -> None:
        if any(change.table.name == STAGED_VALIDATORS for change in writes.changes):
            self._changed.set()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                while pending := await self._pending():
                    if not await self._database.members.is_keeper():
                        break
                    await self._look_through(*pending[0])
            except ParabolaError as error:
                _log.warning("A staged validator could not be held against its table: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                # The node that does it for all may go.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_SECONDS if pending else None):
                        await self._changed.wait()

    async def _pending(self) -> list[tuple[str, StagedValidator]]:
        """What is pending, after the id of the component whose it is."""
        tx = self._database.begin()
        return [
            (component, row)
            for component in await recorded_components(tx)
            for row in await staged_validators(tx.view(component))
            if row.state == "pending"
        ]

    async def _look_through(self, component: str, row: StagedValidator) -> None:
        validator: Validator[Any] = validator_from_json(orjson.loads(row.validator))
        rest: Interval | None = Interval.everything()
        seen = chunks = 0
        while rest is not None:
            tx = self._database.begin().view(component)
            table = tx.find_table(row.table_name)
            index = None if table is None else tx.registry.index(table, BY_ID)
            if index is None:
                break  # a table without documents
            rows = await tx.scan(index, rest, "asc", CHUNK)
            for _, document in rows:
                value = {name: item for name, item in document.value.items() if name[:1] != "_"}
                try:
                    validator.check(value, tx)
                except ValidationError as error:
                    text = (
                        f'Document with ID "{document.id}" in table "{row.table_name}" does not match the '
                        f"staged schema: {error}"
                    )
                    await self._note(component, row, {"state": "failed", "error": text})
                    return
            seen, chunks = seen + len(rows), chunks + 1
            rest = None if rows.exhausted else rest.after(rows[-1][0])
            if chunks % _NOTED == 0 and not await self._note(
                component, row, {"numDocsValidated": float(seen)}
            ):
                return
            await asyncio.sleep(0)
        await self._note(component, row, {"state": "valid", "numDocsValidated": float(seen)})

    async def _note(self, component: str, row: StagedValidator, fields: dict[str, Any]) -> bool:
        """Write it into the row; False when it is not pending any more."""

        async def write(root: Transaction) -> bool:
            tx = root.view(component)
            present = await tx.get_system(row.id)
            if present is None or StagedValidator.of(present).state != "pending":
                return False
            await tx.patch_system(row.id, fields)
            return True

        return await self._database.transact(write, source=_SOURCE)
