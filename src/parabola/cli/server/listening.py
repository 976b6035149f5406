"""Taking the ports before anything else starts, so that a busy one is said at once and in one sentence."""

from __future__ import annotations

import errno
import socket
from typing import Final

from parabola.values.errors import Conflict

__all__ = ["listen", "url_of"]

_BACKLOG: Final = 1024


def listen(host: str, port: int, option: str, *, at_once: bool = True) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `Conflict` naming `option` when the port is
    taken. Not `at_once`: it refuses connections until the server takes it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        if at_once:
            listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"Port {port} on {host} is already in use, perhaps by another Parabola. "
                f"Stop that program, or choose another port with {option}.",
                code="PortInUse",
            ) from None
        raise Conflict(f"Cannot listen on {host}:{port}: {error.strerror}.", code="PortUnavailable") from None
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL under which this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"
