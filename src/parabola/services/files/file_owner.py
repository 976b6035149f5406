"""The name under which a deployment keeps its files where others may keep theirs, in an object store.

It is made once, from the instance's secret as that is then, and kept in the database: whoever changes the
secret afterwards finds the files where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from parabola.database.model.shown_rows import StoredFile
from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.files.stored_files import FILES
from parabola.services.sign_in.admin_keys import derive_key

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["FILE_OWNER", "FileOwnerRow", "owner_of_files"]

FILE_OWNER: Final = "_file_owner"
_PURPOSE: Final = "owner of stored files"


class FileOwnerRow(SystemRow, frozen=True, kw_only=True):
    """The row of `_file_owner`: what the keys of its files begin with."""

    owner: str


async def owner_of_files(database: Database, secret: bytes) -> str:
    """The owner; decided with the first call."""

    async def decide(tx: Transaction) -> str:
        rows = [FileOwnerRow.of(row) for row in await system_rows(tx, FILE_OWNER)]
        if rows:
            return rows[0].owner
        owner = await _owner_of_newest(tx) or derive_key(secret, _PURPOSE).hex()
        await tx.insert_system(FILE_OWNER, FileOwnerRow(owner=owner).fields())
        return owner

    return await database.transact(decide, source="the owner of stored files")


async def _owner_of_newest(tx: Transaction) -> str | None:
    """Whose the newest file is: of a deployment that has files and whose owner was never written down."""
    source = {"type": "FullTableScan", "tableName": FILES, "order": "desc"}
    newest = await tx.query_system({"source": source, "operators": [{"limit": 1}]}).collect()
    owner, slash, _ = StoredFile.of(newest[0]).key.rpartition("/") if newest else ("", "", "")
    return owner if slash else None
