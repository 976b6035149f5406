"""What a relay makes of messages between the engine and a host, whatever these say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from database.stores import create_index, insert, opened, range_of, scan_of
from parabola.database.database import Database
from parabola.database.model.errors import StorageBusy
from parabola.database.usage import Limits
from parabola.executors import relay
from parabola.executors.file_executor import FileExecutor
from parabola.executors.habits import MOST_WRITES
from parabola.executors.relay import RelayedHost


class Relayed:
    """A relayed host with both of its sides written down."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.executor = FileExecutor()
        file = database.persistence.file
        assert file is not None
        limits = {name: getattr(Limits(), name) for name in Limits.__struct_fields__}
        self.executor.adopt({"file": str(file), "limits": limits})
        self.relayed = RelayedHost(self.executor, {})
        self.to_host: list[dict[str, Any]] = []
        self.to_engine: list[dict[str, Any]] = []
        monkeypatch.setattr(self.relayed.host, "send", lambda line: self.to_host.append(orjson.loads(line)))
        monkeypatch.setattr(
            self.relayed.engine, "send", lambda line: self.to_engine.append(orjson.loads(line))
        )
        start = database.begin().executor_start()
        assert start is not None
        told = start.tail.since(-1, -1, start.ts)
        assert told is not None
        self.relayed.from_engine(told[0])
        self._start = start

    def run(
        self,
        id: int,
        *,
        kind: str = "query",
        after: list[int] | None = None,
        becomes: dict[str, list[int]] | None = None,
        **args: Any,
    ) -> dict[str, Any]:
        """What the host gets of a run of a function of this kind, if it may begin. `becomes` says what has
        become of others of its chain.
        """
        start = self._start
        chain = {} if after is None else {"after": after, **(becomes or {})}
        self.relayed.from_engine(
            orjson.dumps(
                {
                    "type": "run",
                    "id": id,
                    "kind": kind,
                    "path": f"module:{kind}",
                    "args": args,
                    "snapshotTs": start.ts,
                    "now": start.creation_time,
                    "transaction": {
                        "registryTs": start.registry_ts,
                        "creationTime": start.creation_time,
                        **chain,
                    },
                }
            )
        )
        return self.to_host[-1]

    def says(self, type: str, id: int, **fields: Any) -> None:
        self.relayed.from_host(orjson.dumps({"type": type, "id": id, **fields}))


@pytest_asyncio.fixture
async def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Relayed]:
    async with opened(tmp_path) as database:
        await insert(database, "t", {"n": 1.0}, {"n": 2.0})
        await create_index(database, "t", "by_n", "n")
        relayed = Relayed(database, monkeypatch)
        relayed.run(1)
        yield relayed
        relayed.executor.close()


ROWS = {"call": 1, "op": "1.0/queryStreamNext", "args": {"queryId": 1, "query": scan_of("t"), "batch": 9}}
ENGINES = {"call": 2, "op": "1.0/runUdf", "args": {}}


async def test_what_the_engine_serves_is_answered_together_with_what_was_served_here(host: Relayed) -> None:
    host.says("syscall", 1, calls=[ROWS, ENGINES])
    [message] = host.to_engine
    assert [call["call"] for call in message["calls"]] == [2]
    assert message["state"]["reads"]
    host.relayed.from_engine(b'{"type":"reply","id":1,"replies":[{"call":2,"value":null}]}')
    assert [reply["call"] for reply in host.to_host[-1]["replies"]] == [1, 2]


async def test_nothing_is_kept_of_a_run_that_ends_before_it_is_answered(host: Relayed) -> None:
    host.says("syscall", 1, calls=[ROWS, ENGINES])
    host.says("failed", 1, error={"message": "out of time"}, kind="timeout")
    assert not host.relayed._held
    assert not host.relayed._runs
    assert not host.executor._open


async def test_a_run_that_is_reading_begins_again_when_it_needs_the_engine(host: Relayed) -> None:
    host.says("syscall", 1, calls=[ROWS])
    host.says("syscall", 1, calls=[ENGINES], isReading=True)
    assert host.to_engine == [{"type": "again", "id": 1, "needsEngine": True}]
    assert host.to_host[-1] == {"type": "cancel", "id": 1}
    assert not host.executor._open


INSERT = {"call": 1, "op": "1.0/insert", "args": {"table": "t", "value": {"n": 3.0}}}


