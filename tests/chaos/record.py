"""What clients were told, and the check of it: the log is the order, and is read again from its beginning.

Each transaction must have seen what its place in the order says; each query what its position says; no
request took effect twice; nothing that was acknowledged is missing; what was acknowledged before another
request began is before it in the order; each live query has shown states of the order, in that order, and at
last the newest; each job that was scheduled ran once.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson

from database.cluster import State, replay
from parabola.database.shared_log.log import START, SharedLog
from parabola.database.shared_log.payload import decode

__all__ = ["History", "Record", "read_history"]

TABLES = ("t", "requests", "ticks", "acts")


@dataclass
class Record:
    """What clients have done and seen; times are in ms since 1970."""

    acknowledged: dict[str, tuple[float, float]] = field(default_factory=dict)
    """When a request began, and when it was answered."""
    began: dict[str, str] = field(default_factory=dict)
    """By client, what it has begun last."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    shown: dict[str, list[str]] = field(default_factory=dict)
    """By client, what its live query showed."""
    reads: list[tuple[float, int, str, str]] = field(default_factory=list)
    """When it was asked, timestamp, program, and what it saw, of queries at the newest timestamp."""
    acts: list[str] = field(default_factory=list)
    """Actions that were answered."""
    answers: list[float] = field(default_factory=list)
    """When writes were acknowledged."""
    lost: list[tuple[float, float]] = field(default_factory=list)
    """From when until when what was told may have been lost by a failover."""

    def take(self, line: dict[str, Any]) -> None:
        """A line that a client has said."""
        kind = line["kind"]
        if kind == "acknowledged":
            self.acknowledged[line["key"]] = line["began"], line["ended"]
            self.answers.append(line["ended"])
        elif kind == "began":
            self.began[line["client"]] = line["key"]
        elif kind == "failed":
            self.failed.append((line["key"], line["error"]))
        elif kind == "seen":
            shown = self.shown.setdefault(line["client"], [])
            if not shown or shown[-1] != line["value"]:
                shown.append(line["value"])

    def may_be_lost(self, at: float) -> bool:
        """Whether a failover may have lost what was told at a time."""
        return any(begin <= at <= end for begin, end in self.lost)

    def longest_silence(self, since: float, until: float) -> float:
        """The longest time without an acknowledged write, in seconds."""
        times = sorted([since, *(at for at in self.answers if since <= at <= until), until])
        return max(later - before for before, later in pairwise(times)) / 1000


