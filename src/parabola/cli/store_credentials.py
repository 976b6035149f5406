"""The variables of object stores, which is where their clients look for credentials."""

from __future__ import annotations

import os
from pathlib import Path

from parabola.cli.dotenv_lines import read_dotenv

__all__ = ["take_credentials"]


def take_credentials(file: Path | None) -> None:
    """Set the variables of a file like `.env`; what the environment says already stays."""
    for name, value in ({} if file is None else read_dotenv(file)).items():
        os.environ.setdefault(name, value)
