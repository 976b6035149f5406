"""Which backup and which pieces of the log make a moment, and that nothing is missing between them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from parabola.services.backups.backup import find_backups
from parabola.services.backups.manifest import Manifest
from parabola.services.backups.packing import damaged
from parabola.services.backups.place import BackupPlace
from parabola.services.backups.segment import (
    LOG,
    Reached,
    Segment,
    SegmentName,
    find_reached,
    find_segments,
    load_segment,
)
from parabola.values.errors import NotFound

__all__ = ["Moment", "chosen_backup", "chosen_moment", "followed", "in_words", "load_pieces", "no_backup"]

_AT_A_TIME: Final = 8
"""Pieces of the log that are read ahead, of a megabyte each."""
_NS: Final = 1_000_000_000


class Moment(NamedTuple):
    """A backup with the log that goes on from it, up to `until_ts`; None stands for all that there is.
    `reach_ts` is the newest moment that these tell about.
    """

    manifest: Manifest
    pieces: Sequence[SegmentName] = ()
    until_ts: int | None = None
    reach_ts: int = 0
    before: SegmentName | None = None
    """The piece before the first one, which is in the backup, where it is still there."""


async def chosen_backup(place: BackupPlace, name: str | None) -> Manifest:
    """The backup of a name, or the newest one. Raises `NotFound`."""
    backups = await find_backups(place)
    if not backups:
        raise no_backup(place)
    if name is None:
        return backups[-1]
    for manifest in backups:
        if manifest.name == name:
            return manifest
    raise NotFound(
        f"There is no backup {name} in this place. There is: {', '.join(each.name for each in backups)}.",
        code="NoBackup",
    )


async def chosen_moment(place: BackupPlace, at_ts: int | None) -> Moment:
    """What makes a moment, in ns since 1970, or the newest one that the place has. Raises `NotFound` where
    nothing reaches back so far, and `BadRequest` (`BackupDamaged`) where a piece of the log is missing.
    """
    backups = await find_backups(place)
    if not backups:
        raise no_backup(place)
    chains: dict[str, _Chain] = {"": _Chain(None, [])}
    best: Moment | None = None
    for manifest in reversed(backups):
        if at_ts is not None and manifest.newest_ts > at_ts:
            continue
        if manifest.chain not in chains:
            chains[manifest.chain] = await _chain(place, manifest.chain)
        moment = _reaching(manifest, chains[manifest.chain], at_ts)
        if best is None or moment.reach_ts > best.reach_ts:
            best = moment
        if at_ts is not None and moment.reach_ts >= at_ts:
            best = moment
            break
    if best is None:
        raise NotFound(
            f"The oldest backup in this place is of {in_words(min(each.newest_ts for each in backups))}; "
            "nothing earlier can be restored.",
            code="NoBackup",
        )
    return _whole(await _of_one_line(place, best), chains[best.manifest.chain].reached)


class _Chain(NamedTuple):
    reached: Reached | None
    names: Sequence[SegmentName]


async def _chain(place: BackupPlace, chain: str) -> _Chain:
    reached = await find_reached(place, chain)  # first: it may be noted and go on meanwhile
    return _Chain(reached, await find_segments(place, chain))


def _reaching(manifest: Manifest, chain: _Chain, at_ts: int | None) -> Moment:
    """A backup with its log, and until when they tell."""
    noted = [] if chain.reached is None else [chain.reached.ts]
    ends = [name.last_ts for name in chain.names[-1:]]
    reach = max(manifest.newest_ts, _made_ts(manifest), *ends, *noted)
    return Moment(manifest, chain.names, at_ts, reach)


async def followed(place: BackupPlace, manifest: Manifest) -> Moment:
    """A backup with all of the log that goes on from it. Raises `BadRequest` (`BackupDamaged`) where a piece
    is missing.
    """
    chain = await _chain(place, manifest.chain) if manifest.chain else _Chain(None, [])
    return _whole(await _of_one_line(place, Moment(manifest, chain.names)), chain.reached)


def _whole(moment: Moment, noted: Reached | None) -> Moment:
    """With the pieces that are needed, of which each begins where the one before ends."""
    pieces: list[SegmentName] = []
    before: SegmentName | None = None
    base, until = moment.manifest.newest_ts, moment.until_ts
    reached = base
    for name in moment.pieces:
        if name.last_ts <= base:
            before = name
            continue
        if until is not None and until <= reached:
            break
        fits = name.after_ts <= base if not pieces else name.after_ts == reached
        if not fits:
            raise damaged(name.path, "what comes before it in the log is not there")
        if until is not None and name.after_ts >= until:
            break
        pieces.append(name)
        reached = name.last_ts
    if noted is not None and noted.last_ts > reached and (until is None or until > reached):
        raise damaged(
            f"{LOG}{moment.manifest.chain}",
            f"its log went on to {in_words(noted.last_ts)}, and the pieces after {in_words(reached)} are not "
            "there",
        )
    return moment._replace(pieces=pieces, before=before)


async def _of_one_line(place: BackupPlace, moment: Moment) -> Moment:
    """Without the pieces from which the log does not go on: several may have written it at once, for a moment
    while one node takes over from another, or because two were told to. All say the same, and each knows the
    digest of its own before it; so it is followed from its end.
    """
    names, until = moment.pieces, moment.until_ts
    by_end: dict[int, list[SegmentName]] = {}
    for name in names:
        by_end.setdefault(name.last_ts, []).append(name)
    if len(by_end) == len(names) == len({name.after_ts for name in names}):
        return moment
    ends = [end for end in by_end if until is not None and end >= until]
    line = [by_end[min(ends) if ends else max(by_end)][0]]
    while before := by_end.get(line[-1].after_ts):
        if len(before) > 1:
            previous = (await load_segment(place, line[-1])).head.previous
            before = [name for name in before if name.sha256 == previous] or before
        line.append(before[0])
    return moment._replace(pieces=line[::-1])


async def load_pieces(place: BackupPlace, moment: Moment) -> AsyncIterator[Segment]:
    """The pieces in their order, each checked by itself and against the one before. Raises `NotFound` and
    `BadRequest` (`BackupDamaged`).
    """
    previous = None if moment.before is None else moment.before.sha256
    async for segment in _loaded(place, moment.pieces):
        name = segment.name
        if previous is not None and segment.head.previous != previous:
            raise damaged(name.path, "it does not go on from the piece of the log before it")
        previous = name.sha256
        yield segment


async def _loaded(place: BackupPlace, names: Sequence[SegmentName]) -> AsyncIterator[Segment]:
    """Each piece in its turn, while the next ones are on their way: a store takes its time for each."""
    coming: deque[asyncio.Task[Segment]] = deque()
    rest = iter(names)
    try:
        while True:
            while len(coming) < _AT_A_TIME and (name := next(rest, None)) is not None:
                coming.append(asyncio.ensure_future(load_segment(place, name)))
            if not coming:
                return
            yield await coming.popleft()
    finally:
        for task in coming:
            task.cancel()
        await asyncio.gather(*coming, return_exceptions=True)


def in_words(ts: int) -> str:
    """A timestamp for people, to the millisecond, in UTC."""
    return f"{datetime.fromtimestamp(ts // 1_000_000 / 1000, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"


def _made_ts(manifest: Manifest) -> int:
    try:
        return int(datetime.fromisoformat(manifest.made_at).timestamp() * 1000) * (_NS // 1000)
    except ValueError:
        return 0


def no_backup(place: BackupPlace) -> NotFound:
    """What is raised where a place has none."""
    return NotFound(
        f"There is no backup in {place}. Look whether it is the right place; parabola backup makes one.",
        code="NoBackup",
    )
