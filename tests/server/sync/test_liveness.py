"""What is due on a socket, and when."""

from __future__ import annotations

from parabola.server.sync.liveness import Liveness


def test_silence_of_fifteen_seconds_asks_for_a_ping_message():
    liveness = Liveness(100.0)
    assert not liveness.ping_message_is_due(114.9)
    assert liveness.ping_message_is_due(115.0)
    assert not liveness.ping_message_is_due(115.1), "asking counts as sending"
    assert liveness.ping_message_is_due(130.0)


def test_a_message_puts_the_next_ping_off():
    liveness = Liveness(100.0)
    liveness.sent(110.0)
    assert not liveness.ping_message_is_due(124.9)
    assert liveness.ping_message_is_due(125.0)


def test_a_ping_frame_is_due_every_five_seconds_whatever_is_sent():
    liveness = Liveness(100.0)
    liveness.sent(104.0)
    assert not liveness.ping_frame_is_due(104.9)
    assert liveness.ping_frame_is_due(105.0)
    assert not liveness.ping_frame_is_due(109.9)
    assert liveness.ping_frame_is_due(110.0)


def test_two_minutes_of_silence_from_the_client_are_its_end():
    liveness = Liveness(100.0)
    liveness.sent(200.0)
    assert not liveness.is_lost(219.9)
    assert liveness.is_lost(220.0)
    liveness.heard(215.0)
    assert not liveness.is_lost(220.0)


def test_the_deadline_is_the_first_thing_that_will_be_due():
    liveness = Liveness(100.0)
    assert liveness.deadline == 105.0
    assert liveness.ping_frame_is_due(105.0)
    assert liveness.deadline == 110.0
    for now in (110.0, 115.0):
        assert liveness.ping_frame_is_due(now)
    assert liveness.deadline == 115.0
    assert liveness.ping_message_is_due(115.0)
    assert liveness.deadline == 120.0
