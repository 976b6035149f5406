"""Which backups of a place are kept, and letting go of the others with all that only they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from parabola.services.backups.backup import find_outlines, load_manifest
from parabola.services.backups.manifest import FILES, MANIFESTS, Manifest
from parabola.services.backups.moment import no_backup
from parabola.services.backups.place import BackupPlace, in_one_piece
from parabola.services.backups.segment import LOG, SegmentName, load_segment

__all__ = ["Keeping", "drop_old"]


@dataclass(frozen=True)
class Keeping:
    """What is kept: so many of the `newest`, or the last one of each of so many `days` and `weeks`, today and
    this week included; with `days` all of the last 24 hours. The newest one stays in any case, and the newest
    with a log. The log reaches back over the `newest`, or over the `days`.
    """

    newest: int | None = None
    days: int | None = None
    weeks: int | None = None

    @property
    def is_all(self) -> bool:
        """Whether everything is kept."""
        return self.newest is None and self.days is None and self.weeks is None

    def chosen(self, backups: Sequence[Manifest], now: datetime) -> tuple[list[Manifest], list[Manifest]]:
        """Those that are kept, and those of them whose log is kept, of backups in the order of time."""
        if self.is_all:
            return list(backups), list(backups)
        always = [*backups[-1:], *[each for each in backups if each.chain][-1:]]
        logged = list(always)
        if self.newest is not None:
            logged += backups[-self.newest :]
        today = now.astimezone(UTC).date()
        days, weeks = {}, {}
        for each in backups:  # the later one of a day takes the place of the earlier one
            day = _made(each).date()
            if self.days is not None and day > today - timedelta(days=self.days):
                days[day] = each
            if self.days is not None and now - _made(each) < timedelta(days=1):
                logged.append(each)
            year, week, _ = day.isocalendar()
            if self.weeks is not None and day > today - timedelta(days=7 * self.weeks):
                weeks[year, week] = each
        logged += days.values()
        kept = [*logged, *weeks.values()]
        return [each for each in backups if each in kept], [each for each in backups if each in logged]


def _made(manifest: Manifest) -> datetime:
    try:
        return datetime.fromisoformat(manifest.made_at).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(manifest.newest_ts / 1e9, UTC)


async def drop_old(place: BackupPlace, keeping: Keeping, now: datetime) -> list[Manifest]:
    """Keep what is to be kept, the log that goes on from it and the files that these name; what was dropped.
    What is left of backups that were never finished goes too. Raises `NotFound` where there is no backup.
    """
    backups = [outline.manifest for outline in await find_outlines(place)]
    if not backups:
        raise no_backup(place)
    kept, logged = keeping.chosen(backups, now)
    dropped = [each for each in backups if each not in kept]
    for manifest in dropped:  # the manifest first: without it the rest is none
        await place.delete(manifest.manifest_name)
    for manifest in kept:
        if manifest.chain and manifest not in logged:  # it says no more that a log goes on from it
            alone = msgspec.structs.replace(await load_manifest(place, manifest.name), chain="")
            await place.put(alone.manifest_name, in_one_piece(alone.to_json()))
    files = await place.names(FILES)  # before the log is listed, which says which of them are new
    pieces = await _drop_log(place, logged)
    names, whole = await place.names(MANIFESTS), {manifest.name for manifest in kept}
    unfinished = {name.split("/")[1] for name in names} - whole
    await place.clear()
    for name in names:
        if name.split("/")[1] in unfinished and name.split("/")[1] < kept[-1].name:
            await place.delete(name)
    if any(name > kept[-1].name for name in unfinished):
        return dropped  # one that is being made names files that no manifest names yet
    named: set[str] = set()
    for manifest in kept if files else ():
        named |= {FILES + part.key for part in (await load_manifest(place, manifest.name)).files}
    if set(files) - named:
        for piece in pieces:
            if piece.has_files:
                named |= {FILES + part.key for part in (await load_segment(place, piece)).head.files}
    for name in files:
        if name not in named:
            await place.delete(name)
    return dropped


async def _drop_log(place: BackupPlace, logged: Sequence[Manifest]) -> list[SegmentName]:
    """Drop the pieces of the log that no backup is followed by; those that are left."""
    begins: dict[str, int] = {}
    for manifest in logged:
        begins[manifest.chain] = min(manifest.newest_ts, begins.get(manifest.chain, manifest.newest_ts))
    left: list[SegmentName] = []
    for path in await place.names(LOG):
        name = SegmentName.read(path)
        if name is None:
            if path.removeprefix(LOG).partition("/")[0] not in begins:
                await place.delete(path)
            continue
        if name.chain in begins and name.last_ts > begins[name.chain]:
            left.append(name)
        else:
            await place.delete(path)
    return left
