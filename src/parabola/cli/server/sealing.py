"""Keeping what the server was started with from the functions it runs, which are processes of the same user.

On Linux any process of a user may read another one's environment, as it was at its start, and its memory,
below `/proc`. Three things close that:

- The block of memory that `/proc/<pid>/environ` shows is emptied, and a secret in the command line struck
  out; what libraries look for in the environment they find in a copy.
- The process declares itself not dumpable: then the kernel shows its memory, its environment and what its
  descriptors are to nobody but who may trace any process.
- That right, which root has, is taken off the set that its children can have: CAP_SYS_PTRACE, and the two
  with which newer kernels let memory be read as well.

It keeps secrets from functions that look around, and from libraries in them. It is no wall: functions read
the files that the server's user may read, and root has other ways.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from pathlib import Path
from typing import Final

__all__ = ["seal_process", "take_secrets"]

SECRETS: Final = ("INSTANCE_SECRET", "CONVEX_SELF_HOSTED_ADMIN_KEY", "CONVEX_DEPLOY_KEY")
"""Variables that are of no use to anybody once the options have been read."""

_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_DROP: Final = 24
_TRACING: Final = (19, 21, 38)
"""CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON (capabilities(7))."""
_ARG_START, _ARG_END, _ENV_START, _ENV_END = 45, 46, 47, 48
"""Places of fields of `/proc/self/stat` behind the name of the program (proc(5): 48 to 51)."""
_SECRET_OPTION: Final = re.compile(rb"--instance-secret[=\0]([^\0]+)")


def take_secrets() -> None:
    """Forget the secrets in the environment. The options have been read."""
    for name in SECRETS:
        os.environ.pop(name, None)


def seal_process() -> None:
    """Close this process to processes of the same user. Does what the system lets it do, without a word."""
    take_secrets()
    if sys.platform != "linux":
        return
    try:
        library = ctypes.CDLL(None, use_errno=True)
        _empty_what_proc_shows()
        library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        for capability in _TRACING:
            library.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    except (OSError, ValueError, AttributeError, IndexError):
        return


def _empty_what_proc_shows() -> None:
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    arguments, arguments_end = int(fields[_ARG_START]), int(fields[_ARG_END])
    if 0 < arguments < arguments_end:
        for secret in _SECRET_OPTION.finditer(ctypes.string_at(arguments, arguments_end - arguments)):
            ctypes.memset(arguments + secret.start(1), ord("x"), len(secret[1]))
    start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
    if 0 < start < end:
        for name, value in list(os.environ.items()):
            os.putenv(name, value)  # from now on the C library's variables are copies elsewhere
        ctypes.memset(start, 0, end - start)
