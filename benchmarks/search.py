"""Text and vector indexes by themselves, beside SQLite's FTS5 and a plain scan by NumPy.

Costs are processor time, worker threads included: what a search takes from everybody else.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Report, Row
from parabola.database.derived.entries import (
    EntryChange,
    TextDefinition,
    VectorDefinition,
    VectorEntry,
)
from parabola.database.derived.filters import Eq
from parabola.database.derived.segments.segment_files import SegmentFiles
from parabola.database.derived.text.text_index import TextIndex
from parabola.database.derived.text.text_query import TextQuery
from parabola.database.derived.text.text_reads import TextRead, TextWatchers
from parabola.database.derived.vectors.vector_index import VectorIndex
from parabola.database.derived.vectors.vector_query import VectorQuery
from parabola.database.derived.vectors.vector_reads import VectorRead, VectorWatchers
from parabola.values.ordering import encode_key

BATCH = 500
BEST = 1024
CHANNELS = 50
DIMENSIONS = 1536
RUNS = 15
TEXTS = TextDefinition("body", ("channel",))
VECTORS = VectorDefinition("embedding", DIMENSIONS, ("channel",))


def articles(count: int) -> Iterator[dict[str, Any]]:
    """Documents of about 100 words: one is in 70 % of them, one in 2 %, one in 1 of 2,000."""
    chance = random.Random(1)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    vocabulary = ["".join(chance.choices(syllables, k=chance.choice((2, 3, 3, 4)))) for _ in range(40_000)]
    numbers = np.random.default_rng(1)
    for start in range(0, count, BATCH):
        picked = (len(vocabulary) ** numbers.random((BATCH, 97))).astype(int) - 1
        for number, row in enumerate(picked.tolist(), start):
            words = [vocabulary[place] for place in row]
            words += [
                word for word, share in (("common", 0.7), ("middling", 0.02)) if chance.random() < share
            ]
            words += ["rare"] * (number % 2000 == 0)
            chance.shuffle(words)
            yield {
                "_creationTime": float(number),
                "channel": float(number % CHANNELS),
                "body": " ".join(words),
            }


class Fts5:
    """The same documents in SQLite's own index, with channels as words of another column."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = off")  # the other one's commits are not counted either
        self._db.execute("create virtual table articles using fts5(body, channel, prefix='2 3')")

    def insert(self, start: int, documents: list[dict[str, Any]]) -> None:
        rows = [(start + n, d["body"], f"channel{int(d['channel'])}") for n, d in enumerate(documents)]
        self._db.execute("begin")
        self._db.executemany("insert into articles (rowid, body, channel) values (?, ?, ?)", rows)
        self._db.execute("commit")

    def update(self, number: int, document: dict[str, Any]) -> None:
        self._db.execute("update articles set body = ? where rowid = ?", (document["body"], number))

    def search(self, text: str) -> list[Any]:
        asked = "select rowid from articles where articles match ? order by rank limit ?"
        return self._db.execute(asked, (text, BEST)).fetchall()

    def bytes(self) -> int:
        self._db.execute("pragma wal_checkpoint(truncate)")
        return self.path.stat().st_size

    def close(self) -> None:
        self._db.close()


