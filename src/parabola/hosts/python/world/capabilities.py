"""What queries and mutations must not do: the network, files, processes and threads are refused.

An audit hook (PEP 578) sees every attempt, whichever library makes it. The import system may read files, so
that modules imported late still load, and so may the few modules that show source lines or know time zones.
"""

from __future__ import annotations

import _thread
import functools
import os
import signal
import ssl
import sys
import threading
from types import FrameType
from typing import Any, Final

from parabola.hosts.python.world.frozen_world import confined_world
from parabola.hosts.python.world.refusals import CapabilityRefused, refusal_text, user_files
from parabola.hosts.python.world.replacements import Replacements

__all__ = ["refuse_capabilities"]

_NETWORK: Final = (
    "socket.__new__", "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyaddr",
    "socket.gethostbyname", "socket.gethostname", "socket.getnameinfo", "socket.getservbyname",
    "socket.getservbyport", "socket.sendmsg", "socket.sendto", "socket.sethostname", "urllib.Request",
    "http.client.connect", "http.client.send", "ftplib.connect", "imaplib.open", "nntplib.connect",
    "poplib.connect", "smtplib.connect", "telnetlib.Telnet.open", "webbrowser.open",
)  # fmt: skip
_PROCESSES: Final = (
    "subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile",
    "os.system", "os.kill", "os.killpg", "pty.spawn", "signal.pthread_kill", "resource.setrlimit",
    "resource.prlimit", "builtins.input",
)  # fmt: skip
_THREAD_STARTERS: Final = (
    (_thread, "start_new_thread"),
    (_thread, "start_new"),
    (_thread, "start_joinable_thread"),
    (threading, "_start_new_thread"),
    (threading, "_start_joinable_thread"),
)
"""Python raises an audit event for these only since version 3.12."""
_FILES: Final = (
    "open", "os.chdir", "os.chflags", "os.chmod", "os.chown", "os.fwalk", "os.getxattr", "os.link",
    "os.listdir", "os.listxattr", "os.lockf", "os.mkdir", "os.remove", "os.removexattr", "os.rename",
    "os.rmdir", "os.scandir", "os.setxattr", "os.symlink", "os.truncate", "os.utime", "os.walk", "os.putenv",
    "os.unsetenv", "os.add_dll_directory", "shutil.copyfile", "shutil.copymode", "shutil.copystat",
    "shutil.copytree", "shutil.move", "shutil.rmtree", "shutil.make_archive", "shutil.unpack_archive",
    "shutil.chown", "tempfile.mkstemp", "tempfile.mkdtemp", "glob.glob", "glob.glob/2", "pathlib.Path.glob",
    "pathlib.Path.rglob", "sqlite3.connect", "mmap.__new__", "fcntl.fcntl", "fcntl.flock", "fcntl.ioctl",
    "fcntl.lockf", "ctypes.dlopen", "syslog.openlog", "syslog.syslog",
)  # fmt: skip

_SHOWN: Final = {
    "open": "open",
    "socket.__new__": "sockets",
    "urllib.Request": "urllib.request.urlopen",
    "os.remove": "os.remove",
    "os.exec": "os.exec*",
    "os.spawn": "os.spawn*",
    "builtins.input": "input",
    "mmap.__new__": "mmap.mmap",
    "glob.glob/2": "glob.glob",
}

_REFUSED: Final = frozenset((*_NETWORK, *_PROCESSES, *_FILES))
_UNAUDITED: Final = (
    (os, "stat"), (os, "lstat"), (os, "access"), (os, "readlink"), (os, "statvfs"), (signal, "signal"),
    (signal, "alarm"), (signal, "setitimer"), (signal, "raise_signal"), (signal, "pause"),
    (ssl, "RAND_bytes"),
)  # fmt: skip
"""Looks at the outside world, and changes to the process, that no audit hook hears of."""
_READABLE_BY: Final = (
    "importlib", "linecache", "zoneinfo", "pkgutil", "tokenize", "zipimport", "inspect", "gettext",
    "mimetypes", "coverage",
)  # fmt: skip
"""Modules that may read files on behalf of user code, or to measure it."""
_DEBUGGERS: Final = (
    "bdb",
    "pdb",
    "_pytest",
    "IPython",
    "ipdb",
    "pudb",
    "pydevd",
    "_pydevd_bundle",
    "debugpy",
)
"""Modules through which a developer looks at functions that run in the test's own process."""
_IMPORT_SYSTEM: Final = "<frozen importlib._bootstrap>"

