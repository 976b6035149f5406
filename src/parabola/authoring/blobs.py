"""The contents of files on their way between a function and the engine: in parts, since a message has a size
limit (docs/explanation/host-protocol.md, "Files").
"""

from __future__ import annotations

import itertools
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from typing import Any, Final

from parabola.authoring.operations import Syscalls

__all__ = ["PART_BYTES", "Blob", "ReadInParts", "SentInParts"]

PART_BYTES: Final = 4 * 1024 * 1024
"""Each part is several times in memory on both sides, as bytes, in base64 and inside a message."""

_uploads = itertools.count()
"""Names of uploads; the engine keeps those of different runs apart."""


@dataclass(frozen=True)
class Blob:
    """The content of a file."""

    content: bytes
    content_type: str | None = None

    def __len__(self) -> int:
        return len(self.content)

    def text(self, encoding: str = "utf-8") -> str:
        """The content as text."""
        return self.content.decode(encoding)


class SentInParts:
    """A file that is being stored: its first part is on its way, the others follow when it is awaited."""

    def __init__(self, syscalls: Syscalls, args: dict[str, Any], content: memoryview) -> None:
        self._syscalls = syscalls
        self._args = args
        self._content = content
        self._count = max(1, -(-len(content) // PART_BYTES))
        self._upload = str(next(_uploads))
        self._sent = 0
        self._reply = self._send()

    def __await__(self) -> Generator[Any, Any, Any]:
        while True:
            storage_id = yield from self._reply.__await__()
            if self._sent == self._count:
                return storage_id
            self._reply = self._send()

    def _send(self) -> Awaitable[Any]:
        index = self._sent
        self._sent += 1
        piece = self._content[index * PART_BYTES : (index + 1) * PART_BYTES]
        args = {**self._args, "blob": b64encode(piece).decode()}
        if self._count > 1:
            args["part"] = {"upload": self._upload, "index": index, "last": self._sent == self._count}
        return self._syscalls.call("1.0/storageStore", args)


class ReadInParts:
    """A file that is being read: its first part is on its way, the others follow when it is awaited."""

    def __init__(self, syscalls: Syscalls, args: dict[str, Any]) -> None:
        self._syscalls = syscalls
        self._args = args
        self._parts: list[bytes] = []
        self._offset = 0
        self._reply = self._ask()
        self._blob: Blob | None = None
        self._is_read = False

    def __await__(self) -> Generator[Any, Any, Blob | None]:
        while not self._is_read:
            answer = yield from self._reply.__await__()
            if answer is None:
                self._is_read = True
                break
            part = b64decode(answer["blob"])
            self._parts.append(part)
            self._offset += len(part)
            # An engine that answers in one piece names no size.
            if part and self._offset < answer.get("size", 0):
                self._reply = self._ask()
            else:
                content = part if len(self._parts) == 1 else b"".join(self._parts)
                self._blob = Blob(content, answer.get("contentType"))
                self._parts.clear()
                self._is_read = True
        return self._blob

    def _ask(self) -> Awaitable[Any]:
        args = {**self._args, "offset": self._offset, "length": PART_BYTES}
        return self._syscalls.call("1.0/storageGet", args)
