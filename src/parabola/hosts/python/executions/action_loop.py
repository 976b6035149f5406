"""The event loop of one action, which notices when nothing can happen any more that it might wait for."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["ActionLoop"]


class ActionLoop(asyncio.SelectorEventLoop):
    """Calls `on_stuck` when it would wait for ever: no callback, no timer, no socket, no other thread, and
    no operation that `is_waited_for` says the engine still has to answer. In doubt it waits.
    """

    # What asyncio has, and its declarations leave out.
    _ready: deque[Any]
    _scheduled: list[asyncio.TimerHandle]
    _selector: Any

    def __init__(self, is_waited_for: Callable[[], bool], on_stuck: Callable[[], None]) -> None:
        super().__init__()
        self._is_waited_for = is_waited_for
        self._on_stuck = on_stuck
        self._at_rest = len(self._selector.get_map())
        self._in_threads = 0
        """What was handed to threads and has not come back."""
        self._count = threading.Lock()

    def _run_once(self) -> None:
        # What the engine has answered is a callback before it stops being waited for: hence this order.
        if not self._ready and not self._is_waited_for() and self._is_empty():
            self._on_stuck()
        super()._run_once()  # type: ignore[misc]

    def _is_empty(self) -> bool:
        return (
            not any(not handle.cancelled() for handle in self._scheduled)
            and len(self._selector.get_map()) <= self._at_rest
            and self._in_threads == 0
            and not self._others()
            and not self._ready
        )

    def _others(self) -> bool:
        """Whether a thread lives that might call this loop: not the host's own, not idle ones of the loop."""
        idle = getattr(getattr(self, "_default_executor", None), "_threads", ())
        here = threading.current_thread()
        return any(
            thread is not here and thread is not threading.main_thread() and thread not in idle
            for thread in threading.enumerate()
        )

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        """Count what is under way: by its future, and by the call, which a cancelled future outlives."""
        self._change(2)

        def counted(*args: Any) -> Any:
            try:
                return func(*args)
            finally:
                self._change(-1)

        try:
            future = super().run_in_executor(executor, counted, *args)
        except BaseException:
            self._change(-2)
            raise
        future.add_done_callback(lambda _: self._change(-1))
        return future

    def _change(self, by: int) -> None:
        with self._count:
            self._in_threads += by
