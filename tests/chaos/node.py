"""`parabola` with something wrong in it, as flags before its command say:

--clock SECONDS     the clock of this machine is wrong by so much
--unvalidated       commits are not validated (a control: the check must find that)
--undeduplicated    mutations that are sent again run again (a control)
"""

from __future__ import annotations

import sys
import time
from typing import Any


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


def tell_what_runs() -> None:
    """On SIGUSR1: where every task waits, on standard error."""
    import asyncio

    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)


def listen_to_questions() -> None:
    import asyncio
    import faulthandler
    import signal

    from parabola.cli import serving

    faulthandler.register(signal.SIGUSR2, all_threads=True)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    serve = serving._serve

    async def listening(server: Any, log: Any) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell_what_runs)
        await serve(server, log)

    serving._serve = listening


if __name__ == "__main__":
    listen_to_questions()
    from parabola.cli.entry import main  # only now, so that nothing has taken the clock before

    main()
