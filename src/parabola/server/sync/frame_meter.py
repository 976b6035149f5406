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
    their reader to say.
    """

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
            elif self._head:
                self._head += data[position : position + 1]
                position += 1
                if not self._read_head(self._head, 0):
                    continue
                self._head = b""
            elif length := self._read_head(data, position):
                position += length
            else:
                self._head = data[position:]
                return
            if not self._left and self._ends_message and not self._is_control:
                self._body = 0

    def _read_head(self, data: bytes, start: int) -> int:
        """The length of the head of a frame that begins at `start`; 0: it is not all there."""
        end = len(data)
        if end - start < 2:
            return 0
        first, second = data[start], data[start + 1]
        length = second & ~_MASKED
        head = 2
        if length > 125:
            head += _LENGTH_BYTES[length]
            if end - start < head:
                return 0
            length = int.from_bytes(data[start + 2 : start + head])
        self._is_control = bool(first & _CONTROL)
        self._ends_message = bool(first & _FINAL)
        self._left = length + (4 if second & _MASKED else 0)
        if not self._is_control:
            self._body += head
        return head
