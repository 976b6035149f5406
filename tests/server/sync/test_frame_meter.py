"""How much of a message is pending is known however its bytes arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parabola.server.sync.frame_meter import FrameMeter

SIZES = st.sampled_from([0, 1, 125, 126, 127, 65535, 65536, 70000])
FRAMES = st.tuples(st.sampled_from(["text", "continuation", "ping"]), st.booleans(), SIZES, st.booleans())


def frame(kind: str, final: bool, size: int, masked: bool) -> bytes:
    opcode = {"text": 1, "continuation": 0, "ping": 9}[kind] | (0x80 if final or kind == "ping" else 0)
    if kind == "ping":
        size = min(size, 125)
    mask = 0x80 if masked else 0
    if size < 126:
        head = bytes((opcode, mask | size))
    elif size < 65536:
        head = bytes((opcode, mask | 126)) + size.to_bytes(2)
    else:
        head = bytes((opcode, mask | 127)) + size.to_bytes(8)
    return head + (b"mask" if masked else b"") + b"\xff" * size


@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(1, 70_000), max_size=30))
def test_pending_is_what_has_come_of_an_incomplete_message(
    frames: list[tuple[str, bool, int, bool]], cuts: list[int]
):
    encoded = [frame(*each) for each in frames]
    sent = b"".join(encoded)
    pending = 0
    for (kind, final, _, _), data in zip(frames, encoded, strict=True):
        if kind != "ping":
            pending = 0 if final else pending + len(data)
    meter, position = FrameMeter(), 0
    for cut in [*cuts, len(sent)]:
        meter.feed(sent[position : position + cut])
        position += cut
    assert meter.pending == pending


@given(SIZES.filter(bool), st.integers(1, 100_000))
def test_a_part_of_a_frame_is_pending(size: int, cut: int):
    data = frame("text", True, size, True)
    cut = min(cut, len(data) - 1)
    meter = FrameMeter()
    meter.feed(data[:cut])
    assert meter.pending == cut
    meter.feed(data[cut:])
    assert meter.pending == 0
