"""The `parabola` command: one file a command, imported when it is called."""

from parabola.cli.entry import main

__all__ = ["main"]
