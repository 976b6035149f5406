"""Whatever happens to nodes and messages, the log is an order in which everything that was said is right.

And the check can fail: without validation, or with a log that does not compare names, it reports.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from database.cluster import PAUSES, Cluster, Request, Step
from parabola.database.commits.committer import Committer
from parabola.database.shared_log.errors import ReplicaForked

steps = st.tuples(
    st.sampled_from(["read", "add", "add", "remove", "sum", "first", "search", "count"]), st.integers(0, 3)
)
programs = st.lists(st.lists(steps, min_size=1, max_size=4), min_size=1, max_size=4)
clients = st.lists(programs, min_size=2, max_size=5)
trouble = st.lists(st.sampled_from(["kill", "hold", "checkpoint"]), max_size=4)


@pytest.fixture(autouse=True, scope="module")
def _without_pauses() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name in PAUSES:
            patch.setattr(module, name, 0)
        yield


@given(clients, trouble, st.integers(0, 2**32))
@settings(max_examples=40)
async def test_the_log_is_an_order_in_which_everything_is_right(
    clients: list[list[list[Step]]], trouble: list[str], seed: int
) -> None:
    assert await Cluster(Random(seed)).run(clients, trouble) == []


@given(
    clients,
    st.lists(st.sampled_from(["kill", "hold", "checkpoint", "fork"]), max_size=3),
    st.integers(0, 2**32),
)
@settings(max_examples=40)
async def test_what_a_failover_lost_is_missing_and_nothing_else_is_wrong(
    clients: list[list[list[Step]]], trouble: list[str], seed: int
) -> None:
    assert await Cluster(Random(seed)).run(clients, [*trouble, "fork"]) == []


@given(clients, st.lists(st.sampled_from(["kill", "checkpoint", "fork"]), max_size=4), st.integers(0, 2**32))
@settings(max_examples=15)
async def test_a_node_goes_on_from_what_its_disk_has(
    clients: list[list[list[Step]]], trouble: list[str], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(Random(seed), nodes=2, directory=Path(directory))
        assert await cluster.run(clients, ["kill", *trouble]) == []


@given(clients, trouble, st.integers(0, 2**32))
@settings(max_examples=25)
async def test_executors_of_a_node_see_what_it_sees(
    clients: list[list[list[Step]]], trouble: list[str], seed: int
) -> None:
    plain = [
        [[step for step in each if step[0] not in ("search", "count")] for each in one] for one in clients
    ]
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(Random(seed), nodes=2, directory=Path(directory))
        assert await cluster.run(plain, trouble) == []


def some_clients(random: Random) -> list[list[list[Step]]]:
    kinds = ["add", "add", "remove", "sum", "search"]
    return [
        [[(random.choice(kinds), random.randrange(3)) for _ in range(3)] for _ in range(4)] for _ in range(6)
    ]


async def test_without_validation_the_check_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Committer, "_validate", lambda committer, tx: None)
    faults: list[str] = []
    for seed in range(20):
        random = Random(seed)
        faults += await Cluster(random, patience=2.0).run(some_clients(random), [])
        if any("saw" in fault for fault in faults):
            return
    pytest.fail("nothing was reported")


async def lose_an_entry_that_one_node_has(cluster: Cluster) -> None:
    """One node has an entry that a failover lost, the other has put another one in its place."""
    await cluster.start()
    a, b = cluster.members
    add = [("add", 0)]
    await cluster.mutate(a.database, Request("both", add))
    await b.database.catch_up()
    b.log._network.failing = 1.0
    await cluster.mutate(a.database, Request("lost", [*add, *add]))
    a.log._network.failing = 1.0
    cluster.forks += 1
    cluster.server.lose(1)
    b.log._network.failing = 0.0
    await cluster.mutate(b.database, Request("other", add))
    a.log._network.failing = 0.0
    await cluster.mutate(a.database, Request("after", add))


async def test_with_a_log_that_compares_numbers_alone_the_check_reports() -> None:
    cluster = Cluster(Random(0), nodes=2, compares_names=False, network=False)
    await lose_an_entry_that_one_node_has(cluster)
    faults = await cluster.finish()
    assert any(fault.startswith("after") and "saw" in fault for fault in faults)


async def test_with_names_a_node_with_an_entry_that_is_no_more_appends_nothing() -> None:
    cluster = Cluster(Random(0), nodes=2, network=False)
    with pytest.raises(ReplicaForked):
        await lose_an_entry_that_one_node_has(cluster)
    assert await cluster.finish() == []