@dataclass
class History:
    """What the log says: states in their order, what each request saw, and how often it is there."""

    states: list[tuple[int, State]]
    requests: dict[str, list[int]]
    ticks: Counter[str]
    acts: Counter[str]
    jobs: set[str]
    faults: list[str]

    def check(self, record: Record) -> list[str]:
        """What is wrong; nothing if all is well."""
        faults = list(self.faults)
        faults += [f"{key} took effect {len(at)} times" for key, at in self.requests.items() if len(at) > 1]
        for key, (_, ended) in record.acknowledged.items():
            if key not in self.requests and not record.may_be_lost(ended):
                faults.append(f"{key} was acknowledged and is not there")
        faults += [f"{key} failed: {error}" for key, error in record.failed]
        faults += self._check_order(record)
        faults += self._check_reads(record)
        faults += self._check_shown(record)
        for key in self.jobs:
            if self.ticks[key] != 1:
                faults.append(f"the job of {key} ran {self.ticks[key]} times")
        faults += [f"the job of {key} ran, and {key} never did" for key in self.ticks.keys() - self.jobs]
        faults += [f"the action {key} had effect {n} times" for key, n in self.acts.items() if n > 1]
        for key in record.acts:
            if not self.acts[key] and not record.lost:
                faults.append(f"the action {key} was answered and had no effect")
        return faults

    def _check_order(self, record: Record) -> list[str]:
        """What was acknowledged before another request began is before it."""
        known = {key: self.requests[key][0] for key in record.acknowledged if key in self.requests}
        ended = sorted((record.acknowledged[key][1], known[key]) for key in known)
        faults: list[str] = []
        newest, at = 0, 0
        for key in sorted(known, key=lambda key: record.acknowledged[key][0]):
            while at < len(ended) and ended[at][0] < record.acknowledged[key][0]:
                newest = max(newest, ended[at][1])
                at += 1
            if known[key] < newest:
                faults.append(f"{key} is before what was acknowledged before it began")
        return faults

    def _check_reads(self, record: Record) -> list[str]:
        faults: list[str] = []
        times = [ts for ts, _ in self.states]
        ended = sorted(
            (record.acknowledged[key][1], self.requests[key][0], key)
            for key in record.acknowledged
            if key in self.requests
        )
        newest, at = (0, ""), 0
        for began, ts, program, seen in sorted(record.reads):
            if record.may_be_lost(began):
                continue  # it may be of what was lost
            while at < len(ended) and ended[at][0] < began:
                newest = max(newest, ended[at][1:])
                at += 1
            if ts < newest[0]:
                faults.append(f"a query was shown less than {newest[1]}, which had been acknowledged before")
            state = self.states[max(0, bisect_right(times, ts) - 1)][1]
            right = _plain(replay(dict(state), json.loads(program)))
            if right != json.loads(seen):
                faults.append(f"a query at {ts} {program} saw {seen}, not {right}")
        return faults

    def _check_shown(self, record: Record) -> list[str]:
        """Values are states of the order in that order; where some were lost they may have been shown too."""
        faults: list[str] = []
        texts = [json.dumps(_plain(replay(dict(state), [("sum", 0)]))) for _, state in self.states]
        for client, shown in record.shown.items():
            at = 0
            for value in [json.dumps(json.loads(each)) for each in shown]:
                try:
                    at = texts.index(value, at)
                except ValueError:
                    if not record.lost:
                        faults.append(f"{client} was shown {value}, which was not so, or no more")
            if shown and json.dumps(json.loads(shown[-1])) != texts[-1]:
                faults.append(f"{client} shows {shown[-1]} at the end, not {texts[-1]}")
        return faults


async def read_history(log: SharedLog, tablets: dict[int, str]) -> History:
    """Replays a log; `tablets` are the tables of the functions by number."""
    history = History([(0, {})], {}, Counter(), Counter(), set(), [])
    state: State = {}
    rows: dict[str, tuple[float, float]] = {}
    position = START
    while entries := await log.entries_after(position, 4_000_000):
        for entry in entries:
            for commit, _ in decode(entry.payload).commits:
                _take(history, state, rows, tablets, commit)
                if dict(rows.values()) != state:
                    state = dict(rows.values())
                    history.states.append((commit.ts, state))
            position = entry.position
    return history


def _take(
    history: History,
    before: State,
    rows: dict[str, tuple[float, float]],
    tablets: dict[int, str],
    commit: Any,
) -> None:
    scheduled = any(tablets.get(write.tablet_id) == "_scheduled_jobs" for write in commit.writes)
    expected: State | None = None
    for write in commit.writes:
        table = tablets.get(write.tablet_id)
        if write.new is None or table not in ("requests", "ticks", "acts"):
            continue
        row = orjson.loads(write.new.raw)
        if table == "ticks":
            history.ticks[row["key"]] += 1
        elif table == "acts":
            history.acts[row["key"]] += 1
        else:
            history.requests.setdefault(row["key"], []).append(commit.ts)
            if scheduled:
                history.jobs.add(row["key"])
            expected = dict(before)
            right = _plain(replay(expected, json.loads(row["program"])))
            if right != json.loads(row["seen"]):
                history.faults.append(f"{row['key']} {row['program']} saw {row['seen']}, not {right}")
    for write in commit.writes:
        if tablets.get(write.tablet_id) == "t":
            rows.pop(write.id, None)
            if write.new is not None:
                row = orjson.loads(write.new.raw)
                rows[write.id] = row["slot"], row["n"]
    after = dict(rows.values())
    if len(after) < len(rows):
        history.faults.append("two documents of one slot")
    if expected is not None and after != expected:
        history.faults.append(f"wrote {after}, not {expected}")


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))
