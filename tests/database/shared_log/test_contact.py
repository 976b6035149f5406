"""When a node takes itself for cut off from the shared log, and when not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from parabola.database.shared_log import contact as module
from parabola.database.shared_log.contact import Contact
from parabola.database.shared_log.errors import LogUnreachable
from parabola.database.shared_log.log import START, Head


class Log:
    """Answers, or not."""

    def __init__(self) -> None:
        self.answers = True
        self.is_closed = False
        self.asked = asyncio.Semaphore(0)

    async def ask(self) -> Head:
        self.asked.release()
        if not self.answers:
            raise LogUnreachable("The shared log does not answer.")
        return Head(START, 0, self.is_closed)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("LOOK_SECONDS", 0.005), ("ASK_SECONDS", 0.01), ("CUT_OFF_SECONDS", 0.05)):
        monkeypatch.setattr(module, name, seconds)


@pytest.fixture
async def log() -> Log:
    return Log()


@pytest.fixture
async def contact(log: Log) -> AsyncIterator[Contact]:
    contact = Contact(log.ask)
    contact.start()
    yield contact
    await contact.close()


async def changed(contact: Contact) -> None:
    """Returns with the next change."""
    seen = asyncio.Event()
    remove = contact.on_change(seen.set)
    await seen.wait()
    remove()


async def test_a_log_that_says_nothing_is_asked_and_its_answer_is_enough(contact: Contact, log: Log) -> None:
    for _ in range(20):
        await log.asked.acquire()
    assert not contact.is_cut_off


async def test_without_an_answer_a_node_is_cut_off_until_there_is_one(contact: Contact, log: Log) -> None:
    log.answers = False
    await changed(contact)
    assert contact.is_cut_off
    assert contact.is_silent
    log.answers = True
    await changed(contact)
    assert not contact.is_cut_off


async def test_a_listener_that_fails_keeps_nobody_else_from_hearing(contact: Contact, log: Log) -> None:
    def fail() -> None:
        raise RuntimeError

    contact.on_change(fail)
    log.answers = False
    await changed(contact)
    assert contact.is_cut_off


async def test_time_in_which_the_process_did_not_run_does_not_count(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = Contact(log.ask)
    loop = asyncio.get_running_loop()
    time, ahead = loop.time, [0.0]
    monkeypatch.setattr(loop, "time", lambda: time() + ahead[0])
    contact.start()
    await asyncio.sleep(0)
    heard: list[bool] = []
    contact.on_change(lambda: heard.append(contact.is_cut_off))
    ahead[0] = 60.0
    for _ in range(3):
        await log.asked.acquire()
    assert heard == []
    await contact.close()


async def test_what_was_lost_does_not_come_back_by_an_answer(contact: Contact) -> None:
    contact.lose()
    contact.heard()
    assert contact.is_cut_off


async def test_a_log_that_is_closed_is_nobodys_to_speak_for(contact: Contact, log: Log) -> None:
    log.is_closed = True
    await changed(contact)
    assert contact.is_closed
    assert contact.is_cut_off
    log.is_closed = False
    await changed(contact)
    assert not contact.is_cut_off
