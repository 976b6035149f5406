"""Syscalls that are written down and answered from a list, without any host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

from parabola.authoring.integer_places import NO_INTEGERS
from parabola.authoring.operations import FinishableStream, FunctionKind, Request


class Recorder:
    """A `Syscalls` for tests: `traffic` has what was issued, as the reference writes it down."""

    def __init__(self, kind: FunctionKind = "mutation", answers: list[Any] | None = None) -> None:
        self.kind: FunctionKind = kind
        self.request_id = "req-1" if kind == "action" else ""
        self.integer_places = NO_INTEGERS
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.streams: list[FinishableStream] = []
        self.answers = list(answers or [])

    def call(self, op: str, args: dict[str, Any]) -> Awaitable[Any]:
        self.calls.append((op, args))
        reply = asyncio.get_running_loop().create_future()
        reply.set_result(self.answers.pop(0) if self.answers else _answer(op, args))
        return reply

    def ask(self, request: Request) -> Awaitable[Any]:
        return self.call(request.op, request.args())

    def open_stream(self, stream: FinishableStream) -> int:
        self.streams.append(stream)
        return len(self.streams) - 1

    def now_ms(self) -> float:
        return 1_000.0

    def snapshot_ts(self) -> int:
        return 77

    @property
    def traffic(self) -> list[str]:
        """`op {args}`, with whole numbers as the reference has them."""
        lines = [
            f"{op.removeprefix('1.0/')} {json.dumps(_whole(args), separators=(',', ':'))}"
            for op, args in self.calls
        ]
        self.calls.clear()
        return lines


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _answer(op: str, args: dict[str, Any]) -> Any:
    if op == "1.0/insert":
        return {"_id": "newid"}
    if op == "1.0/queryStreamNext":
        return {"values": [], "done": True}
    if op == "1.0/queryPage":
        return {"page": [], "isDone": True, "continueCursor": "c", "splitCursor": None, "pageStatus": None}
    if op == "1.0/db/normalizeId":
        return {"id": args["idString"]}
    if op == "1.0/actions/vectorSearch":
        return {"results": [{"_id": "a", "_score": 1.0}]}
    if op == "1.0/count":
        return 3
    return None
