"""The identity of a local deployment: its name and secret, made once and kept with its data."""

from __future__ import annotations

import json
import os
import re
import secrets
from pathlib import Path
from typing import Final

from msgspec import Struct

from parabola.cli.secret_files import read_secret_file
from parabola.values.errors import BadRequest, NotFound

__all__ = ["Instance", "read_secret", "write_private"]

_FILE: Final = "instance.json"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_SECRET: Final = re.compile(r"[0-9a-fA-F]{64}\Z")
DEFAULT_NAME: Final = "parabola-local"


class Instance(Struct, frozen=True):
    """`secret` is 32 bytes in hex; admin keys are made with it, so it must stay secret and stay the same."""

    name: str
    secret: str

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise BadRequest(
                f"{self.name!r} is not an instance name: use lower-case letters, digits and hyphens.",
                code="InvalidInstanceName",
            )
        if not _SECRET.match(self.secret):
            raise BadRequest(
                "The instance secret must be 32 bytes in hex (64 characters). "
                "Make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
                code="InvalidInstanceSecret",
            )

    @classmethod
    def of(cls, data_dir: Path, name: str | None, secret: str | None) -> Instance:
        """What is given, else what is kept in `data_dir`, else a new secret, which is then kept there."""
        kept = _kept(data_dir)
        made = cls(
            name or kept.get("instanceName", DEFAULT_NAME),
            secret or kept.get("instanceSecret") or secrets.token_hex(32),
        )
        if secret is None and not kept:
            write_private(data_dir / _FILE, {"instanceName": made.name, "instanceSecret": made.secret})
        return made

    @classmethod
    def known(cls, data_dir: Path, name: str | None, secret: str | None) -> Instance:
        """What is given, else what is kept in `data_dir`; nothing is written. Raises `NotFound`."""
        kept = {} if secret is not None and name is not None else _kept(data_dir)
        secret = secret or kept.get("instanceSecret")
        if secret is None:
            raise NotFound(
                f"The secret of the deployment is not known: {data_dir / _FILE} is not there. A server that "
                "was started with INSTANCE_SECRET or --instance-secret keeps none: give the same secret, and "
                "its --instance-name. Otherwise name its data directory with --data."
            )
        return cls(name or kept.get("instanceName", DEFAULT_NAME), secret)


def read_secret(secret: str | None, file: Path | None) -> str | None:
    """The instance secret that is given as it is, or in a file; None if it is not given.

    Raises `BadRequest` for both of them, and for a file that cannot be read.
    """
    if file is None:
        return secret
    if secret is not None:
        raise BadRequest(
            "The instance secret is given twice, as it is and in a file. Give one of --instance-secret and "
            "--instance-secret-file, or of INSTANCE_SECRET and PARABOLA_INSTANCE_SECRET_FILE.",
            code="InvalidInstanceSecret",
        )
    return read_secret_file(file, "instance secret", "InvalidInstanceSecret")


def _kept(data_dir: Path) -> dict[str, str]:
    file = data_dir / _FILE
    try:
        kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    except ValueError:
        raise BadRequest(
            f"{file} is not JSON, so the deployment's secret is not known. Restore it from a backup, "
            "or remove it to make a new secret; admin keys and upload URLs made with the old one end.",
            code="InvalidInstanceFile",
        ) from None
    return kept


def write_private(file: Path, content: dict[str, object]) -> None:
    """Write JSON that only the owner may read; replaced as a whole, so that no reader sees half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(f".{os.getpid()}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=2)
            stream.write("\n")
        beside.replace(file)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
