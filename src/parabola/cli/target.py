"""Which deployment a command talks to."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from parabola.cli.dotenv_lines import read_dotenv
from parabola.cli.instance import write_private
from parabola.project import DATA_FOLDER
from parabola.values.errors import BadRequest, NotFound

__all__ = ["AdminKey", "DeploymentUrl", "RunningServer", "Target"]

URL_VARIABLE: Final = "CONVEX_SELF_HOSTED_URL"
KEY_VARIABLE: Final = "CONVEX_SELF_HOSTED_ADMIN_KEY"
_FILE: Final = "server.json"

DeploymentUrl = Annotated[
    str | None,
    typer.Option("--url", help="The deployment's URL. Without it: the server that runs in this project."),
]
AdminKey = Annotated[str | None, typer.Option("--admin-key", help="An admin key of that deployment.")]


@dataclass(frozen=True)
class Target:
    """A deployment's URL and a key that admits to it."""

    url: str
    admin_key: str

    @classmethod
    def find(cls, url: str | None, admin_key: str | None, directory: Path | None = None) -> Target:
        """The options, else the environment (also from `.env.local`), else the server running in this
        project.

        Raises `NotFound` when there is none, saying how to start or name one.
        """
        directory = directory or Path.cwd()
        if url is not None:
            key = admin_key or os.environ.get(KEY_VARIABLE) or _env_local(directory).get(KEY_VARIABLE)
            if not key:
                raise BadRequest(f"Give the deployment's admin key too: --admin-key KEY, or {KEY_VARIABLE}.")
            return cls(url.rstrip("/"), key)
        variables = {**_env_local(directory), **os.environ}
        if variables.get(URL_VARIABLE) and (admin_key or variables.get(KEY_VARIABLE)):
            return cls(variables[URL_VARIABLE].rstrip("/"), admin_key or variables[KEY_VARIABLE])
        for place in (directory, *directory.resolve().parents):
            running = RunningServer.read(place / DATA_FOLDER)
            if running is not None:
                return cls(running.url, admin_key or running.admin_key)
        raise NotFound(
            "No server is running in this project. Start one with `parabola dev`, "
            f"or name one with --url and --admin-key (or {URL_VARIABLE} and {KEY_VARIABLE})."
        )


@dataclass(frozen=True)
class RunningServer:
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
