"""Where loaded hosts come from: a process each, forks of a zygote, or this very process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from parabola.functions.deployed.runtimes import RuntimeName
from parabola.functions.processes.host_bundle import HostBundle, HostCommand, Purpose
from parabola.functions.processes.host_connection import HostConnection
from parabola.functions.processes.host_process import HostProcess
from parabola.functions.processes.host_zygote import ForkingSpawner

__all__ = [
    "RELAY_PAUSE_SECONDS",
    "InProcessHostFactory",
    "InProcessSpawner",
    "ProcessSpawner",
    "Spawner",
    "ZygoteSpawner",
]

if TYPE_CHECKING:
    from parabola.functions.processes.relay_process import RelayProcess

RELAY_PAUSE_SECONDS: Final = 30.0
"""How long after the end of a relay another one may be started."""

InProcessHostFactory = Callable[[RuntimeName], HostConnection]


class Spawner(Protocol):
    """Makes hosts for one runtime of one deployment."""

    async def spawn(self, purpose: Purpose) -> HostConnection:
        """A host that has loaded its modules. Raises `LoadFailure`."""

    @property
    def have_ended(self) -> bool:
        """Whether hosts could execute once and have lost what that takes, some time ago."""

    async def execute(self) -> bool:
        """Hosts for queries and mutations that are made from now on execute transactions; False where
        nothing changes. Raises `LoadFailure`.
        """

    def stop_executing(self) -> Callable[[], Awaitable[None]]:
        """Hosts that are made from now on do not; what is to be called when the others get no more runs."""

    async def analyst(self) -> HostConnection | None:
        """A loaded host that only analyses, where there is one anyway."""

    async def close(self) -> None:
        """Make no more hosts."""


class ProcessSpawner:
    """Starts a process for each host."""

    def __init__(
        self,
        command: Callable[[Purpose], HostCommand],
        bundle: HostBundle,
        step_limit: float,
        relay_argv: Sequence[str] | None = None,
    ) -> None:
        self._command = command
        self._bundle = bundle
        self._step_limit = step_limit
        self._relay_argv = relay_argv
        self._relay: RelayProcess | None = None
        self._retiring: list[RelayProcess] = []
        """Those whose last hosts have not ended yet."""

    @property
    def have_ended(self) -> bool:
        """Whether the relay has ended by itself, long enough ago for another try."""
        relay = self._relay
        return relay is not None and relay.has_been_gone_for(RELAY_PAUSE_SECONDS)

    async def execute(self) -> bool:
        """From now on hosts for queries and mutations are behind a relay, which executes their transactions;
        False where that cannot be, or is so already. Raises `LoadFailure`.
        """
        if self._relay_argv is None or self._bundle.database is None or self._usable_relay() is not None:
            return False
        from parabola.functions.processes.relay_process import RelayProcess

        self._relay = None  # one that has ended
        self._relay = await RelayProcess.start(self._relay_argv)
        return True

    def stop_executing(self) -> Callable[[], Awaitable[None]]:
        """Further hosts are on their own again."""
        relay, self._relay = self._relay, None
        if relay is None:
            return _nothing
        self._retiring.append(relay)

        async def retire() -> None:
            await relay.retire()
            self._retiring.remove(relay)

        return retire

    def _usable_relay(self) -> RelayProcess | None:
        return None if self._relay is None or self._relay.is_closed else self._relay

    async def spawn(self, purpose: Purpose) -> HostConnection:
        """Start a process and load the modules in it."""
        is_action = purpose == "action"
        while True:
            relay = None if is_action else self._usable_relay()
            host = await HostProcess.spawn(
                self._command(purpose), step_limit=None if is_action else self._step_limit, relay=relay
            )
            await _load(host, self._bundle)
            if is_action or relay is self._usable_relay():
                return host
            await host.close()  # meanwhile hosts have begun to execute, or do so no more

    async def analyst(self) -> None:
        """Analysing is left to the hosts that run."""

    async def close(self) -> None:
        """End the relays that there are."""
        relays = self._retiring if self._relay is None else [*self._retiring, self._relay]
        await asyncio.gather(*(relay.close() for relay in relays))


class ZygoteSpawner:
    """Forks hosts from a process that has loaded the modules."""

    def __init__(self, command: HostCommand, bundle: HostBundle, step_limit: float) -> None:
        self._forking = ForkingSpawner(command, bundle)
        self._step_limit = step_limit

    async def spawn(self, purpose: Purpose) -> HostConnection:
        """Fork a host."""
        return await self._forking.spawn(self._step_limit if purpose == "deterministic" else None)

    @property
    def have_ended(self) -> bool:
        """What is forked executes for itself."""
        return False

    async def execute(self) -> bool:
        """What is forked executes, if it can."""
        return False

    def stop_executing(self) -> Callable[[], Awaitable[None]]:
        """It goes on."""
        return _nothing

    async def analyst(self) -> HostConnection:
        """The zygote itself, which runs nothing."""
        return await self._forking.zygote()

    async def close(self) -> None:
        """End the zygote."""
        await self._forking.close()


class InProcessSpawner:
    """Makes hosts inside this process, for tests and debuggers."""

    def __init__(self, factory: InProcessHostFactory, runtime: RuntimeName, bundle: HostBundle) -> None:
        self._factory = factory
        self._runtime = runtime
        self._bundle = bundle

    @property
    def have_ended(self) -> bool:
        """There never was anything."""
        return False

    async def execute(self) -> bool:
        """There is no other process."""
        return False

    def stop_executing(self) -> Callable[[], Awaitable[None]]:
        """There is none."""
        return _nothing

    async def spawn(self, purpose: Purpose) -> HostConnection:
        """Make a host and load the modules in it."""
        return await _load(self._factory(self._runtime), self._bundle)

    async def analyst(self) -> None:
        """Analysing is left to the hosts that run."""

    async def close(self) -> None:
        """Nothing is held."""


async def _load(host: HostConnection, bundle: HostBundle) -> HostConnection:
    try:
        await host.load(bundle)
    except BaseException:
        await asyncio.shield(host.close())
        raise
    return host


async def _nothing() -> None:
    pass
