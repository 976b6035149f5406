"""Which npm packages are in a set: rows of `_external_deps_packages`, by which each node installs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.stored_rows import system_rows

if TYPE_CHECKING:
    from parabola.database.snapshot import Snapshot
    from parabola.database.transaction import Transaction

__all__ = ["Packages", "PackagesRow", "find_packages", "forget_packages", "store_packages"]

PACKAGES: Final = "_external_deps_packages"

Packages = Sequence[tuple[str, str]]
"""Names and versions."""


class PackagesRow(SystemRow, frozen=True, kw_only=True):
    """A row of `_external_deps_packages`: `folder` is where a node has them."""

    folder: str
    names: tuple[str, ...]
    versions: tuple[str, ...]


async def find_packages(tx: Snapshot, folder: str) -> Packages | None:
    """The packages of a folder, None where nobody has written them down."""
    for row in [PackagesRow.of(row) for row in await system_rows(tx, PACKAGES)]:
        if row.folder == folder:
            return list(zip(row.names, row.versions, strict=True))
    return None


async def store_packages(tx: Transaction, folder: str, packages: Packages) -> None:
    """Write down what a folder has."""
    if await find_packages(tx, folder) is None:
        names, versions = zip(*packages, strict=True)
        row = PackagesRow(folder=folder, names=names, versions=versions)
        await tx.insert_system(PACKAGES, row.fields())


async def forget_packages(tx: Transaction, kept: str | None) -> None:
    """Nothing but one folder is used any more."""
    for row in [PackagesRow.of(row) for row in await system_rows(tx, PACKAGES)]:
        if row.folder != kept:
            await tx.delete_system(row.id)