async def text_searches(report: Report, folder: Path, count: int) -> None:
    """Building, writing, searching and opening again, with `count` documents."""
    place = folder / f"texts-{count}"
    place.mkdir()
    documents = list(articles(count + 2000))
    extra = documents[count:]
    fts5 = Fts5(place / "fts5.sqlite3")
    index = TextIndex(TEXTS, SegmentFiles(place / "index"))
    before = anonymous_memory()
    theirs = ours = 0.0
    for start in range(0, count, BATCH):
        batch = documents[start : start + BATCH]
        theirs += await cost(lambda batch=batch, start=start: fts5.insert(start, batch))
        ours += await cost(lambda batch=batch, start=start: apply(index, start, batch))
        ours += await cost(lambda: index.tidy(index.last_ts))
    await index.tidy(index.last_ts)
    suffix = f", {count:,} documents"
    add(report, "text index: build, a document" + suffix, ours / count, theirs / count)
    memory = anonymous_memory() - before
    disk = sum(path.stat().st_size for path in (place / "index").iterdir())
    report.add(Row("  memory besides mapped files", memory / 2**20, "MiB"))
    report.add(Row("  files", disk / 2**20, "MiB", fts5.bytes() / 2**20, "FTS5", higher_is_better=False))
    theirs = ours = 0.0
    for number, document in enumerate(extra[:1000], count):
        theirs += await cost(lambda n=number, d=document: fts5.insert(n, [d]))
        ours += await cost(lambda n=number, d=document: apply(index, n, [d]))
    add(report, "  insert", ours / 1000, theirs / 1000)
    theirs = ours = 0.0
    for number, document in enumerate(extra[1000:]):
        theirs += await cost(lambda n=number, d=document: fts5.update(n, d))
        ours += await cost(lambda n=number, d=document: apply(index, n, [d]))
    add(report, "  update", ours / 1000, theirs / 1000)
    await index.tidy(index.last_ts)
    channel = (0, encode_key([7.0]))
    for name, query, match in (
        ("a rare word", TextQuery.of("rare", prefix=False), "rare"),
        ("a word in 2 %", TextQuery.of("middling", prefix=False), "middling"),
        ("a word in 70 %", TextQuery.of("common", prefix=False), "common"),
        ("three words", TextQuery.of("common middling rare", prefix=False), "common OR middling OR rare"),
        ("a word and a prefix", TextQuery.of("middling ba"), "middling OR ba*"),
        (
            "a word in 70 %, filtered to 2 %",
            TextQuery.of("common", [channel], prefix=False),
            "body:common channel:channel7",
        ),
    ):
        theirs = await median(lambda match=match: fts5.search(match))
        ours = await median(lambda query=query: index.search(query, index.last_ts, BEST))
        add(report, f"  search for {name}, the best {BEST}", ours, theirs)
    ours = await median(lambda: index.search(TextQuery.of("commo"), index.last_ts, 10))
    add(report, "  search as one types, the best 10", ours)
    await watched_texts(report, index, extra)
    live = {f"id{number:08}": index_ts(number, count) for number in range(count + 1000)}
    await index.close(index.last_ts)
    fts5.close()
    started = time.perf_counter()
    _, missing = await TextIndex.open(TEXTS, SegmentFiles(place / "index"), live, index.last_ts)
    assert not missing, len(missing)
    report.add(Row("  opened again", (time.perf_counter() - started) * 1000, "ms"))


def index_ts(number: int, count: int) -> int:
    """When a document was written last."""
    return (
        count + 1001 + number
        if number < 1000
        else number + 1
        if number >= count
        else number // BATCH * BATCH + 1
    )


def apply(index: TextIndex, number: int, documents: list[dict[str, Any]]) -> None:
    """One commit that writes these documents, the first of which has this number."""
    ts = max(number, index.last_ts) + 1
    entries = [TEXTS.entry(document) for document in documents]
    index.apply(ts, [EntryChange(f"id{number + n:08}", entry) for n, entry in enumerate(entries)])


async def watched_texts(report: Report, index: TextIndex, written: list[dict[str, Any]]) -> None:
    """What a written document costs where 1,000 searches are live, each in one of 50 channels or in all."""
    entries = [TEXTS.entry(document) for document in written]
    for where, channels in (("in 50 channels", CHANNELS), ("in no channel", 0)):
        chance = random.Random(2)
        watchers: TextWatchers[int] = TextWatchers()
        for number in range(1000):
            text = " ".join(chance.sample(written[number]["body"].split(), 2))
            filters = [(0, encode_key([float(number % channels)]))] if channels else []
            query = TextQuery.of(text, filters)
            found = await index.search(query, index.last_ts, 10)
            floor = found.hits[-1] if len(found.hits) == 10 else None
            watchers.add(TextRead(1, query, found.weights, floor), number)
        touched = 0
        started = time.process_time()
        for number, entry in enumerate(entries):
            touched += len(watchers.touched(f"id{number:08}", entry))
        seconds = (time.process_time() - started) / len(entries)
        add(report, f"  1,000 live searches {where}: a document written", seconds)
        report.add(Row("    of them that it runs again", 100 * touched / len(entries) / 1000, "%"))


