"""What one call has cost in hosts, and how it is run next.

A call whose host dies under it is run again, since most are innocent: their host died of another one. One
that may have ended its host is run again alone, where it can harm nobody; if that host dies too it fails.
"""

from __future__ import annotations

from typing import Final, Protocol

from parabola.functions.outcomes.failures import SYSTEM_ERROR_TEXT, FunctionFailure
from parabola.functions.processes.host_connection import HostConnection
from parabola.functions.processes.host_failures import HostLost
from parabola.values.errors import InternalServerError

__all__ = ["COMPANION_LOSSES", "MAX_CLOSED_HOSTS", "HostLosses", "Lender", "Seclusion"]

MAX_CLOSED_HOSTS: Final = 5
"""Hosts that may be closed under one call, by deployments say, before it is given up."""
COMPANION_LOSSES: Final = 2
"""A call that has lost so many hosts is run alone, whoever was to blame."""


class Lender(Protocol):
    """A pool that lends hosts."""

    async def lend(self) -> HostConnection:
        """A host that nobody else uses until it is given back. Raises `LoadFailure`, `Overloaded`."""

    def give_back(self, host: HostConnection) -> None:
        """The borrower has finished."""


class Seclusion:
    """Hosts that one call, with everything it calls in its transaction, has for itself: one of each pool."""

    def __init__(self) -> None:
        self._hosts: dict[Lender, HostConnection] = {}

    async def host(self, pool: Lender) -> HostConnection:
        """The host of a pool, lent when it is needed first."""
        host = self._hosts.get(pool)
        if host is None:
            host = self._hosts[pool] = await pool.lend()
        return host

    def end(self) -> None:
        """The call is over."""
        while self._hosts:
            pool, host = self._hosts.popitem()
            pool.give_back(host)


class HostLosses:
    """Counts the hosts lost under one call. Say `end_try` after each try."""

    __slots__ = ("_closed", "_died", "_moved", "alone")

    def __init__(self) -> None:
        self._died = 0
        self._closed = 0
        self._moved = False
        self.alone: Seclusion | None = None
        """Where the next try is to run, if it is to run alone."""

    @property
    def is_repeated(self) -> bool:
        """Whether the call has waited for a host in vain: it comes before others now."""
        return self._moved or self._died > 0

    def count(self, loss: HostLost) -> FunctionFailure | None:
        """One more: the failure with which the call ends, or `None` when it is to be run again.

        Raises `InternalServerError` when hosts are closed under it again and again.
        """
        if loss.is_moved:
            self._moved = True
            return None
        if loss.how is None:
            self._closed += 1
            if self._closed >= MAX_CLOSED_HOSTS:
                raise InternalServerError(SYSTEM_ERROR_TEXT)
            return None
        if self.alone is not None:
            return FunctionFailure(
                f"The function's host process ended while it was running ({loss.how}), also when it "
                "ran there alone.",
                kind="exit",
            )
        self._died += 1
        if loss.suspected or self._died >= COMPANION_LOSSES:
            self.alone = Seclusion()
        return None

    def end_try(self) -> None:
        """A try is over: what was lent for it is given back."""
        if self.alone is not None:
            self.alone.end()
