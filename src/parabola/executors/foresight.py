"""What functions will probably ask for, learned from what they have asked for (executors.md, Answers ahead).

Most functions begin with the same reads every time, of what their arguments name or of what an earlier read
has answered. Such a call is kept as a text with holes, each with the places from which it could be filled: a
place remains as long as it has given the right value every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

__all__ = ["MOST_WRITES", "Foreseen", "Foresight", "Json", "Sighting", "Trust"]

Json = dict[str, Any]

MOST_WRITES: Final = 16
"""Writes of one run that are answered before they are executed; each further one is waited for."""
_MOST_READS: Final = 16
_MOST_LEAVES: Final = 64
"""Values of arguments, or of one answer, that a later read may be made of."""
_LONGEST_CALL: Final = 4096
_DEEPEST: Final = 16
"""Levels of a query, of arguments or of an answer that are looked into."""
_LONGEST_PAUSE: Final = 256
"""Runs that are not looked at, at most, where nothing new has been seen."""
_SEEN_ENOUGH: Final = 2
_COUNTED: Final = 256
_DOUBT: Final = 8
"""Of so many times one may be in vain."""
_HOLE: Final = "\x01?"
_HOLE_TEXT: Final = orjson.dumps(_HOLE)

_Path = tuple[str | int, ...]
_Place = tuple[int, _Path]
"""A value in the arguments (0), or in the answer of a read, counted from 1."""


class Sighting:
    """What one run has asked for: its reads before its first write, with their answers, and its writes."""

    __slots__ = ("failed", "inserts", "reads", "values", "writes")

    def __init__(self) -> None:
        self.reads: list[tuple[Json, bytes]] = []
        """Calls, and the text of the message they were in."""
        self.values: list[Any] = []
        self.inserts: dict[str, int] = {}
        self.writes = 0
        self.failed = False

    def saw(self, call: Json, text: bytes, reply: Json) -> None:
        """A call that has been answered; `text` is that of its message, or its own."""
        op = call["op"]
        if op == "1.0/get" or (op == "1.0/queryStreamNext" and "query" in call["args"]):
            if not self.writes:
                self.reads.append((call, text))
                self.values.append(reply.get("value"))
        elif op not in ("1.0/queryStreamNext", "1.0/queryCleanup"):
            self.writes += 1
            self.failed = self.failed or "error" in reply
            if op == "1.0/insert":
                table = call["args"]["table"]
                self.inserts[table] = self.inserts.get(table, 0) + 1


class Trust:
    """How often something was right, of late."""

    __slots__ = ("_asked", "_right", "_wrong")

    def __init__(self) -> None:
        self._right = self._wrong = self._asked = 0

    def note(self, was_right: bool) -> None:
        if was_right:
            self._right += 1
        else:
            self._wrong += 1
        if self._right + self._wrong > _COUNTED:
            self._right //= 2
            self._wrong //= 2

    def is_given(self) -> bool:
        """Now and then also to what has been wrong too often, as it may have changed."""
        if self._wrong * _DOUBT <= self._right + _DOUBT:
            return True
        self._asked += 1
        return self._asked % _COUNTED == 0


class _Template:
    """One read, as it was seen: the text around its values, and for each of these what it was every time, and
    where it could be taken from.
    """

    __slots__ = ("_holes", "_pieces", "seen", "trust")

    def __init__(self, call: Json, sources: Sequence[Any]) -> None:
        """`sources` are the arguments and the answers of the reads before. Raises `ValueError` for a call
        that cannot be taken apart.
        """
        self._pieces, values = _taken_apart(call)
        self._holes: list[tuple[Any, list[_Place]]] = [
            (value, list(_places_of(value, sources))) for value in values
        ]
        self.seen = 1
        self.trust = Trust()

    def refine(self, call: Json, sources: Sequence[Any]) -> bool | None:
        """Compare it with another sighting. None if it is another call; else whether that taught anything.
        Raises `ValueError` as the constructor does.
        """
        pieces, values = _taken_apart(call)
        if pieces != self._pieces:
            return None
        holes = []
        for (constant, places), value in zip(self._holes, values, strict=True):
            left = [place for place in places if _same(_at(sources, place), value)]
            if constant is not None and not _same(constant, value):
                constant = None
            if constant is None and not left:
                return None
            holes.append((constant, left))
        self.seen += 1
        is_new = holes != self._holes
        self._holes = holes
        return is_new

    def text(self, sources: Sequence[Any]) -> bytes | None:
        """The call that it will be; None where a value is missing."""
        filled = [self._pieces[0]]
        for (constant, places), piece in zip(self._holes, self._pieces[1:], strict=True):
            value = _at(sources, places[0]) if places else constant
            if value is None or isinstance(value, (bool, dict, list)):
                return None
            filled.append(_json(value))
            filled.append(piece)
        return b"".join(filled)

    @property
    def is_ready(self) -> bool:
        return self.seen >= _SEEN_ENOUGH and self.trust.is_given()


class Foreseen:
    """What one run will probably ask for: the texts of reads, which it makes in this order."""

    __slots__ = ("_reads", "sources")

    def __init__(self, reads: Sequence[_Template], arguments: Any) -> None:
        self._reads = list(reads)
        self.sources: list[Any] = [arguments]
        """The arguments, and the values that the reads have been found to have."""

    def __iter__(self) -> Iterator[bytes]:
        """Ends when the value of the last one has not been added to `sources`."""
        for at, template in enumerate(self._reads):
            if at + 1 != len(self.sources) or not template.is_ready:
                return
            text = template.text(self.sources)
            if text is None:
                return
            yield text

    def used(self, count: int) -> bool:
        """The run has asked for the first `count` of those that have been made. Whether these were all."""
        for template in self._reads[:count]:
            template.trust.note(True)
        if count + 1 >= len(self.sources):
            return True
        self._reads[count].trust.note(False)
        return False


class Foresight:
    """Of one function."""

    def __init__(self) -> None:
        self.reads: list[_Template] = []
        self.inserts: dict[str, int] = {}
        """How many documents its runs insert at most, by table."""
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

    @property
    def writes(self) -> int:
        """How many writes of a run may be answered before they are executed."""
        return MOST_WRITES if self._writing_runs >= _SEEN_ENOUGH and self._writes.is_given() else 0

    def has_written(self, was_right: bool) -> None:
        """Writes that had been answered before have been executed."""
        self._writes.note(was_right)

    def look_again(self) -> None:
        """Something was foreseen in vain: the next runs are worth being looked at."""
        self._pause = 0

    def foresee(self, arguments: Any) -> Foreseen:
        """What a run with these arguments will probably ask for."""
        return Foreseen(self.reads, arguments)

    def learn(self, arguments: Any, sighting: Sighting) -> None:
        """Take in what a run has asked for."""
        values = orjson.loads(orjson.dumps(sighting.values))
        is_new = self._learn_reads([arguments, *values], sighting.reads)
        if sighting.writes and not sighting.failed:
            self._writing_runs += 1
            is_new = is_new or self._writing_runs <= _SEEN_ENOUGH
        elif sighting.failed:
            self._writes.note(False)
        for table, count in sighting.inserts.items():
            most = min(count, MOST_WRITES)
            if most > self.inserts.get(table, 0):
                self.inserts[table] = most
                is_new = True
        self._last_pause = 0 if is_new else min(2 * self._last_pause + 1, _LONGEST_PAUSE)
        self._pause = self._last_pause

    def _learn_reads(self, sources: list[Any], reads: list[tuple[Json, bytes]]) -> bool:
        """Whether there was anything new in them."""
        is_new = False
        for at, (call, text) in enumerate(reads[:_MOST_READS]):
            try:
                found = self._learn_read(at, call, text, sources[: at + 1])
            except ValueError:
                found = None
            if found is None:
                return is_new
            is_new = is_new or found
        return is_new

    def _learn_read(self, at: int, call: Json, text: bytes, sources: Sequence[Any]) -> bool | None:
        """The same for one of them; None where those after it cannot be foreseen."""
        if at < len(self.reads):
            template = self.reads[at]
            found = template.refine(call, sources)
            if found is not None:
                return found or template.seen <= _SEEN_ENOUGH
            if template.trust.is_given():
                template.trust.note(False)
                return None
            del self.reads[at:]
        template = _Template(call, sources)
        written = template.text(sources)
        if written is None or len(written) > _LONGEST_CALL or written not in text:
            return None
        self.reads.append(template)
        return True


# Values in JSON


def _taken_apart(call: Json) -> tuple[list[bytes], list[Any]]:
    """The text of a call around its values, and these. Raises `ValueError` for one that is too deep, or has
    the mark of a hole in it.
    """
    args: Json = call["args"]
    values: list[Any] = []
    args = {**args, "query": _hollow(args["query"], values)} if "query" in args else _hollow(args, values)
    pieces = orjson.dumps({**call, "args": args}).split(_HOLE_TEXT)
    if len(pieces) != len(values) + 1:
        raise ValueError("the mark of a hole is in the call")
    return pieces, values


def _hollow(value: Any, values: list[Any], depth: int = 0) -> Any:
    if isinstance(value, (dict, list)):
        if depth == _DEEPEST:
            raise ValueError("the call is too deep")
        if isinstance(value, list):
            return [_hollow(each, values, depth + 1) for each in value]
        return {key: _hollow(each, values, depth + 1) for key, each in value.items()}
    if value is None or type(value) is bool:
        return value
    values.append(value)
    return _HOLE


def _leaves(value: Any, path: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    if isinstance(value, (dict, list)):
        entries: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
        if len(path) < _DEEPEST:
            for key, each in entries:
                yield from _leaves(each, (*path, key))
    elif value is not None and type(value) is not bool:
        yield path, value


def _places_of(value: Any, sources: Sequence[Any]) -> Iterator[_Place]:
    for origin, source in enumerate(sources):
        for number, (path, leaf) in enumerate(_leaves(source)):
            if number >= _MOST_LEAVES:
                break
            if _same(leaf, value):
                yield origin, path


def _at(sources: Sequence[Any], place: _Place) -> Any:
    origin, path = place
    found = sources[origin]
    try:
        for key in path:
            found = found[key]
    except (LookupError, TypeError):
        return None
    return found


def _same(one: Any, other: Any) -> bool:
    """Whether they are one value in JavaScript."""
    if type(one) is str or type(other) is str:
        return type(one) is type(other) and bool(one == other)
    return type(one) is not bool and type(other) is not bool and bool(one == other)


def _json(value: Any) -> bytes:
    """As JavaScript writes a text, or a number that is not very large or small."""
    if type(value) is float and value.is_integer() and abs(value) < 1e21:
        value = int(value)
        return b"%d" % value
    return orjson.dumps(value)
