"""Messages of one line each, cut out of what arrives on a socket in pieces."""

from __future__ import annotations

__all__ = ["LineBuffer"]


class LineBuffer:
    """Keeps the beginning of a line until its end has come."""

    __slots__ = ("_parts", "length")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.length = 0
        """Bytes of the line under way."""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that a piece has completed, without their ends."""
        lines = data.split(b"\n")
        last = lines.pop()
        if lines and self._parts:
            lines[0] = self.take() + lines[0]
        if last:
            self._parts.append(last)
            self.length += len(last)
        return lines

    def take(self) -> bytes:
        """What has come of the line under way, which is forgotten."""
        begun = b"".join(self._parts)
        self._parts.clear()
        self.length = 0
        return begun
