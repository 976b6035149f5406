"""The `parabola` command: one file a command, imported when it is called."""

from parabola.cli.application import main

__all__ = ["main"]
