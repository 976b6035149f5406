"""What may happen to a cluster. A fault is over when its function returns; what it leaves heals by itself."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from random import Random

from chaos.cluster import Cluster

__all__ = ["FAULTS", "WITH_LOSS", "Fault", "fail_over_with_loss", "hang_up", "strike"]

Fault = Callable[[Cluster, Random], Awaitable[None]]


async def kill(cluster: Cluster, random: Random) -> None:
    """A node ends at once."""
    random.choice(cluster.nodes).send(signal.SIGKILL)


async def stop(cluster: Cluster, random: Random) -> None:
    """A node does not run for a while."""
    node = random.choice(cluster.nodes)
    node.send(signal.SIGSTOP)
    await asyncio.sleep(random.uniform(0.1, cluster.longest_pause))
    node.send(signal.SIGCONT)


async def restart(cluster: Cluster, random: Random) -> None:
    """A node is told to end, and comes again."""
    random.choice(cluster.nodes).send(signal.SIGTERM)


async def cut(cluster: Cluster, random: Random) -> None:
    """The connections of a node to PostgreSQL break."""
    for proxy in random.choice(cluster.nodes).proxies:
        proxy.cut()


async def swallow(cluster: Cluster, random: Random) -> None:
    """What a node sends to PostgreSQL, or what that answers, does not arrive."""
    node = random.choice(cluster.nodes)
    questions = random.random() < 0.5
    for proxy in node.proxies:
        if questions:
            proxy.swallow_questions()
        else:
            proxy.swallow_answers()
    await asyncio.sleep(random.uniform(0.1, 4.5))  # from 3 seconds on it is cut off
    for proxy in node.proxies:
        proxy.let_pass()


async def hang_up(cluster: Cluster, random: Random) -> None:
    """The connections of all clients break."""
    cluster.balancer.cut()


async def crash(cluster: Cluster, random: Random) -> None:
    """PostgreSQL ends at once, and is started again."""
    await asyncio.to_thread(cluster.primary.kill)
    await asyncio.to_thread(cluster.primary.start)


async def fail_over(cluster: Cluster, random: Random) -> None:
    """PostgreSQL is gone, and its synchronous standby takes its place: nothing is lost."""
    await cluster.until("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'")
    await cluster.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    await cluster.sql("SELECT pg_reload_conf()")
    await cluster.until("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")
    await cluster.progress(3)
    await asyncio.to_thread(cluster.primary.kill)
    await cluster.fail_over()


async def fail_over_with_loss(cluster: Cluster, random: Random) -> None:
    """PostgreSQL is gone, and a standby that did not have the newest entries takes its place."""
    assert cluster.standby is not None
    began = time.time() * 1000 - 1000
    await asyncio.to_thread(cluster.standby.kill)
    await cluster.progress(10)
    await asyncio.to_thread(cluster.primary.kill)
    await asyncio.to_thread(cluster.standby.start)
    await cluster.fail_over()
    cluster.record.lost.append((began, time.time() * 1000 + 1000))


FAULTS: dict[str, Fault] = {
    "a node is killed": kill,
    "a node is stopped": stop,
    "a node is started again": restart,
    "a node's connections are cut": cut,
    "a node's messages are swallowed": swallow,
    "clients are hung up": hang_up,
    "PostgreSQL crashes": crash,
    "PostgreSQL fails over": fail_over,
}
"""Those after which nothing is missing."""


WITH_LOSS: dict[str, Fault] = {"PostgreSQL fails over with loss": fail_over_with_loss}


async def strike(cluster: Cluster, name: str, fault: Fault, random: Random) -> None:
    """Has a fault happen, waits until everything is as it should be again, and notes how long nobody was
    acknowledged anything.
    """
    since = time.time() * 1000
    await fault(cluster, random)
    await cluster.progress(3 * len(cluster.clients))
    silence = cluster.record.longest_silence(since, time.time() * 1000)
    cluster.silences.setdefault(name, []).append(silence)
    if cluster.standby is None and "fail" in name:
        await cluster.renew_standby()
    await cluster.until_ready()
