"""The straight way of a session, for one query that a commit has changed, beside the general one: whatever
happens, both say the same.
"""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.logs import LogLine
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.effects import POSTPONED, HeldQuery, QueryOutcome
from parabola.server.sync.frames import SHORT_FRAME, short_frame, text_frames
from parabola.server.sync.session import SHORT_RESULT
from parabola.values.errors import InternalServerError, ServerShutdown
from server.session_driver import Driver, StraightDriver, adding, removing, value


class Answers:
    """What queries answer at a timestamp: the same result to whoever asks, as a cache has it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.kept: dict[tuple[int, int], QueryOutcome] = {}

    def __call__(self, query: HeldQuery, ts: int, identity: Identity) -> QueryOutcome:
        key = (query.query_id, ts)
        if key not in self.kept:
            self.kept[key] = self.make(Random(hash((self.seed, *key))), ts)
        return self.kept[key]

    def make(self, random: Random, ts: int) -> QueryOutcome:
        match random.randrange(10):
            case 0:
                return FunctionResult(
                    error=FunctionFailure(f"no {random.randrange(2)}"), ts=ts, request_id="r"
                )
            case 1:
                return POSTPONED
            case 2:
                return value("x" * random.choice([SHORT_RESULT - 2, SHORT_RESULT, 3 * SHORT_RESULT]), ts=ts)
            case 3:
                line = LogLine("LOG", ("said",), 0.0)
                return FunctionResult(value_json=b"1", log_lines=(line,), ts=ts)
            case 4:
                return value(random.randrange(100), journal=f"j{random.randrange(3)}", ts=ts)
            case _:
                return value(random.randrange(3), ts=ts)


def step(driver: Driver, random: Random) -> None:
    """One thing that happens; it depends on `random`, and on what both drivers have seen alike."""
    session = driver.session
    match random.randrange(16):
        case 0 | 1 | 2 | 3:
            driver.commit(random.randrange(3))
        case 4:
            driver.commit(*random.sample(range(4), 2))
        case 5 | 6 | 7:
            if driver.evaluations:
                driver.evaluate()
        case 8:
            version, held = session._queries.version, session.queries
            query_id = random.randrange(4)
            change = removing(query_id) if query_id in held else adding(query_id)
            if not session._queries._modifications:
                driver.modify(version, version + 1, change)
        case 9:
            driver.mutate(random.randrange(10**6))
        case 10:
            if driver.mutations:
                driver.finish_mutation(None, random.randrange(3))
        case 11:
            driver.drains = not driver.drains
            while driver.drains and session._unsent:
                session.transition_sent()
            driver.turn()
        case 12:
            if random.random() < 0.3:
                driver.authenticate(session._identity)
        case 13:
            if driver.tokens:
                expires = random.choice([None, (driver.wall_ns + 10**9) / 1e9])
                driver.accept(expires_at=expires)
        case 14:
            driver.wall_ns += random.choice([1, 10**7, 10**9])
        case 15:
            match random.randrange(40):
                case 0:
                    session.leave()
                case 1:
                    session.fail(InternalServerError("broken"))
                case 2:
                    if driver.mutations:
                        driver.finish_mutation(ServerShutdown("stops"))
                case _:
                    for _ in driver.retries:
                        session.retry_postponed()
                    driver.retries.clear()
            driver.turn()


@given(seed=st.integers(0, 2**32), redacted=st.booleans(), auto=st.booleans(), connects=st.booleans())
def test_it_says_what_the_general_way_says(seed: int, redacted: bool, auto: bool, connects: bool) -> None:
    answers = Answers(seed)
    drivers = [kind(run=answers, auto=auto, redacted=redacted) for kind in (Driver, StraightDriver)]
    for driver in drivers:
        if connects:
            driver.connect(clientTs=12345)
        driver.modify(0, 1, adding(0), adding(1), adding(2))
        if driver.evaluations:
            driver.evaluate()
    for number in range(60):
        for driver in drivers:
            step(driver, Random(hash((seed, number))))
        general, straight = drivers
        assert straight.texts == general.texts
        assert straight.closed == general.closed
        assert [effect.ts for effect in straight.evaluations] == [effect.ts for effect in general.evaluations]
        assert len(straight.mutations) == len(general.mutations)
        assert straight.retries == general.retries
        assert straight.session._unsent == general.session._unsent


def test_a_change_of_one_query_goes_straight() -> None:
    driver = StraightDriver()
    driver.add(0)
    driver.add(1)
    driver.commit(1)
    driver.commit(0)
    assert driver.straight == 2
    driver.commit(0, 1)
    assert driver.straight == 2
    assert driver.last_values() == {0: driver.durable_ts, 1: driver.durable_ts}


@given(st.integers(0, SHORT_FRAME - 1))
def test_its_frames_are_those_of_all_messages(size: int) -> None:
    text = b"x" * size
    assert (short_frame(text, size),) == text_frames([text])
