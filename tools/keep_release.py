"""Keep a data directory of this version, and backups of it, for tests: `python tools/keep_release.py`.

What is in it is told by `EXPECTED`, and asked of every kept directory by `tests/test_upgrades.py`, for ever:
change neither for directories that are there; add to both for those to come.
"""

from __future__ import annotations

import asyncio
import math
import tarfile
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from parabola import __version__
from parabola.backend import Backend, BackendConfig
from parabola.functions.calls.arguments import EncodedArguments
from parabola.functions.calls.calling import Call
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import SYSTEM_IDENTITY
from parabola.services.backups.backup import FilesOf, make_backup
from parabola.services.backups.continuous import ContinuousBackup
from parabola.services.backups.manifest import FORMAT
from parabola.services.backups.place import DirectoryPlace
from parabola.services.deploys.push import Push
from parabola.services.files.file_places import file_store
from parabola.values.encoding import encode

KEPT = Path(__file__).parents[1] / "tests" / "upgrades"
BACKUPS = KEPT / "backups"

CONFIG: dict[str, Any] = {"instance_name": "kept", "instance_secret": "5e" * 32}

SCHEMA = """
from parabola import define_schema, define_table, v
schema = define_schema({
    "notes": define_table({"n": v.number(), "value": v.any()}).index("by_n", ["n"]),
})
"""

NOTES = """
from parabola import MutationCtx, QueryCtx, env, mutation, query

@mutation
async def add(ctx: MutationCtx, n: float, value: object) -> str:
    return await ctx.db.insert("notes", {"n": n, "value": value})

@mutation
async def change(ctx: MutationCtx) -> None:
    notes = await ctx.db.query("notes").with_index("by_n").collect()
    await ctx.db.patch(notes[0]["_id"], {"n": 100.0})
    await ctx.db.delete(notes[1]["_id"])

@mutation
async def later(ctx: MutationCtx) -> None:
    await ctx.scheduler.cancel(await ctx.scheduler.run_after(3600, "notes:add", {"n": 0.0, "value": None}))

@query
async def everything(ctx: QueryCtx) -> object:
    notes = await ctx.db.query("notes").with_index("by_n").collect()
    jobs = await ctx.db.system.query("_scheduled_functions").collect()
    return {
        "notes": [[note["n"], note["value"]] for note in notes],
        "jobs": [job["state"]["kind"] for job in jobs],
        "greeting": env.get("GREETING"),
    }
"""

VALUES: list[Any] = [
    None,
    True,
    "text\0\u2028",
    b"\x00\xff",
    1.5,
    [1.0, [math.inf]],
    {"a": {"b": -0.0}},
    "last",
]

EXPECTED = {
    "notes": [[float(n), value] for n, value in enumerate(VALUES) if n > 1] + [[100.0, None]],
    "jobs": ["canceled"],
    "greeting": "hello",
}
"""What `notes:everything` answers."""


async def fill(directory: Path) -> None:
    """Make a data directory with something of everything in it."""
    backend = await Backend.open(BackendConfig(directory, **CONFIG))
    try:
        modules = (Module("schema.py", "python", SCHEMA), Module("notes.py", "python", NOTES))
        await backend.deploy(Push("python", modules))
        await backend.change_environment({"GREETING": "hello"})
        for n, value in enumerate(VALUES):
            await _run(backend, "notes:add", {"n": float(n), "value": value})
        for name in ("change", "later"):
            await _run(backend, f"notes:{name}", {})
    finally:
        await backend.close()


async def back_up(directory: Path, places: Path) -> None:
    """Fill a data directory, and keep it in `plain`, by a backup alone, and in `followed`, by one of when it
    was empty and the log of all that came then.
    """
    followed = DirectoryPlace(places / "followed")

    async def follow() -> None:
        backend = await Backend.open(BackendConfig(directory, **CONFIG))
        try:
            database = backend.database
            log = ContinuousBackup(
                directory, followed, _files_in(directory), lambda: database.durable_ts, database.now_ts
            )
            await log.begin()
            await log.step()
            await log.note()
            await log.close()
        finally:
            await backend.close()

    await follow()
    await fill(directory)
    await follow()
    await make_backup(directory, DirectoryPlace(places / "plain"), _files_in(directory))


def _files_in(directory: Path) -> FilesOf:
    return partial(file_store, None, directory / "files")


async def _run(backend: Backend, name: str, args: dict[str, Any]) -> None:
    result = await backend.mutation(Call.of_client(name, EncodedArguments(encode(args)), SYSTEM_IDENTITY))
    assert result.error is None, result.error


def main() -> None:
    KEPT.mkdir(exist_ok=True)
    archive = KEPT / f"{__version__}.tar.gz"
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(fill(Path(directory)))
        with tarfile.open(archive, "w:gz") as tar:
            for path in sorted(Path(directory).iterdir()):
                if path.name != "parabola.lock":
                    tar.add(path, path.name)
    print(f"kept {archive} ({archive.stat().st_size:,} bytes)")
    keep_backups()


def keep_backups() -> None:
    """The same of backups."""
    BACKUPS.mkdir(exist_ok=True)
    archive = BACKUPS / f"{__version__}-format-{FORMAT}.tar.gz"
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(back_up(Path(directory) / "data", Path(directory) / "places"))
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(Path(directory) / "places", ".")
    print(f"kept {archive} ({archive.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
