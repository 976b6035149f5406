"""What functions will probably ask for, learned from what they have asked for (executors.md, Answers ahead).

Most functions begin with the same reads every time, of what their arguments name or of what an earlier read
has answered. A place from which a value of such a call could come remains as long as it has given the right
one every time. Where a run goes on to write what a read has answered, others that make the same read compete
with it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson
from msgspec import Raw

from parabola.executors.own_transaction import WRITES
from parabola.executors.read_template import ReadTemplate, Sources

__all__ = ["MOST_WRITES", "Foreseen", "Habits", "Json", "Sighting", "Trust"]

Json = dict[str, Any]

MOST_WRITES: Final = 16
"""Writes of one run that are answered before they are executed; each further one is waited for."""
_MOST_READS: Final = 16
_LONGEST_MESSAGE: Final = 16 * 1024
"""Bytes of a message whose calls are learned of."""
_LONGEST_ANSWER: Final = 8 * 1024
"""Bytes of an answer of which further calls may be made."""
_LONGEST_PAUSE: Final = 256
"""Runs that are not looked at, at most, where nothing new has been seen."""
_SEEN_ENOUGH: Final = 2
_COUNTED: Final = 256
_DOUBT: Final = 8
"""Of so many times one may be in vain."""
_MOSTLY: Final = 1
"""The same where more than half of the times are enough."""
_LONGEST_ARGUMENTS: Final = 64 * 1024
"""Bytes of arguments by which is told what a run will write."""
_LONGEST_ID: Final = 64
_MOST_IDS: Final = 16
"""Of what one run has written, that are looked for in what it has read."""


class SeenRead(NamedTuple):
    """A read that a run has made: the call, the text of the message it was in, and its answer if that is
    short.
    """

    call: Json
    message: bytes
    answer: bytes


class Sighting:
    """What one run has asked for: its reads before its first write, with their answers, and its writes."""

    __slots__ = ("failed", "inserts", "is_over", "reads", "writes", "written")

    def __init__(self) -> None:
        self.reads: list[SeenRead] = []
        self.written: list[bytes] = []
        """The first ids that it has patched, replaced or deleted."""
        self.inserts: dict[str, int] = {}
        self.writes = 0
        self.failed = False
        self.is_over = False
        """Whether no further read can be foreseen."""

    def saw(self, call: Json, text: bytes, reply: Json) -> None:
        """A call that has been answered; `text` is that of its message, or its own."""
        op = call["op"]
        if op in WRITES:
            self.is_over = True
            self.writes += 1
            self.failed = self.failed or "error" in reply
            if op == "1.0/insert":
                table = call["args"]["table"]
                self.inserts[table] = self.inserts.get(table, 0) + 1
            else:
                self._saw_written(call["args"].get("id"))
        elif not self.is_over and (op == "1.0/get" or "query" in call["args"]):
            self._saw_read(call, text, reply)

    def _saw_written(self, id: Any) -> None:
        if type(id) is str and len(id) <= _LONGEST_ID and len(self.written) < _MOST_IDS:
            self.written.append(orjson.dumps(id))

    def _saw_read(self, call: Json, text: bytes, reply: Json) -> None:
        if "error" in reply or len(text) > _LONGEST_MESSAGE:
            self.is_over = True
            return
        answer = orjson.dumps(reply["value"])
        is_long = len(answer) > _LONGEST_ANSWER
        self.reads.append(SeenRead(call, text, b"" if is_long else answer))
        self.is_over = is_long or len(self.reads) == _MOST_READS

    @property
    def answers(self) -> list[Any]:
        """Those of which further calls may be made: one that is long is the last."""
        return [orjson.loads(seen.answer) for seen in self.reads if seen.answer]


class Trust:
    """How often something was right, of late. It is lost where the wrong times are more than one to `doubt`
    right ones.
    """

    __slots__ = ("_asked", "_doubt", "_right", "_wrong")

    def __init__(self, doubt: int = _DOUBT) -> None:
        self._doubt = doubt
        self._right = self._wrong = self._asked = 0

    def note(self, was_right: bool) -> None:
        if was_right:
            self._right += 1
        else:
            self._wrong += 1
        if self._right + self._wrong > _COUNTED:
            self._right //= 2
            self._wrong //= 2

    @property
    def is_lost(self) -> bool:
        return self._wrong * self._doubt > self._right + self._doubt

    def ventures(self) -> bool:
        """Whether to count on it now: now and then also on what has been wrong, as it may have changed."""
        if not self.is_lost:
            return True
        self._asked += 1
        return self._asked % _COUNTED == 0


class _Read:
    """A read that a function has made, and whether it makes it again."""

    __slots__ = ("_claim", "_has_been_written", "template", "trust")

    def __init__(self, template: ReadTemplate) -> None:
        self.template = template
        self.trust = Trust()
        self._has_been_written = False
        self._claim = Trust(_MOSTLY)

    def note_written(self, was_written: bool) -> bool:
        """A run has written any of what it answered, or none. Whether that was not expected."""
        is_news = was_written != self.is_claimed
        self._has_been_written |= was_written
        self._claim.note(was_written)
        return is_news

    @property
    def is_claimed(self) -> bool:
        """Whether a run will write what it answers."""
        return self._has_been_written and self.template.seen >= _SEEN_ENOUGH and not self._claim.is_lost


class Foreseen:
    """What one run will probably ask for, read by read: `next_text`, and `found` with its answer."""

    __slots__ = ("_reads", "_sources", "answered")

    def __init__(self, reads: list[_Read], arguments: Any) -> None:
        self._reads = reads
        self._sources = Sources(arguments)
        self.answered = 0
        """How many of the reads have been found to have an answer."""

    def next_text(self) -> bytes | None:
        """The call that comes next, if that can be told."""
        if self.answered == len(self._reads):
            return None
        read = self._reads[self.answered]
        if read.template.seen < _SEEN_ENOUGH or not read.trust.ventures():
            return None
        return read.template.text(self._sources)

    def found(self, answer: Any) -> None:
        """What it answers."""
        self._sources.add(answer)
        self.answered += 1

    def found_none(self) -> None:
        """It has no answer that could be told."""
        self._reads[self.answered].trust.note(False)

    def used(self, count: int) -> None:
        """The run has asked for the first `count` of those that were answered."""
        for read in self._reads[:count]:
            read.trust.note(True)
        if count < self.answered:
            self._reads[count].trust.note(False)


def _what_is_read(call: bytes) -> bytes:
    """Without the numbers that the run gives to its calls and queries."""
    args = orjson.loads(call)["args"]
    return orjson.dumps(args.get("query", args))


class Habits:
    """Of one function."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.inserts: dict[str, int] = {}
        """How many documents its runs insert at most, by table; no more than `MOST_WRITES` in all."""
        self._reads: list[_Read] = []
        self._writing_runs = 0
        self._writes = Trust()
        self._pause = 0
        self._last_pause = 0

    def is_curious(self) -> bool:
        """Whether the next run is worth being looked at; ask once for each."""
        if self._pause:
            self._pause -= 1
            return False
        return True

    def look_again(self) -> None:
        """Something was foreseen in vain: the next runs are worth being looked at."""
        self._pause = 0

    def foresee(self, arguments: Any) -> Foreseen:
        """What a run with these arguments will probably ask for."""
        return Foreseen(list(self._reads), arguments)

    def claims(self, arguments: Raw) -> list[bytes]:
        """The reads whose answers a run with these arguments (JSON) will probably write, as far as they tell
        before it has read anything: of two that make the same one, each would lose against the other.
        """
        claimed = [read for read in self._reads if read.is_claimed]
        text = memoryview(arguments)
        if not claimed or len(text) > _LONGEST_ARGUMENTS:
            return []
        sources = Sources(orjson.loads(text))
        texts = (read.template.text(sources) for read in claimed)
        return [_what_is_read(text) for text in texts if text is not None]

    @property
    def knows_reads(self) -> bool:
        """Whether it has learned of any."""
        return bool(self._reads)

    def writes_told(self) -> int:
        """How many writes of the next run may be answered before they are executed; ask once for each."""
        return MOST_WRITES if self._writing_runs >= _SEEN_ENOUGH and self._writes.ventures() else 0

    def has_written(self, was_right: bool) -> None:
        """Writes that had been answered before have been executed."""
        self._writes.note(was_right)

    def learn(self, arguments: Any, sighting: Sighting) -> None:
        """Take in what a run has asked for."""
        is_new = self._learn_reads(arguments, sighting)
        if sighting.failed:
            self._writes.note(False)
        elif sighting.writes:
            self._writing_runs += 1
            is_new = is_new or self._writing_runs <= _SEEN_ENOUGH
        is_new = self._learn_inserts(sighting.inserts) or is_new
        self._last_pause = 0 if is_new else min(2 * self._last_pause + 1, _LONGEST_PAUSE)
        self._pause = self._last_pause

    def _learn_inserts(self, inserts: dict[str, int]) -> bool:
        """Whether there was anything new in them."""
        known = self.inserts
        if all(min(count, MOST_WRITES) <= known.get(table, 0) for table, count in inserts.items()):
            return False
        merged = {**known, **{table: max(count, known.get(table, 0)) for table, count in inserts.items()}}
        if sum(merged.values()) <= MOST_WRITES:
            self.inserts = merged
            return True
        left, self.inserts = MOST_WRITES, {}
        for table, count in inserts.items():
            if left:
                self.inserts[table] = min(count, left)
                left -= self.inserts[table]
        return False  # there may be others each time

    def _learn_reads(self, arguments: Any, sighting: Sighting) -> bool:
        """Whether there was anything new in them."""
        sources = Sources(arguments)
        for answer in sighting.answers:
            sources.add(answer)
        is_new = False
        for at, seen in enumerate(sighting.reads):
            try:
                found = self._learn_read(at, seen, sources)
            except ValueError:
                found = None
            if found is None:
                break
            is_news = self._reads[at].note_written(any(id in seen.answer for id in sighting.written))
            is_new = is_new or found or is_news
        return is_new

    def _learn_read(self, at: int, seen: SeenRead, sources: Sources) -> bool | None:
        """The same for one of them; None where those after it cannot be foreseen."""
        if at < len(self._reads):
            read = self._reads[at]
            found = read.template.refine(seen.call, sources)
            if found is not None:
                return found or read.template.seen <= _SEEN_ENOUGH
            if not read.trust.is_lost:
                read.trust.note(False)
                return None
            del self._reads[at:]
        template = ReadTemplate(seen.call, sources, at)
        written = template.text(sources)
        if written is None or written not in seen.message:
            return None
        self._reads.append(_Read(template))
        return True
