"""The npm packages that `"use node"` modules import from outside, installed on the server (deploy-api 5.2).

Each set of packages has a folder of its own, named by its contents and never changed once it is there: a
deployment that serves keeps its packages while the next one's are installed. A set that nothing uses any more
is removed.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import orjson

from parabola.services.settings import ServiceSettings
from parabola.services.threads import in_thread
from parabola.values.errors import BadRequest

__all__ = ["NodePackages"]

_SHOWN_OUTPUT: Final = 2000
_UNFINISHED: Final = "installing-"
_REMOVED: Final = "removed-"
_OURS: Final = ("INSTANCE_", "CONVEX_", "PARABOLA_", "AWS_", "AZURE_", "GOOGLE_")
"""Variables of the server and its object store: scripts of packages are no business of theirs."""

_log: Final = logging.getLogger(__name__)


class NodePackages:
    """Sets of installed packages below `directory`."""

    def __init__(
        self,
        directory: Path,
        find_node: Callable[[], Path],
        install_seconds: float = ServiceSettings.npm_install_seconds,
    ) -> None:
        """`find_node` gives the Node.js that hosts use, and raises `BadRequest` when there is none.

        npm may take `install_seconds`.
        """
        self._install_seconds = install_seconds
        self.directory = directory
        self._find_node = find_node
        self._changing = asyncio.Lock()
        self._held: Counter[str] = Counter()

    @asynccontextmanager
    async def held(self, packages: Sequence[tuple[str, str]]) -> AsyncIterator[str | None]:
        """The name of the folder of installed packages, which stays at least until the end of the block.

        Raises what `install` raises.
        """
        if not packages:
            yield None
            return
        name = _name(packages)
        self._held[name] += 1
        try:
            yield await self.install(packages)
        finally:
            self._held[name] -= 1

    async def remove_unused(self, in_use: Callable[[], Collection[str]]) -> None:
        """Remove every set but those `in_use` and those that are held, and what a crash has left behind."""
        async with self._changing:
            kept = {*in_use(), *(+self._held)}
            if not self.directory.is_dir():
                return
            for folder in list(self.directory.iterdir()):
                if folder.name in kept:
                    continue
                # Moved away at once: a set must never be there in part.
                gone = folder
                if not folder.name.startswith((_UNFINISHED, _REMOVED)):
                    gone = folder.rename(folder.with_name(f"{_REMOVED}{folder.name}"))
                    _log.info("Removing the npm packages %s: nothing uses them any more", folder.name)
                await in_thread(shutil.rmtree, gone, ignore_errors=True)

    async def install(self, packages: Sequence[tuple[str, str]]) -> str | None:
        """Install packages, unless they are there; the name of their folder, None for no packages.

        Raises `BadRequest` with what npm says when they cannot be had.
        """
        if not packages:
            return None
        name = _name(packages)
        async with self._changing:
            if not (self.directory / name).is_dir():
                await self._install(name, dict(sorted(packages)))
        return name

    def _node(self) -> Path:
        try:
            return self._find_node()
        except BadRequest as error:
            raise _refused(error.message) from None

    async def _install(self, name: str, dependencies: dict[str, str]) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=self.directory, prefix=_UNFINISHED))
        try:
            manifest = orjson.dumps({"private": True, "dependencies": dependencies})
            (unfinished / "package.json").write_bytes(manifest)
            await _npm_install(unfinished, self._install_seconds, *_npm(self._node()))
            (unfinished / "node_modules").mkdir(exist_ok=True)
            os.rename(unfinished, self.directory / name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _name(packages: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256(orjson.dumps(dict(sorted(packages)))).hexdigest()[:32]


async def _npm_install(folder: Path, seconds: float, command: list[str], environment: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        "install",
        "--omit=dev",
        "--no-package-lock",
        "--no-fund",
        "--no-audit",
        "--install-links",
        "--loglevel=error",
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise _refused(f"npm was not done after {seconds:g} seconds.") from None
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise _refused(output.decode(errors="replace").strip()[-_SHOWN_OUTPUT:])


def _npm(node: Path) -> tuple[list[str], dict[str, str]]:
    """Npm that belongs to a Node.js. Raises `BadRequest` when there is none."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    environment["PATH"] = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    # The wheel of PyPI copies the file `bin/npm`, which looks for the rest in the wrong place then.
    script = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if script.is_file():
        return [str(node), str(script)], environment
    if (beside := shutil.which("npm", path=environment["PATH"])) is not None:
        return [beside], environment
    raise _refused("There is no npm beside Node.js. Install npm, or `pip install parabola[typescript]`.")


def _refused(why: str) -> BadRequest:
    return BadRequest(
        f"The packages of `node.externalPackages` could not be installed on the server.\n{why}",
        code="InvalidExternalPackages",
    )
