"""Any life of a derived index, beside that of a model which looks at every version of every document."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Coroutine
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from parabola.database.derived.entries import EntryChange
from parabola.database.derived.segments.segment_files import SegmentFiles

Result = TypeVar("Result")
# Of a number: how often they are asked depends on worker threads, which Hypothesis must not see.
RANDOMS = st.integers(0, 2**32).map(Random)
LIVES = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # there is little to shrink in random numbers
)
IDS = [f"id{number}" for number in range(9)]
FIRST_TS = 4
"""The newest commit when the index is made: the documents from before have times up to it."""


class IndexMachine(RuleBasedStateMachine):
    """Commits, some of them taken back, upkeep, crashes and clean ends, with damaged files in between.

    `ts` is the newest commit, `durable_ts` the newest that is on the disk, `oldest_ts` the oldest that is
    read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory: Path | None = None
        self.ts = self.durable_ts = self.oldest_ts = FIRST_TS
        self.model: Any = self.new_model()
        self.index: Any = None

    # What each kind of index has of its own

    @abstractmethod
    def new_model(self) -> Any: ...

    @abstractmethod
    def new_index(self, files: SegmentFiles | None) -> Any: ...

    @abstractmethod
    def open_index(
        self, files: SegmentFiles, live: dict[str, int], ts: int
    ) -> Coroutine[Any, Any, tuple[Any, list[str]]]: ...

    @abstractmethod
    def entry(self, random: Random) -> Any:
        """What the index keeps of some document."""

    @abstractmethod
    def compare(self, ts: int, random: Random) -> None:
        """Asks the index and the model something at a timestamp."""

    # Its life

    @initialize(has_files=st.booleans(), before=st.integers(0, 12), random=RANDOMS)
    def begin(self, has_files: bool, before: int, random: Random) -> None:
        """An index of a table that may have documents already."""
        if has_files:
            self.directory = Path(tempfile.mkdtemp())
        self.index = self.new_index(None if self.directory is None else SegmentFiles(self.directory))
        ids = random.sample(IDS, min(before, len(IDS)))
        old = [(id, random.randint(1, FIRST_TS), self.entry(random)) for id in ids]
        self.model.fill(old)
        self.fill(old, random)

    def fill(self, old: list[tuple[str, int, Any]], random: Random) -> None:
        """Gives the index the documents that were there, with commits in between."""
        for document in old:
            if random.random() < 0.3:
                self.commit(random)
            if random.random() < 0.1:
                self.take_back(random)
            self.index.fill([document])
            if random.random() < 0.3:  # what was applied, or filled in, already
                live, current = self.model.live(), dict(self.model.at(self.ts))
                again = random.choice([*live, document[0]])
                if again in live and (again == document[0] or live[again] > document[1]):
                    self.index.fill([(again, live[again], current[again])])
        self.index.filled()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)

    def files(self) -> SegmentFiles | None:
        return None if self.directory is None else SegmentFiles(self.directory)

    @rule(random=RANDOMS)
    def commit(self, random: Random) -> None:
        self.ts += random.randint(1, 3)
        ids = random.sample(IDS, random.randint(1, 5))
        changes = [EntryChange(id, None if random.random() < 0.3 else self.entry(random)) for id in ids]
        self.model.apply(self.ts, changes)
        cut = random.randint(0, len(changes))
        self.index.apply(self.ts, changes[:cut])
        self.index.apply(self.ts, changes[cut:])

    @rule(random=RANDOMS)
    def becomes_durable(self, random: Random) -> None:
        self.durable_ts = random.randint(self.durable_ts, self.ts)

    @rule(random=RANDOMS)
    def take_back(self, random: Random) -> None:
        kept = random.randint(self.durable_ts, self.ts)
        self.model.take_back(kept)
        self.index.take_back(kept)

    @rule(random=RANDOMS)
    def forget(self, random: Random) -> None:
        self.oldest_ts = random.randint(self.oldest_ts, self.ts)
        self.index.forget_before(self.oldest_ts)

    @rule()
    def tidy(self) -> None:
        self.run(self.index.tidy(self.durable_ts))

    @rule(random=RANDOMS)
    def tidy_among_others(self, random: Random) -> None:
        """Commits and searches while the worker threads work."""

        async def both() -> None:
            tidying = asyncio.ensure_future(self.index.tidy(self.durable_ts))
            for _ in range(random.randint(1, 10)):
                await asyncio.sleep(random.choice((0, 0, 0.0001)))
                if random.random() < 0.7:
                    self.commit(random)
                else:
                    self.take_back(random)
            await tidying

        self.run(both())

    @precondition(lambda self: self.directory is not None)
    @rule(is_clean=st.booleans(), is_damaged=st.booleans(), random=RANDOMS)
    def restart(self, is_clean: bool, is_damaged: bool, random: Random) -> None:
        if is_clean:
            self.run(self.index.close(self.durable_ts))
        self.index = None
        if is_damaged:
            self.damage(random)
        self.model.take_back(self.durable_ts)
        self.ts = self.oldest_ts = self.durable_ts
        live = self.model.live()
        old = dict(self.model.at(self.ts))
        model = self.new_model()
        model.fill([(id, live[id], entry) for id, entry in old.items()])
        self.model = model
        files = self.files()
        assert files is not None
        self.index, missing = self.run(self.open_index(files, live, self.ts))
        if is_clean and not is_damaged:
            assert missing == []
        random.shuffle(missing)
        self.fill([(id, live[id], old[id]) for id in missing], random)

    def damage(self, random: Random) -> None:
        assert self.directory is not None
        for path in sorted(self.directory.iterdir()):
            data = path.read_bytes()
            at = random.randrange(len(data))
            match random.randrange(5):
                case 0:
                    path.unlink()
                case 1:
                    path.write_bytes(data[:at])
                case 2:
                    path.write_bytes(
                        data[:at] + bytes((data[at] ^ (1 << random.randrange(8)),)) + data[at + 1 :]
                    )
                case 3:
                    path.rename(path.with_suffix(".tmp"))
                case _:
                    pass

    @rule(random=RANDOMS)
    def search(self, random: Random) -> None:
        self.compare(random.randint(self.oldest_ts, self.ts), random)

    @rule(random=RANDOMS)
    def search_now(self, random: Random) -> None:
        self.compare(self.ts, random)

    def teardown(self) -> None:
        try:
            if self.index is not None:
                for ts in range(self.oldest_ts, self.ts + 1):
                    self.compare(ts, Random(ts))
        finally:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()
            if self.directory is not None:
                shutil.rmtree(self.directory)