async def vector_searches(report: Report, folder: Path, count: int) -> None:
    """Building, searching and opening again, with `count` vectors."""
    place = folder / f"vectors-{count}"
    place.mkdir()
    chance = np.random.default_rng(3)
    centres = chance.normal(size=(200, DIMENSIONS)).astype(np.float32)
    matrix = centres[chance.integers(0, len(centres), count)]
    matrix += 2 * chance.standard_normal((count, DIMENSIONS), np.float32)
    matrix /= np.sqrt((matrix**2).sum(axis=1))[:, np.newaxis]
    channels = [encode_key([float(channel)]) for channel in range(CHANNELS)]
    index = VectorIndex(VECTORS, SegmentFiles(place / "index"))
    before = anonymous_memory()
    ours = 0.0
    for start in range(0, count, BATCH):
        changes = [
            EntryChange(f"id{start + n:08}", VectorEntry(vector, (channels[(start + n) % CHANNELS],)))
            for n, vector in enumerate(matrix[start : start + BATCH])
        ]
        ours += await cost(lambda changes=changes, start=start: index.apply(start + 1, changes))
        ours += await cost(lambda: index.tidy(index.last_ts))
    suffix = f", {count:,} of {DIMENSIONS:,} dimensions"
    add(report, "vector index: build, a vector" + suffix, ours / count)
    document = {"embedding": matrix[0].astype(float).tolist(), "channel": 1.0}
    add(report, "  a vector out of its document", await median(lambda: VECTORS.entry(document)))
    memory = anonymous_memory() - before
    disk = sum(path.stat().st_size for path in (place / "index").iterdir())
    report.add(Row("  memory besides mapped files", memory / 2**20, "MiB"))
    report.add(
        Row("  files", disk / 2**20, "MiB", matrix.nbytes / 2**20, "the vectors", higher_is_better=False)
    )
    asked = centres[5] + 2 * chance.standard_normal(DIMENSIONS, np.float32)
    query = VectorQuery.of(asked.tolist())
    vector = query.vector

    def scan() -> list[int]:
        scores = matrix @ vector
        best = np.argpartition(scores, count - 10)[-10:]
        return best[np.argsort(-scores[best])].tolist()

    name = "a scan by NumPy"
    found = await index.search(query, index.last_ts, 10)
    assert [rank.id for rank in found.hits] == [f"id{number:08}" for number in scan()]
    theirs = await median(scan)
    add(
        report,
        "  search, the best 10",
        await median(lambda: index.search(query, index.last_ts, 10)),
        theirs,
        name,
    )
    ours = await median(lambda: index.search(query, index.last_ts, 10), time.perf_counter)
    add(report, "    by the clock", ours, await median(scan, time.perf_counter), name)
    filtered = VectorQuery.of(asked.tolist(), Eq(0, channels[7]))
    add(
        report,
        "  search, filtered to 2 %",
        await median(lambda: index.search(filtered, index.last_ts, 10)),
        theirs,
        name,
    )
    watchers: VectorWatchers[int] = VectorWatchers()
    for number in range(1000):
        near = VectorQuery.of(matrix[number].astype(float).tolist())
        watchers.add(VectorRead(1, near, found.hits[-1]), number)
    entry = VectorEntry(vector, (channels[0],))
    add(
        report, "  1,000 live searches: a vector written", await median(lambda: watchers.touched("id", entry))
    )
    live = {f"id{number:08}": number // BATCH * BATCH + 1 for number in range(count)}
    await index.close(index.last_ts)
    started = time.perf_counter()
    _, missing = await VectorIndex.open(VECTORS, SegmentFiles(place / "index"), live, index.last_ts)
    assert not missing
    report.add(Row("  opened again", (time.perf_counter() - started) * 1000, "ms"))


def add(
    report: Report, name: str, seconds: float, floor: float | None = None, floor_name: str = "FTS5"
) -> None:
    unit, factor = ("us", 1e6) if seconds < 1e-3 else ("ms", 1e3)
    scaled = None if floor is None else floor * factor
    report.add(Row(name, seconds * factor, unit, scaled, floor_name, higher_is_better=False))


async def cost(work: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of processor time."""
    started = clock()
    result = work()
    if isinstance(result, Awaitable):
        await result
    return clock() - started


async def median(work: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of processor time of the middle one of several runs."""
    await cost(work)
    return sorted([await cost(work, clock) for _ in range(RUNS)])[RUNS // 2]


def anonymous_memory() -> int:
    """Bytes of this process that are in no file; 0 where there is no /proc."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1024
