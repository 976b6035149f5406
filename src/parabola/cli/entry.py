"""The command's entry point: it imports what the command needs that was asked for, and shows its errors.

A server lives for long and is one of many processes on small machines: it is started without the libraries
that read and explain command lines wherever its own is plain.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable, Sequence

from parabola.cli.options.plain_options import plain_options
from parabola.project import ProjectError
from parabola.values.errors import ParabolaError

__all__ = ["main"]


def main() -> None:
    """Run the command line. A foreseen failure ends with its sentence and status 1, never with a
    traceback.
    """
    try:
        _run(sys.argv[1:])
    except BrokenPipeError:  # `parabola data | head`
        sys.stderr.close()
        sys.exit(1)
    except (ParabolaError, ProjectError) as error:
        from parabola.cli.console import show_error

        show_error(str(error))
        sys.exit(1)


def _run(arguments: Sequence[str]) -> None:
    if arguments and arguments[0] == "serve":
        gc.disable()  # all that is imported stays; the server enables it (process_memory)
        values = plain_options(arguments[1:], os.environ)
        if values is not None:
            from parabola.cli.server.serving import serve_with

            serve_with(values)
            return
    gc.enable()
    from parabola.cli.application import COMMANDS, VARIABLE_PREFIX, application

    # A file may have options of any command, and completion offers all of them.
    is_known = bool(arguments) and arguments[0] in COMMANDS and "PARABOLA_CONFIG" not in os.environ
    wanted: Iterable[str] = (arguments[0],) if is_known and not _completes() else COMMANDS
    application(wanted)(auto_envvar_prefix=VARIABLE_PREFIX)


def _completes() -> bool:
    return "_PARABOLA_COMPLETE" in os.environ
