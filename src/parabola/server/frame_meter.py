"""How much of a WebSocket message has arrived that is not complete (RFC 6455, section 5)."""

from __future__ import annotations

from typing import Final

__all__ = ["FrameMeter"]

_FINAL: Final = 0x80
_CONTROL: Final = 0x08
_MASKED: Final = 0x80
_LENGTH_BYTES: Final = {126: 2, 127: 8}


class FrameMeter:
    """Follows the frames in what a client sends, without looking into them; whether they make sense is for
    their reader to say."""

    __slots__ = ("_body", "_ends_message", "_head", "_is_control", "_left")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._is_control = False
        self._ends_message = False
        self._body = 0

    @property
    def pending(self) -> int:
        """Bytes of the message that is incomplete, heads of frames included; 0: none has begun."""
        return self._body + len(self._head)

    def feed(self, data: bytes) -> None:
        """Some more has arrived."""
        position, end = 0, len(data)
        while position < end:
            if self._left:
                step = min(self._left, end - position)
                self._left -= step
                position += step
                if not self._is_control:
                    self._body += step
            else:
                self._head += data[position : position + 1]
                position += 1
                if not self._read_head():
                    continue
            if not self._left and not self._head and self._ends_message and not self._is_control:
                self._body = 0

    def _read_head(self) -> bool:
        """Whether the head of a frame is there."""
        head = self._head
        if len(head) < 2:
            return False
        length = head[1] & ~_MASKED
        extended = _LENGTH_BYTES.get(length, 0)
        if len(head) < 2 + extended:
            return False
        if extended:
            length = int.from_bytes(head[2:])
        self._is_control = bool(head[0] & _CONTROL)
        self._ends_message = bool(head[0] & _FINAL)
        self._left = length + (4 if head[1] & _MASKED else 0)
        if not self._is_control:
            self._body += len(head)
        self._head = b""
        return True