def begun(host: Relayed) -> list[int]:
    return [message["id"] for message in host.to_host if message["type"] == "run"]


async def test_those_of_a_chain_begin_when_the_one_before_has_ended(host: Relayed) -> None:
    for id, after in {2: [], 3: [2], 4: [2, 3], 5: [2, 3, 4], 7: []}.items():
        host.run(id, kind="mutation", after=after)
    host.run(6)
    assert begun(host) == [1, 2, 7, 6]
    host.relayed.from_engine(b'{"type":"cancel","id":3}')
    host.says("syscall", 2, calls=[INSERT])
    host.says("done", 2, result=None)
    assert begun(host) == [1, 2, 7, 6, 4]
    host.says("syscall", 4, calls=[ROWS])
    assert len(host.to_host[-1]["replies"][0]["value"]["values"]) == 3
    host.says("failed", 4, error={"message": "no"}, kind="user")
    assert [message["state"].get("buildsOn") for message in host.to_engine] == [None, [2]]
    assert begun(host) == [1, 2, 7, 6, 4, 5]


@pytest.mark.parametrize("asks", ["for the engine", "for the time"])
async def test_who_needs_more_than_the_chain_is_run_again_alone(host: Relayed, asks: str) -> None:
    host.run(2, kind="mutation", after=[])
    host.run(3, kind="mutation", after=[2])
    if asks == "for the engine":
        host.says("syscall", 2, calls=[INSERT, ENGINES])
        assert {"type": "cancel", "id": 2} in host.to_host
    else:
        host.says("done", 2, result=None, usage={"usedSnapshotTs": True})
    assert host.to_engine == [{"type": "again", "id": 2, "needsEngine": False, "alone": True}]
    assert begun(host) == [1, 2, 3]


@pytest.mark.parametrize(
    "calls", [None, 1, [1], [{}], [{"call": 1, "op": [], "args": {}}], [{**ROWS, "args": 1}]]
)
async def test_what_is_no_call_is_left_to_the_engine_to_refuse(host: Relayed, calls: Any) -> None:
    message = {"type": "syscall", "id": 1} if calls is None else {"type": "syscall", "id": 1, "calls": calls}
    host.relayed.from_host(orjson.dumps(message))
    assert host.to_engine == [message]
    host.relayed.from_engine(b'{"type":"cancel","id":1}')
    assert not host.executor._open


