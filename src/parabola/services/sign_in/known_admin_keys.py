"""The admin keys of a deployment that it has seen, and those it does not take any more.

A key is good because it was made with the instance's secret; nothing is written to make one. What is written
here is that a key has come by, so that it can be listed, and that it was revoked.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, UnsetType

from parabola.database.model.system_rows import SystemRow
from parabola.functions.deployed.deployment_events import record_event
from parabola.functions.deployed.stored_rows import system_rows
from parabola.services.sign_in.admin_keys import AdminClaims, check_admin_key, make_admin_key
from parabola.values.errors import NotFound, ParabolaError, Unauthenticated

if TYPE_CHECKING:
    from parabola.database.commits.write_set import WriteSet
    from parabola.database.database import Database
    from parabola.database.transaction import Transaction

__all__ = ["ADMIN_KEYS", "AdminKeyRow", "AdminKeys"]

ADMIN_KEYS: Final = "_admin_keys"
MOST_SEEN: Final = 1000
"""Keys that are written down because they have come by; revoked ones always are."""
_EVERY_KEY: Final = "*"
_SOURCE: Final = "admin keys"


class AdminKeyRow(SystemRow, frozen=True, kw_only=True, rename="camel"):
    """A row of `_admin_keys`. Times are seconds since the epoch.

    The row whose `key_id` is `*` stands for all keys that were issued until it was `revoked_at`.
    """

    key_id: str
    name: str = ""
    issued_at: float = 0.0
    is_read_only: bool = False
    revoked_at: float | UnsetType = UNSET

    @property
    def is_revoked(self) -> bool:
        """Whether this very key was revoked."""
        return self.revoked_at is not UNSET


class AdminKeys:
    """The keys of one deployment."""

    def __init__(self, database: Database, instance_name: str, instance_secret: str) -> None:
        self._database = database
        self._name = instance_name
        self._secret = instance_secret
        self._rows: dict[str, AdminKeyRow] = {}
        self._revoked_until = -1.0
        self._last_used: dict[str, float] = {}
        self._own: set[str] = set()
        self._noting: set[asyncio.Task[None]] = set()
        self._listeners: list[Callable[[], None]] = []
        self._stop_following: Callable[[], None] = lambda: None

    async def open(self) -> None:
        """Read what is known, and follow what other servers on the same data find out."""
        self._stop_following = self._database.on_commit(self._follow, of_system=True)
        for row in await system_rows(self._database.begin(), ADMIN_KEYS):
            self._take(AdminKeyRow.of(row))

    async def close(self) -> None:
        """Write nothing more."""
        self._stop_following()
        for task in self._noting:
            task.cancel()
        await asyncio.gather(*self._noting, return_exceptions=True)

    def own(self, key: str) -> None:
        """A key that the server has made for commands beside it: it is neither listed nor revoked, and ends
        with the server.
        """
        self._own.add(check_admin_key(key, self._name, self._secret).key_id)

    def check(self, key: str) -> AdminClaims:
        """What a key says. Raises `Unauthenticated` (code `BadAdminKey`) for one that is not of this
        instance, or was revoked.
        """
        claims = check_admin_key(key, self._name, self._secret)
        id = claims.key_id
        if id in self._own:
            return claims
        row = self._rows.get(id)
        if claims.issued_at <= self._revoked_until or (row is not None and row.is_revoked):
            raise Unauthenticated(
                "This admin key was revoked. Make another one with `parabola admin-key` on the machine that "
                "holds the instance's secret.",
                code="BadAdminKey",
            )
        self._last_used[id] = self._clock()
        if row is None and len(self._rows) < MOST_SEEN:
            row = AdminKeyRow(
                key_id=id,
                name=claims.name,
                issued_at=float(claims.issued_at),
                is_read_only=claims.is_read_only,
            )
            self._rows[id] = row
            task = asyncio.get_running_loop().create_task(self._note(row))
            self._noting.add(task)
            task.add_done_callback(self._noting.discard)
        return claims

    @property
    def seen(self) -> list[tuple[AdminKeyRow, float | None]]:
        """Every key that has come by or was revoked, oldest first, and when it was used last since the server
        has started.
        """
        rows = sorted(self._rows.values(), key=lambda row: (row.issued_at, row.key_id))
        return [(row, self._last_used.get(row.key_id)) for row in rows]

    def is_revoked(self, row: AdminKeyRow) -> bool:
        """Whether a key is not taken any more."""
        return row.is_revoked or row.issued_at <= self._revoked_until

    async def make(self, name: str, *, read_only: bool) -> str:
        """A new key, which is known from now on; `name` says whose it is. Raises `BadRequest` for a name that
        is too long.
        """
        key = make_admin_key(
            self._name, self._secret, name=name, read_only=read_only, issued_at=self._clock()
        )
        claims = check_admin_key(key, self._name, self._secret)
        row = AdminKeyRow(
            key_id=claims.key_id,
            name=name,
            issued_at=float(claims.issued_at),
            is_read_only=read_only,
        )

        async def write(tx: Transaction) -> None:
            await tx.insert_system(ADMIN_KEYS, row.fields())
            await record_event(tx, "make_admin_key", key_id=row.key_id, name=name, read_only=read_only)

        await self._database.transact(write, source=_SOURCE)
        return key

    async def revoke(self, key_id: str) -> None:
        """Take a key no more, from now on and for ever. Raises `NotFound` for an id that no key has had here
        and that is none.
        """
        known = self._rows.get(key_id)
        if known is None and not _is_key_id(key_id):
            raise NotFound(
                f"There is no admin key {key_id!r}. `parabola admin-key list` shows the ids of those that "
                "were used; that of another one is 16 characters of its hex, behind the first two.",
                code="UnknownAdminKey",
            )
        row = known or AdminKeyRow(key_id=key_id)
        await self._revoke(
            AdminKeyRow(
                key_id=key_id,
                name=row.name,
                issued_at=row.issued_at,
                is_read_only=row.is_read_only,
                revoked_at=self._clock(),
            )
        )

    async def revoke_all(self) -> None:
        """Take no key any more that was issued before this returns. Those that are made then are good."""
        second = math.floor(self._clock())  # keys say in which second they were issued
        await self._revoke(AdminKeyRow(key_id=_EVERY_KEY, revoked_at=float(second)))
        await asyncio.sleep(max(0.0, second + 1 - self._clock()))

    def _clock(self) -> float:
        """Seconds since the epoch."""
        return self._database.now_ts() / 1e9

    def on_revoked(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a key was revoked: whoever came in with one must come in again."""
        self._listeners.append(listener)

    async def _revoke(self, row: AdminKeyRow) -> None:
        async def write(tx: Transaction) -> None:
            for document in await system_rows(tx, ADMIN_KEYS):
                if AdminKeyRow.of(document).key_id == row.key_id:
                    await tx.delete_system(AdminKeyRow.of(document).id)
            await tx.insert_system(ADMIN_KEYS, row.fields())
            if row.key_id == _EVERY_KEY:
                await record_event(tx, "revoke_all_admin_keys")
            else:
                await record_event(tx, "revoke_admin_key", key_id=row.key_id, name=row.name)

        await self._database.transact(write, source=_SOURCE)  # and now `_follow` knows

    def _follow(self, writes: WriteSet, _ts: int) -> None:
        """A commit of any server: keys may have come by for the first time, or may have been revoked."""
        is_any_revoked = False
        for change in writes.changes:
            if change.table.name == ADMIN_KEYS and change.new is not None:
                row = AdminKeyRow.of(change.new)
                is_any_revoked |= row.is_revoked
                self._take(row)
        if is_any_revoked:
            for listener in self._listeners:
                listener()

    async def _note(self, row: AdminKeyRow) -> None:
        """Write down a key that came by. Without room on the disk it is known until the server ends."""

        async def write(tx: Transaction) -> None:
            known = [AdminKeyRow.of(each).key_id for each in await system_rows(tx, ADMIN_KEYS)]
            if row.key_id not in known:
                await tx.insert_system(ADMIN_KEYS, row.fields())

        try:
            await self._database.transact(write, source=_SOURCE)
        except ParabolaError:
            return

    def _take(self, row: AdminKeyRow) -> None:
        if row.key_id != _EVERY_KEY:
            self._rows[row.key_id] = row
        elif row.revoked_at is not UNSET:
            self._revoked_until = max(self._revoked_until, row.revoked_at)


def _is_key_id(text: str) -> bool:
    return len(text) == 16 and all(character in "0123456789abcdef" for character in text)
