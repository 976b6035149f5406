"""What a write costs while subscriptions that it does not touch sit beside it.

    python benchmarks/subscriptions.py

Each row: microseconds to publish a commit of one document (the keys of three indexes, old and new) and to
subscribe and drop once, with so many other subscriptions, and the memory one of those takes. Read the ratios
between rows, not the numbers: the cost of a write must not grow with what it does not touch.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable

from parabola.database.commits.subscriptions import Subscriptions
from parabola.database.model.intervals import Interval, ReadSet

BY_ID, BY_CREATION_TIME, BY_CHANNEL, TABLES = 1, 2, 3, 4
ROUNDS = 2_000
SIZES = (0, 100, 10_000, 100_000)


def number(value: int) -> bytes:
    return b"\x0d" + value.to_bytes(8, "big")


def points(item: int) -> ReadSet:
    """`get` of one document each."""
    reads = ReadSet()
    reads.record(TABLES, Interval.point(b"messages"))
    reads.record(BY_ID, Interval.point(b"\x10" + item.to_bytes(16, "big") + b"\x00"))
    return reads


def disjoint(item: int) -> ReadSet:
    """The messages of one channel each."""
    reads = ReadSet()
    reads.record(TABLES, Interval.point(b"messages"))
    reads.record(BY_CHANNEL, Interval(number(item), number(item + 1)))
    return reads


def overlapping(item: int) -> ReadSet:
    """Everything since the start, up to a moment each: all overlap, none reaches the written key."""
    reads = ReadSet()
    reads.record(TABLES, Interval.point(b"messages"))
    reads.record(BY_CREATION_TIME, Interval(number(item), number(10_000_000 + item)))
    return reads


def alike(item: int) -> ReadSet:
    """The whole of another table, the same interval each."""
    reads = ReadSet()
    reads.record(TABLES, Interval.point(b"messages"))
    reads.record(99, Interval.everything())
    return reads


def commit(serial: int) -> dict[int, list[bytes]]:
    return {
        BY_ID: [b"\x10written" + serial.to_bytes(8, "big")],
        BY_CREATION_TIME: [number(900_000_000 + serial)],
        BY_CHANNEL: [number(800_000_000 + serial), number(700_000_000 + serial)],
    }


def microseconds(action: Callable[[int], None], rounds: int = ROUNDS) -> float:
    samples = []
    for serial in range(rounds):
        start = time.perf_counter_ns()
        action(serial)
        samples.append((time.perf_counter_ns() - start) / 1_000)
    return statistics.median(samples)


def measure(kind: Callable[[int], ReadSet], size: int) -> tuple[float, float, float]:
    """Microseconds to publish, microseconds to subscribe and drop, bytes for each idle subscription."""
    gc.collect()
    subject = Subscriptions()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for item in range(size):
        subject.subscribe(kind(item), 1, lambda ts: None)
    memory = (tracemalloc.get_traced_memory()[0] - before) / size if size else 0.0
    tracemalloc.stop()
    clock = [1]

    def publish(serial: int) -> None:
        clock[0] += 1
        subject.publish(commit(serial), clock[0])

    # Spread over the others, but equal to none of them.
    reads = [kind(serial * max(size // ROUNDS, 1) + size) for serial in range(ROUNDS)]

    def churn(serial: int) -> None:
        subject.drop(subject.subscribe(reads[serial], clock[0], lambda ts: None))

    publishing = microseconds(publish)
    churning = microseconds(churn)
    assert len(subject) == size
    return publishing, churning, memory


def main() -> None:
    print(f"{'untouched':<12}{'number':>9}{'write µs':>11}{'subscribe+drop µs':>20}{'bytes each':>12}")
    for kind in (points, disjoint, overlapping, alike):
        for size in SIZES:
            publishing, churning, memory = measure(kind, size)
            print(f"{kind.__name__:<12}{size:>9,}{publishing:>11.1f}{churning:>20.1f}{memory:>12.0f}")


if __name__ == "__main__":
    main()