@pytest.mark.parametrize("says", ["done", "syscall"])
async def test_a_state_that_no_message_can_hold_is_made_again_by_the_engine(
    host: Relayed, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    monkeypatch.setattr(relay, "MAX_HOST_MESSAGE_BYTES", 100)
    host.says(says, 1, **({"calls": [ENGINES]} if says == "syscall" else {"result": None}))
    assert host.to_engine == [{"type": "again", "id": 1, "needsEngine": True}]
    assert not host.executor._open


def row(number: int, n: float) -> dict[str, Any]:
    """The call for those that have this number, as a host asks for it."""
    query = range_of("t.by_n", {"type": "Eq", "fieldPath": "n", "value": n})
    return {
        "call": number,
        "op": "1.0/queryStreamNext",
        "args": {"queryId": number, "batch": 9, "consumed": 0, "query": query},
    }


def patch_of(number: int, id: str, n: float) -> dict[str, Any]:
    return {"call": number, "op": "1.0/shallowMerge", "args": {"id": id, "value": {"n": n}}}


def taught(host: Relayed) -> str:
    """A mutation that patches what it has found by its argument has run twice; the id of what it found."""
    for id, n in ((2, 1), (3, 2)):
        run = host.run(id, kind="mutation", n=float(n))
        assert "ahead" not in run
        host.says("syscall", id, calls=[row(1, n)])
        found = host.to_host[-1]["replies"][0]["value"]["values"][0]["_id"]
        host.says("syscall", id, calls=[patch_of(2, found, 5)])
        host.says("done", id, result=None)
    return str(found)


async def test_what_a_function_will_ask_for_goes_with_its_run(host: Relayed) -> None:
    found = taught(host)
    ahead = host.run(4, kind="mutation", n=2.0)["ahead"]
    assert [orjson.loads(call) for call in ahead["calls"]] == [row(1, 2)]
    assert [value["values"][0]["_id"] for value in ahead["replies"]] == [found]
    assert ahead["writes"] == MOST_WRITES
    answered = len(host.to_host)
    host.says("syscall", 4, calls=[patch_of(2, found, 5)], ahead=1, told=1)
    host.says("done", 4, result=None)
    assert len(host.to_host) == answered  # nobody waits for anything
    asked, told = host.to_engine[-2:]
    assert asked["state"]["reads"] == told["state"]["reads"]
    [written] = told["state"]["writes"]
    assert found in written


@pytest.mark.parametrize("says", ["nothing", "something else"])
async def test_what_was_not_asked_for_was_not_read(host: Relayed, says: str) -> None:
    taught(host)
    host.run(5, kind="other", n=2.0)
    host.run(4, kind="mutation", n=2.0)
    if says == "something else":
        for id in (4, 5):
            host.says("syscall", id, calls=[row(1, 1)], **({"ahead": 0, "told": 0} if id == 4 else {}))
    for id in (4, 5):
        host.says("done", id, result=None)
    ahead, plain = host.to_engine[-2:]
    assert ahead["state"] == plain["state"]


async def test_a_write_that_fails_after_all_has_its_run_made_again(host: Relayed) -> None:
    found = taught(host)
    host.run(4, kind="mutation", n=2.0)
    host.says("syscall", 4, calls=[patch_of(2, found[:-1], 5), ROWS], ahead=1, told=1)
    assert host.to_engine[-1] == {"type": "again", "id": 4, "needsEngine": False}
    assert host.to_host[-1] == {"type": "cancel", "id": 4}
    host.relayed.from_engine(b'{"type":"cancel","id":1}')
    assert not host.executor._open


async def test_new_code_is_not_told_what_the_old_one_asked_for(host: Relayed) -> None:
    taught(host)
    host.relayed.from_engine(b'{"type":"load","deployment":"next"}')
    assert not host.relayed._habits


async def test_a_store_that_fails_in_a_read_ahead_does_not_end_the_host(
    host: Relayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught(host)
    reads = host.executor.persistence
    assert reads is not None
    scan_now = reads.scan_now

    def fail(*_: Any) -> Any:
        raise StorageBusy("busy")

    monkeypatch.setattr(reads, "scan_now", fail)
    run = host.run(4, kind="mutation", n=2.0)
    assert (run["id"], "ahead" in run) == (4, False)
    monkeypatch.setattr(reads, "scan_now", scan_now)
    host.says("syscall", 4, calls=[row(1, 2)])
    assert len(host.to_host[-1]["replies"][0]["value"]["values"]) == 1


async def test_a_call_that_cannot_be_written_does_not_end_the_host(host: Relayed) -> None:
    host.run(2, kind="query")
    call = b'{"call":1,"op":"1.0/get","args":{"id":"x","query":1,"more":%b%b}}' % (b"[" * 300, b"]" * 300)
    host.relayed.from_host(b'{"type":"syscall","id":2,"calls":[%b]}' % call)
    host.relayed.from_host(b'{"type":"done","id":2,"result":null}')
    assert host.to_engine[-1]["type"] == "done"


async def test_a_run_is_not_made_longer_than_what_its_arguments_say(host: Relayed) -> None:
    for id in (2, 3):
        host.run(id, kind="mutation", n=str(id))
        host.says("syscall", id, calls=[row(number, str(id)) for number in range(1, 9)])
        host.says("done", id, result=None)
    assert "ahead" in host.run(4, kind="mutation", n="4")
    assert "ahead" not in host.run(5, kind="mutation", n="x" * 100_000)


async def test_what_is_too_much_to_be_sent_is_not_read_again_in_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as database:
        await insert(database, "t", *[{"n": 1.0, "text": "x" * 10_000} for _ in range(20)])
        await create_index(database, "t", "by_n", "n")
        host = Relayed(database, monkeypatch)
        host.run(100)  # opens the file
        reads = host.executor.persistence
        assert reads is not None
        scan_now, scans = reads.scan_now, []
        monkeypatch.setattr(reads, "scan_now", lambda *args: (scans.append(1), scan_now(*args))[1])
        for id in range(1, 40):
            host.run(id)
            asked = row(1, 1)
            host.says("syscall", id, calls=[{**asked, "args": {**asked["args"], "batch": 100}}])
            host.says("done", id, result=None)
        host.executor.close()
        assert len(scans) < 50


async def test_what_fails_is_not_tried_ahead_in_every_run(
    host: Relayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins = []
    begin = host.executor._begin
    monkeypatch.setattr(host.executor, "_begin", lambda *args: (begins.append(1), begin(*args))[1])
    for id in range(2, 42):
        host.run(id)
        host.says("syscall", id, calls=[{"call": 1, "op": "1.0/get", "args": {"id": "no id"}}])
        host.says("done", id, result=None)
    assert len(begins) < 50


async def test_a_cleanup_is_no_write_that_was_right(host: Relayed, monkeypatch: pytest.MonkeyPatch) -> None:
    found = taught(host)
    habits = host.relayed._habits["", "module:mutation"]
    noted: list[bool] = []
    monkeypatch.setattr(habits, "has_written", noted.append)
    cleanup = {"call": 2, "op": "1.0/queryCleanup", "args": {"queryId": 1, "consumed": 1}}
    host.run(4, kind="mutation", n=2.0)
    host.says("syscall", 4, calls=[cleanup], ahead=1, told=1)
    assert noted == []
    host.says("syscall", 4, calls=[patch_of(3, found, 5)], ahead=1, told=1)
    assert noted == [True]


async def test_what_could_not_be_read_ahead_is_not_built_upon(host: Relayed) -> None:
    asked = {
        "call": 1,
        "op": "1.0/queryStreamNext",
        "args": {"queryId": 1, "batch": 1, "query": scan_of("t")},
    }
    for id in (2, 3):
        host.run(id, kind="mutation")
        host.says("syscall", id, calls=[asked])
        cleanup = {"call": 2, "op": "1.0/queryCleanup", "args": {"queryId": 1, "consumed": 1}}
        host.says("syscall", id, calls=[cleanup])
        host.says("done", id, result=None)
    host.run(4, kind="mutation", after=[])
    host.says("syscall", 4, calls=[INSERT])
    host.says("done", 4, result=None)
    host.run(5, kind="mutation", after=[4])  # a range of more than one batch is tried
    host.says("done", 5, result=None)
    assert host.to_engine[-1]["state"].get("buildsOn") is None


@pytest.mark.parametrize("becomes", ["settled", "lost"])
async def test_a_new_transaction_of_a_chain_sees_what_the_first_one_saw(host: Relayed, becomes: str) -> None:
    taught(host)
    host.run(4, kind="mutation", n=1.0, after=[])
    host.says("syscall", 4, calls=[INSERT])
    host.says("done", 4, result=None)
    host.run(5, kind="mutation", n=2.0, after=[4])
    # What it was built upon is no more for those that come later, when it turns out to read something else.
    host.run(6, after=[4], becomes={becomes: [4]})
    host.says("syscall", 5, calls=[{**ROWS, "args": {**ROWS["args"], "queryId": 9}}], ahead=0, told=0)
    if becomes == "lost":
        assert host.to_engine[-1]["type"] == "again"
    else:
        assert len(host.to_host[-1]["replies"][0]["value"]["values"]) == 3


async def test_those_that_will_write_the_same_begin_one_after_the_other(host: Relayed) -> None:
    found = taught(host)
    for id, n in ((4, 2.0), (5, 1.0), (6, 2.0), (7, 2.0)):
        host.run(id, kind="mutation", n=n, after=[])
    assert begun(host)[-2:] == [4, 5]
    host.relayed.from_engine(b'{"type":"cancel","id":6}')
    assert begun(host)[-2:] == [4, 5]
    host.says("syscall", 4, calls=[patch_of(2, found, 5)], ahead=1, told=1)
    host.says("done", 4, result=None)
    assert begun(host)[-1] == 7
    [seen] = host.to_host[-1]["ahead"]["replies"]
    assert seen["values"] == []  # what it has found has another number by now
    host.says("syscall", 7, calls=[patch_of(2, found, 6)], ahead=1, told=1)
    host.says("done", 7, result=None)
    assert host.to_engine[-1]["state"]["buildsOn"] == [4]


async def test_whoever_is_alone_waits_for_nobody_who_will_write_the_same(host: Relayed) -> None:
    taught(host)
    for id in (4, 5):
        host.run(id, kind="mutation", n=2.0)
    assert begun(host)[-2:] == [4, 5]
    assert not host.relayed._claims._by_claim
