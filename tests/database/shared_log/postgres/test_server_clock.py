"""What the server's clock shows, told from few readings."""

from __future__ import annotations

from database.stores import SECOND_NS, Clock
from parabola.database.shared_log.postgres.server_clock import ServerClock


def test_before_the_first_reading_it_is_this_machines() -> None:
    clock = Clock()
    assert ServerClock(clock).now() == clock.now


def test_a_quick_answer_counts_more_than_a_slow_one() -> None:
    here = Clock()
    server = ServerClock(here)
    asked = here.now
    here.advance(0.01)
    server.observe(asked, asked + 60 * SECOND_NS)
    assert abs(server.now() - (here.now + 60 * SECOND_NS)) <= 0.005 * SECOND_NS
    before = server.now() - here.now
    asked = here.now
    here.advance(2)
    server.observe(asked, asked + 60 * SECOND_NS)
    assert server.now() - here.now == before


def test_an_old_reading_gives_way_to_any_newer_one() -> None:
    here = Clock()
    server = ServerClock(here)
    server.observe(here.now, here.now + 60 * SECOND_NS)
    here.advance(11)
    asked = here.now
    here.advance(1)
    server.observe(asked, asked + 70 * SECOND_NS)
    assert abs(server.now() - here.now - 70 * SECOND_NS) <= SECOND_NS


def test_a_clock_that_is_set_here_is_put_right_with_the_next_reading() -> None:
    here = Clock()
    server = ServerClock(here)
    there = here.now
    server.observe(here.now, there)
    here.jump(-3600)
    server.observe(here.now, there)
    assert server.now() == there
