"""Which deployment a command talks to."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec import Struct

from parabola.cli.dotenv_lines import read_dotenv
from parabola.cli.instance import write_private
from parabola.cli.secret_files import read_secret_file
from parabola.project import DATA_FOLDER
from parabola.values.errors import BadRequest, NotFound

__all__ = ["KEY_VARIABLE", "URL_VARIABLE", "RunningServer", "Target", "read_key", "running_in"]

URL_VARIABLE: Final = "CONVEX_SELF_HOSTED_URL"
KEY_VARIABLE: Final = "CONVEX_SELF_HOSTED_ADMIN_KEY"
_FILE: Final = "server.json"


@dataclass(frozen=True)
class Target:
    """A deployment's URL and a key that admits to it."""

    url: str
    admin_key: str
    source: str = field(default="--url", compare=False)
    """What has named it, for people."""
    local_url: str | None = field(default=None, compare=False)
    """The server that runs in this project, if one does."""

    @property
    def is_local(self) -> bool:
        """Whether it is the server that runs here."""
        return self.local_url is not None and _same(self.url) == _same(self.local_url)

    @classmethod
    def find(cls, url: str | None, admin_key: str | None, directory: Path | None = None) -> Target:
        """The options, else the environment (also from `.env.local`), else the server running in this
        project.

        Raises `NotFound` when there is none, saying how to start or name one.
        """
        directory = directory or Path.cwd()
        in_file = _env_local(directory)
        variables = {**in_file, **os.environ}
        running = running_in(directory)
        local_url = None if running is None else running.url
        key = admin_key or variables.get(KEY_VARIABLE)
        if url is not None:
            url = url.rstrip("/")
            if not key and running is not None and _same(url) == _same(running.url):
                key = running.admin_key
            if not key:
                raise BadRequest(
                    "Give the deployment's admin key too: --admin-key KEY, --admin-key-file FILE, or "
                    f"{KEY_VARIABLE}."
                )
            return cls(url, key, "--url", local_url)
        if variables.get(URL_VARIABLE) and key:
            source = URL_VARIABLE if os.environ.get(URL_VARIABLE) else f"{URL_VARIABLE} in .env.local"
            return cls(variables[URL_VARIABLE].rstrip("/"), key, source, local_url)
        if running is not None:
            return cls(running.url, admin_key or running.admin_key, "the server that runs here", local_url)
        raise NotFound(
            "No server is running in this project. Start one with `parabola dev`, "
            f"or name one with --url and --admin-key (or {URL_VARIABLE} and {KEY_VARIABLE})."
        )


def read_key(key: str | None, file: Path | None) -> str | None:
    """An admin key that is given as it is, or in a file; None if it is not given. Raises `BadRequest`."""
    if file is None or key is not None:
        return key
    return read_secret_file(file, "admin key")


class RunningServer(Struct, frozen=True):
    """What a server writes into its data directory while it runs, for commands beside it to find it."""

    url: str
    site_url: str
    admin_key: str
    pid: int

    @classmethod
    def of_this_process(cls, url: str, site_url: str, admin_key: str) -> RunningServer:
        """What this process, a server, has to say of itself."""
        return cls(url, site_url, admin_key, os.getpid())

    @classmethod
    def read(cls, data_dir: Path) -> RunningServer | None:
        """The server on this data directory, or None when there is none or it is gone."""
        try:
            content = json.loads((data_dir / _FILE).read_text())
            running = cls(content["url"], content["siteUrl"], content["adminKey"], content["pid"])
        except (OSError, ValueError, KeyError):
            return None
        return running if _is_alive(running.pid) else None

    def write(self, data_dir: Path) -> None:
        """Leave word in `data_dir`; readable by the owner alone, as it holds a key."""
        content = {"url": self.url, "siteUrl": self.site_url, "adminKey": self.admin_key, "pid": self.pid}
        write_private(data_dir / _FILE, content)

    @staticmethod
    def remove(data_dir: Path) -> None:
        """The server ends."""
        (data_dir / _FILE).unlink(missing_ok=True)


def _same(url: str) -> str:
    """One way to write the addresses of this machine."""
    return url.replace("://localhost", "://127.0.0.1").replace("://[::1]", "://127.0.0.1")


def running_in(directory: Path) -> RunningServer | None:
    """The server of the project that a directory is in."""
    for place in (directory, *directory.resolve().parents):
        running = RunningServer.read(place / DATA_FOLDER)
        if running is not None:
            return running
    return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _env_local(directory: Path) -> dict[str, str]:
    """The variables in `.env.local`, the file in which Convex projects keep their deployment."""
    file = directory / ".env.local"
    return read_dotenv(file) if file.is_file() else {}