_installed = False


debuggers_allowed = False
"""Whether a debugger may do what functions may not: in a process that is the developer's own."""


def refuse_capabilities(replacements: Replacements) -> None:
    """Watch from now on. An audit hook cannot be removed; outside of transactions it does nothing."""
    global _installed
    for module, name in _THREAD_STARTERS:
        if hasattr(module, name):
            _refuse_calls(replacements, module, name, "threads")
    for module, name in _UNAUDITED:
        if hasattr(module, name):
            _refuse_calls(replacements, module, name)
    if not _installed:
        _installed = True
        sys.addaudithook(_audit)


def _refuse_calls(replacements: Replacements, module: Any, name: str, shown: str | None = None) -> None:
    original = getattr(module, name)

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        if confined_world() is not None:
            frame = sys._getframe(1)
            if (
                not _is_debugger(frame)
                and not _is_import(frame)
                and (shown is not None or not _is_reader(frame))
            ):
                what = shown or _called(f"{module.__name__}.{name}", args)
                raise CapabilityRefused(refusal_text(what, frame))
        return original(*args, **kwargs)

    replacements.set(module, name, call)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in _REFUSED and confined_world() is not None:
        frame = sys._getframe(1)
        if not _is_allowed(event, args, frame) and not _is_debugger(frame):
            raise CapabilityRefused(refusal_text(_shown(event, args), frame))


def _is_allowed(event: str, args: tuple[Any, ...], frame: FrameType | None) -> bool:
    """True while a module is imported, and for those who read files as part of the language."""
    if event in ("open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "ctypes.dlopen"):
        if event == "open" and (isinstance(args[0], int) or _is_time_zone(args[0])):
            return True  # a descriptor that is open already, or what `zoneinfo` reads from C
        if _is_reader(frame):
            return True
    return _is_import(frame)


def _is_import(frame: FrameType | None) -> bool:
    """True for what a package does while it is imported inside a function: it may do the same at the top of
    a module, where packages look at the machine and set themselves up.
    """
    while frame is not None and frame.f_code.co_filename not in user_files:
        if frame.f_code.co_filename == _IMPORT_SYSTEM:
            return True
        frame = frame.f_back
    return False


def _is_debugger(frame: FrameType | None) -> bool:
    """True for what a debugger does at a breakpoint in user code, and what is typed into it."""
    while debuggers_allowed and frame is not None and frame.f_code.co_filename not in user_files:
        if frame.f_globals.get("__name__", "").partition(".")[0] in _DEBUGGERS:
            return True
        frame = frame.f_back
    return False


def _is_reader(frame: FrameType | None) -> bool:
    """True for what is called by a module that may read files, on behalf of user code."""
    while frame is not None and frame.f_code.co_filename not in user_files:
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] in _READABLE_BY or module.startswith("_frozen_importlib"):
            return True
        frame = frame.f_back
    return False


def _is_time_zone(path: Any) -> bool:
    zoneinfo = sys.modules.get("zoneinfo")
    folders = getattr(zoneinfo, "TZPATH", ())
    return str(path).startswith(tuple(f"{folder}/" for folder in folders))


def _shown(event: str, args: tuple[Any, ...]) -> str:
    name = _SHOWN.get(event, event)
    if name == "sockets":
        return name
    subject = args[0] if args else None
    if event == "socket.connect" and len(args) > 1:
        subject = args[1]
    if event == "subprocess.Popen" and len(args) > 1:
        subject = args[1]
    return _called(name, (subject,))


def _called(name: str, args: tuple[Any, ...]) -> str:
    """A call as it is shown: its name, and its first argument where that says what it is about."""
    subject = args[0] if args else None
    if isinstance(subject, (str, bytes, list, tuple)):
        text = repr(subject)
        return f"{name}({text if len(text) <= 100 else text[:100] + '...'})"
    return f"{name}()"
