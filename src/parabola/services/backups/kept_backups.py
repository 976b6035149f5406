"""Backups that a server makes of itself: at their times, when somebody asks, and the log in between.

Of several nodes the keeper does it. What goes wrong is said in the log and shown, and tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from parabola.services.backups.backup import FilesOf, Outline, find_outlines, make_backup
from parabola.services.backups.backup_times import BackupTimes
from parabola.services.backups.continuous import PIECE_SECONDS, ContinuousBackup
from parabola.services.backups.keeping import Keeping, drop_old
from parabola.services.backups.manifest import Manifest
from parabola.services.backups.moment import chosen_backup, followed
from parabola.services.backups.place import backup_place, shown_place
from parabola.services.backups.restore import verify_backup
from parabola.services.observability.observations import Gauge
from parabola.values.errors import Conflict, ParabolaError

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.services.settings import ServiceSettings

__all__ = ["KeptBackups"]

_LOOK_SECONDS: Final = 30.0
"""Between two looks at the clock, and at who is the keeper."""
_RETRY_SECONDS: Final = 600.0
"""After a backup that failed."""
_LEAST_PAUSE: Final = 5.0
_MOST_PAUSE: Final = 60.0
"""After the log could not be kept; longer each time."""
_HELD_SECONDS: Final = 24 * 3600.0
"""For so long the history is held that a log lacks whose place cannot be reached."""
_LATE_SECONDS: Final = 60.0
"""A log that is so far behind needs attention."""
_LATE_SHARE: Final = 1.5
_FORGOTTEN_SECONDS: Final = 60.0
"""Another node may have made one: after so long it is looked for, when somebody asks."""

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """What went wrong last, and when, in seconds since 1970."""

    at: float
    message: str


class KeptBackups:
    """The backups of one server, in the place that its settings name."""

    def __init__(
        self, database: Database, directory: Path, files: FilesOf, settings: ServiceSettings
    ) -> None:
        assert settings.backup_to is not None
        self._database = database
        self._directory = directory
        self._files = files
        self._address = settings.backup_to
        self._place = backup_place(settings.backup_to)
        self._times = BackupTimes.read(settings.backup_times)
        self._keeping = Keeping(days=settings.backup_days, weeks=settings.backup_weeks)
        self._has_log = not settings.backup_without_log
        self._log: ContinuousBackup | None = None
        self._backups: list[Outline] = []
        self._listed_at: float | None = None
        self._began = self._now()
        self._making: asyncio.Task[None] | None = None
        self._making_since = 0.0
        self._said = ""
        self._failed: Failure | None = None
        self._log_failed: Failure | None = None
        self._verified: dict[str, tuple[bool, float, str]] = {}
        self._verifying: asyncio.Task[None] | None = None
        self._verifying_name = ""
        self._is_keeper = False
        self._dropping = asyncio.Lock()
        self._committed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.failures = 0
        """How many backups have failed since the start."""

    def start(self) -> None:
        """Begin to look at the clock, and to keep the log."""
        self._undo = self._database.on_commit(lambda _writes, _ts: self._committed.set())
        self._task = asyncio.create_task(self._run(), name="backups")

    async def close(self) -> None:
        """Keep nothing more. A backup that is being made is none; the log goes on where it is."""
        self._undo()
        tasks = [task for task in (self._task, self._making, self._verifying) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._log is not None:
            if self._log.chain:  # it has begun
                with contextlib.suppress(ParabolaError, OSError, TimeoutError):
                    async with asyncio.timeout(_LEAST_PAUSE):  # the last second of it
                        await self._log.step()
                        await self._log.note()
            await self._log.close()

    # What is done by itself

    async def _run(self) -> None:
        pause = _LEAST_PAUSE
        while True:
            try:
                self._is_keeper = await self._database.members.is_keeper()
                if self._is_keeper:
                    await self._keep()
                    pause = _LEAST_PAUSE
                await asyncio.sleep(_LOOK_SECONDS)
            except (ParabolaError, OSError) as error:
                if self._log_failed is None:
                    _log.error("backups: %s It is tried again.", error)
                    self._log_failed = Failure(self._now(), str(error))
                await self._let_go()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _MOST_PAUSE)
            except Exception:
                _log.exception("keeping backups failed; it is tried again")
                self._log_failed = Failure(self._now(), "It failed for a reason that the server's log tells.")
                await self._let_go()
                await asyncio.sleep(_MOST_PAUSE)

    async def _keep(self) -> None:
        """Go on as long as this is the keeper."""
        if self._database.is_shared:  # another node may have been further, and this one's file lags behind
            await self._database.catch_up()
            await self._database.confirmed.flush()
        await self._list()
        looked = self._now()
        if self._has_log:
            self._log = ContinuousBackup(
                self._directory,
                self._place,
                self._files,
                lambda: self._database.durable_ts,
                self._database.now_ts,
                hold=self._database.keep_history,
            )
            await self._log.begin()
            await self._list()
        self._log_failed = None
        while True:
            if self._making is None and self._now() >= self._next_due():
                self._begin_to_make()
            self._committed.clear()
            if self._log is not None:
                await self._step(self._log)
            if self._now() - looked >= _LOOK_SECONDS:
                looked = self._now()
                if self._log is not None:
                    await self._log.note()
                if not await self._database.members.is_keeper():
                    await self._let_go()
                    return
            await self._rest(_LOOK_SECONDS)

    async def _step(self, log: ContinuousBackup) -> None:
        """Put what is new into the log, however long its place does not take it: its history is held."""
        pause = _LEAST_PAUSE
        while True:
            try:
                if self._database.is_shared:  # a node has no need of its file, and lets it lag behind
                    await self._database.confirmed.flush()
                async with self._dropping:
                    await log.step()
                self._log_failed = None
                return
            except (ParabolaError, OSError) as error:
                if self._log_failed is None:
                    _log.error("the log of the backups: %s It is tried again.", error)
                    self._log_failed = Failure(self._now(), str(error))
                if log.lag_seconds > _HELD_SECONDS:
                    log.let_history_go()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _MOST_PAUSE)

    async def _rest(self, seconds: float) -> None:
        """Until there is something for the log, and a moment longer, so that pieces are of many commits."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._committed.wait()
                await asyncio.sleep(PIECE_SECONDS)

    async def _let_go(self) -> None:
        if self._log is not None:
            await self._log.close()
            self._log = None

    def _next_due(self) -> float:
        due = self._times.due_after(max((_made(each.manifest) for each in self._backups), default=None))
        return due if self._failed is None else max(due, self._failed.at + _RETRY_SECONDS)

    # A backup

    def _begin_to_make(self) -> None:
        self._making_since = self._now()
        self._said = "copying the database"
        self._making = asyncio.create_task(self._make(), name="backup")

    async def _make(self) -> None:
        try:
            if self._log is not None and self._log.chain:
                manifest = await self._log.make_base(say=self._say)
            else:
                manifest = await make_backup(self._directory, self._place, self._files, say=self._say)
            _log.info("made the backup %s", manifest.name)
            self._failed = None
            if not self._keeping.is_all:
                self._say("dropping what is not kept any longer")
                async with self._dropping:
                    await drop_old(self._place, self._keeping, self._time())
        except (ParabolaError, OSError) as error:
            self._fail(str(error))
        except Exception:
            _log.exception("a backup failed")
            self._fail("It failed for a reason that the server's log tells.")
        finally:
            self._making = None
        with contextlib.suppress(ParabolaError, OSError):
            await self._list()

    def _fail(self, message: str) -> None:
        self.failures += 1
        self._failed = Failure(self._now(), message)
        _log.error("the backup failed: %s", message)

    def _say(self, line: str) -> None:
        self._said = line

    async def _list(self) -> None:
        self._backups = await find_outlines(self._place)
        self._listed_at = self._now()

    # What somebody asks for

    async def make_now(self) -> None:
        """Begin to make a backup. Raises `Conflict` while one is being made."""
        if self._making is not None:
            raise Conflict("A backup is being made already.", code="BackupUnderWay")
        self._begin_to_make()

    async def verify(self, name: str) -> None:
        """Begin to see that a backup is whole, by restoring it into a directory that is removed again. Raises
        `NotFound`, and `Conflict` while another one is looked at.
        """
        if self._verifying is not None:
            raise Conflict("A backup is being looked at already.", code="VerificationUnderWay")
        manifest = await chosen_backup(self._place, name)
        self._verifying_name = name
        self._verifying = asyncio.create_task(self._verify(manifest), name="verification")

    async def _verify(self, manifest: Manifest) -> None:
        try:
            await verify_backup(self._place, await followed(self._place, manifest))
            self._verified[manifest.name] = (True, self._now(), "")
        except (ParabolaError, OSError) as error:
            self._verified[manifest.name] = (False, self._now(), str(error))
            _log.error("the backup %s is not whole: %s", manifest.name, error)
        finally:
            self._verifying = None

    async def state(self) -> dict[str, Any]:
        """All of it, for the dashboard."""
        problem = None
        if self._listed_at is None or self._now() - self._listed_at > _FORGOTTEN_SECONDS:
            try:
                await self._list()
            except (ParabolaError, OSError) as error:
                problem = str(error)
        log = self._log
        return {
            "isConfigured": True,
            "place": shown_place(self._address),
            "times": self._times.words,
            "nextDue": max(self._now(), self._next_due()) if self._is_keeper else None,
            "keep": {"days": self._keeping.days, "weeks": self._keeping.weeks},
            "isKeeper": self._is_keeper,
            "problem": problem,
            "backups": [self._shown(outline) for outline in reversed(self._backups)],
            "making": None if self._making is None else {"since": self._making_since, "said": self._said},
            "failed": _failure(self._failed),
            "verifying": None if self._verifying is None else self._verifying_name,
            "log": {
                "isOn": self._has_log,
                "reached": None if log is None or not log.chain else log.reached_ts / 1e9,
                "lagSeconds": self._lag(),
                "pieces": 0 if log is None else log.pieces,
                "bytes": 0 if log is None else log.bytes,
                "failed": _failure(self._log_failed),
            },
        }

    def _shown(self, outline: Outline) -> dict[str, Any]:
        manifest = outline.manifest
        verified = self._verified.get(manifest.name)
        return {
            "name": manifest.name,
            "madeAt": _made(manifest),
            "version": manifest.version,
            "documents": manifest.documents,
            "bytes": manifest.database.size,
            "files": outline.files,
            "fileBytes": outline.file_bytes,
            "hasLog": bool(manifest.chain),
            "verified": None
            if verified is None
            else {"isWhole": verified[0], "at": verified[1], "message": verified[2]},
        }

    def attention(self) -> list[dict[str, str]]:
        """What somebody should look at, as `Attention` has it."""
        texts = []
        if self._failed is not None:
            texts.append(f"The last backup failed: {self._failed.message}")
        if self._log_failed is not None:
            texts.append(f"Backups are not kept: {self._log_failed.message}")
        elif self._lag() > _LATE_SECONDS:
            texts.append(f"The log of the backups is {self._lag():,.0f} seconds behind.")
        age = self._age()
        if not texts and self._is_keeper and age > _LATE_SHARE * self._times.interval:
            texts.append(f"The newest backup is {age / 3600:,.0f} hours old.")
        harmed = [name for name, (is_whole, _, _) in self._verified.items() if not is_whole]
        texts += [f"The backup {name} is damaged." for name in harmed]
        return [{"kind": "backup", "level": "bad", "text": text, "page": "/backups"} for text in texts]

    def gauges(self) -> list[Gauge]:
        """For `/metrics`."""
        return [
            Gauge(
                "parabola_backup_age_seconds",
                "How old the newest backup is; how long the server has been without one.",
                self._age,
            ),
            Gauge(
                "parabola_backup_log_lag_seconds",
                "For how long there has been a commit that the log of the backups does not have.",
                self._lag,
            ),
            Gauge("parabola_backup_failures_total", "Backups that failed.", lambda: self.failures, True),
        ]

    def _age(self) -> float:
        newest = max((_made(each.manifest) for each in self._backups), default=self._began)
        return max(0.0, self._now() - newest)

    def _lag(self) -> float:
        if self._log is not None:
            return self._log.lag_seconds
        failed = self._log_failed
        return 0.0 if failed is None or not self._has_log else max(0.0, self._now() - failed.at)

    def _now(self) -> float:
        return self._database.now_ts() / 1e9

    def _time(self) -> datetime:
        return datetime.fromtimestamp(self._now(), UTC)


def _made(manifest: Manifest) -> float:
    try:
        return datetime.fromisoformat(manifest.made_at).timestamp()
    except ValueError:
        return manifest.newest_ts / 1e9


def _failure(failure: Failure | None) -> dict[str, Any] | None:
    return None if failure is None else {"at": failure.at, "message": failure.message}
