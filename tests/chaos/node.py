"""`parabola` with something wrong in it, as flags before its command say:

--clock SECONDS     the clock of this machine is wrong by so much
--unvalidated       commits are not validated (a control: the check must find that)
--undeduplicated    mutations that are sent again run again (a control)
"""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import Any
from weakref import WeakKeyDictionary

FRAMES: WeakKeyDictionary[Any, deque[str]] = WeakKeyDictionary()
"""What was said on each socket lately."""


def set_clock(ahead: float) -> None:
    ns, seconds = time.time_ns, time.time
    time.time_ns = lambda: ns() + int(ahead * 1e9)
    time.time = lambda: seconds() + ahead


def spoil(flags: list[str]) -> None:
    while flags:
        flag = flags.pop(0)
        if flag == "--clock":
            set_clock(float(flags.pop(0)))
        elif flag == "--unvalidated":
            from parabola.database.commits.committer import Committer

            Committer._validate = lambda self, tx: None  # type: ignore[method-assign]
        elif flag == "--undeduplicated":
            from parabola.functions.calls import mutations

            async def nothing(*arguments: Any) -> None:
                return None

            mutations.stored_result = nothing  # type: ignore[assignment]


at = next(at for at, word in enumerate(sys.argv) if word in ("serve", "demote"))
flags, sys.argv = sys.argv[1:at], ["parabola", *sys.argv[at:]]
spoil(flags)


def trace_sockets() -> None:
    from parabola.server.sync.socket import SyncSocket

    read, send = SyncSocket._read, SyncSocket._send

    def note(socket: SyncSocket, text: str) -> None:
        FRAMES.setdefault(socket, deque(maxlen=20)).append(f"{time.time() % 1000:.3f} {text[:300]}")

    async def reading(self: SyncSocket, text: str) -> None:
        note(self, f"> {text}")
        await read(self, text)

    def sending(self: SyncSocket, parts: Any, ends_transition: bool) -> None:
        note(self, f"< {b''.join(parts).decode(errors='replace')}")
        send(self, parts, ends_transition)

    SyncSocket._read, SyncSocket._send = reading, sending


def print_awaits(task: Any) -> None:
    """Where a task waits, from its outermost coroutine to the innermost."""
    print(f"task {task.get_name()}", file=sys.stderr)
    waits = task.get_coro()
    while waits is not None:
        frame = getattr(waits, "cr_frame", None) or getattr(waits, "ag_frame", None)
        if frame is None:
            print(f"    {waits!r:.200}", file=sys.stderr)
            break
        print(f"    {frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}", file=sys.stderr)
        waits = getattr(waits, "cr_await", None) or getattr(waits, "ag_await", None)


def tell_what_runs() -> None:
    """On SIGUSR1: where every task waits, and what was said on sockets, on standard error."""
    import asyncio

    for task in asyncio.all_tasks():
        print_awaits(task)
    for socket, frames in FRAMES.items():
        print(f"socket {socket._client}", *frames, sep="\n    ", file=sys.stderr)


def listen_to_questions() -> None:
    """From the first moment on: a node may be stuck before it serves, or when it has served."""
    import asyncio
    import faulthandler
    import signal

    from parabola.cli.server import serving

    faulthandler.register(signal.SIGUSR2, all_threads=True)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    until_told_to_end = serving._until_told_to_end

    async def listening(options: Any) -> None:
        trace_sockets()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell_what_runs)
        await until_told_to_end(options)

    serving._until_told_to_end = listening


if __name__ == "__main__":
    listen_to_questions()
    from parabola.cli.entry import main  # only now, so that nothing has taken the clock before

    main()
