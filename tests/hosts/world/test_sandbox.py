"""What queries and mutations see of the outside world, and that everybody else sees the real one."""

from __future__ import annotations

import datetime
import os
import random
import time
import uuid

import numpy as np
import pytest

from hosts.driver import HostProcess
from parabola.hosts.python.world.frozen_world import FrozenWorld, frozen_world
from parabola.hosts.python.world.sandbox import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW_MS = 1_700_000_000_123.0
CLOCKS = """
    import time, datetime as dt, uuid
    from datetime import datetime, date, timezone
    @{kind}
    async def clocks(ctx):
        return {{
            "time": time.time() * 1000,
            "time_ns": time.time_ns() / 1e6,
            "gettime": time.clock_gettime(time.CLOCK_REALTIME) * 1000,
            "now": datetime.now(timezone.utc).timestamp() * 1000,
            "utcnow": datetime.utcnow().isoformat(),
            "today": datetime.today().isoformat(),
            "date": date.today().isoformat(),
            "local": time.localtime().tm_year,
            "ctime": time.ctime(),
            "strftime": time.strftime("%Y-%m-%d"),
            "is": isinstance(datetime.now(), dt.datetime) and type(datetime.now()) is datetime,
            "module": dt.datetime.now().year,
            "moves": time.perf_counter() != time.perf_counter(),
        }}
    @query
    async def plain(ctx):
        import logging
        logging.warning("a log record takes the time, but not the function")
        return datetime(2020, 1, 1).isoformat() + time.strftime("%Y", time.gmtime(0))
    @query
    async def monotonic(ctx):
        return time.monotonic() + time.perf_counter_ns() + time.process_time()
"""


@pytest.mark.parametrize("kind", ["query", "mutation"])
async def test_the_clock_stands_still(host: HostProcess, kind: str) -> None:
    await host.serve(CLOCKS.format(kind=kind))
    outcome = await host.run("m.py:clocks", {}, kind)
    assert outcome.result == {
        "time": NOW_MS,
        "time_ns": NOW_MS,
        "gettime": NOW_MS,
        "now": NOW_MS,
        "utcnow": "2023-11-14T22:13:20.123000",
        "today": "2023-11-14T22:13:20.123000",
        "date": "2023-11-14",
        "local": 2023.0,
        "ctime": "Tue Nov 14 22:13:20 2023",
        "strftime": "2023-11-14",
        "is": True,
        "module": 2023.0,
        "moves": kind == "mutation",
    }
    assert outcome.usage["usedClock"] is True
    assert outcome.usage["usedRandom"] is False
    assert (await host.query("m.py:plain")).usage["usedClock"] is False
    monotonic = await host.query("m.py:monotonic")
    assert (monotonic.result, monotonic.usage["usedClock"]) == (0.0, False)


async def test_actions_have_the_real_clock_and_sleep(host: HostProcess) -> None:
    await host.serve("""
        import time, datetime, random
        @action
        async def clocks(ctx: ActionCtx):
            before = time.time()
            await asyncio.sleep(0.01)
            time.sleep(0.001)
            return [time.time() > before, datetime.datetime.now().timestamp() >= before, random.random()]
    """)
    first, second = await host.action("m.py:clocks"), await host.action("m.py:clocks")
    assert first.result[:2] == [True, True]
    assert first.result[2] != second.result[2]


RANDOMNESS = """
    import random, uuid, secrets, os
    from random import choice, Random
    @query
    async def draw(ctx: QueryCtx):
        return [random.random(), random.randint(1, 10**9), choice(range(10**9)), random.gauss(0, 1),
                Random().random(), random.SystemRandom().random(), str(uuid.uuid4()), str(uuid.uuid1()),
                secrets.token_hex(8), os.urandom(8), str(uuid.uuid1().time)]
    @query
    async def shuffle(ctx: QueryCtx):
        random.seed(7)
        items = list(range(10))
        random.shuffle(items)
        return [items, Random(7).random(), list({"a", "b", "c", "d"})]
    @query
    async def reseed(ctx: QueryCtx):
        random.seed()
        return random.random()
"""


async def test_randomness_follows_the_seed(host: HostProcess) -> None:
    await host.serve(RANDOMNESS)
    first, again = await host.query("m.py:draw"), await host.query("m.py:draw")
    other = await host.run("m.py:draw", {}, seed="0b" * 32)
    assert first.result == again.result
    assert all(a != b for a, b in zip(first.result[:10], other.result[:10], strict=True))
    assert first.usage["usedRandom"] is True
    assert uuid.UUID(first.result[7]).version == 1
    shuffled = await host.query("m.py:shuffle")
    items = list(range(10))
    random.Random(7).shuffle(items)
    assert shuffled.result[:2] == [items, random.Random(7).random()]
    assert (await host.run("m.py:shuffle", {}, seed="0b" * 32)).result == shuffled.result
    assert (await host.query("m.py:reseed")).result == (await host.query("m.py:reseed")).result


async def test_the_randomness_of_numpy_follows_the_seed(host: HostProcess) -> None:
    await host.serve("""
        import numpy as np
        from numpy.random import normal
        at_import = np.random.random()
        def drawn():
            again = np.random.default_rng(7).random()
            system = np.random.default_rng().random()
            numbers = [np.random.random(), normal(), np.random.sample(), np.random.rand(2).tolist(), system]
            np.random.seed(7)
            return numbers, [np.random.random(), again, at_import]
        @query
        async def draw(ctx):
            return drawn()
        @action
        async def act(ctx):
            return drawn()
    """)
    first, again = await host.query("m.py:draw"), await host.query("m.py:draw")
    other = await host.run("m.py:draw", {}, seed="0b" * 32)
    assert first.result == again.result
    assert all(a != b for a, b in zip(first.result[0], other.result[0], strict=True))
    assert first.result[1] == other.result[1]
    assert first.usage["usedRandom"] is True
    assert first.result[1][:2] == [np.random.RandomState(7).random(), np.random.default_rng(7).random()]
    acted = (await host.action("m.py:act")).result
    assert acted[0][0] != (await host.action("m.py:act")).result[0][0]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("await asyncio.sleep(1)", "asyncio.sleep()"),
        ("await asyncio.wait_for(asyncio.Event().wait(), 1)", "asyncio.wait_for() with a timeout"),
        ("async with asyncio.timeout(1): pass", "asyncio.timeout()"),
        ("await asyncio.to_thread(print)", "threads (asyncio.to_thread(), run_in_executor())"),
        ("asyncio.get_running_loop().call_later(1, print)", "timers"),
        ("await asyncio.open_connection('127.0.0.1', 1)", "the event loop's create_connection()"),
        ("import time; time.sleep(1)", "time.sleep()"),
    ],
)
async def test_waiting_for_time_is_refused(host: HostProcess, body: str, what: str) -> None:
    await host.serve(f"""
        @query
        async def wait(ctx: QueryCtx):
            await asyncio.sleep(0)
            {body}
    """)
    outcome = await host.query("m.py:wait")
    assert outcome.error == (
        f"Uncaught Error: Can't use {what} in queries and mutations. Please consider using an action. "
        "(File convex/m.py, line 5, in wait.)"
    )


async def test_environment_variables_are_the_deployments_and_reads_are_noted(host: HostProcess) -> None:
    source = """
        import os
        at_import = os.environ["TOKEN"]
        @query
        async def read(ctx: QueryCtx):
            return [os.environ["TOKEN"], os.environ.get("ABSENT"), os.getenv("CONVEX_CLOUD_URL"),
                    env["TOKEN"], "NOPE" in os.environ, env.get("NOTHING", "default"), at_import]
        @query
        async def nothing(ctx: QueryCtx):
            return 1
        @query
        async def every(ctx: QueryCtx):
            return [sorted(os.environ), len(os.environ), sorted(env)]
        @query
        async def write(ctx: QueryCtx):
            os.environ["X"] = "1"
        @query
        async def path(ctx: QueryCtx):
            return os.environ.get("PATH")
        @action
        async def act(ctx: ActionCtx):
            return [os.environ["TOKEN"], "PATH" in os.environ, "PARABOLA_HOST_FD" in os.environ,
                    "TOKEN" in list(os.environ)]
    """
    await host.serve(source, env={"TOKEN": "secret"})
    outcome = await host.query("m.py:read")
    assert outcome.result == ["secret", None, "http://127.0.0.1:3210", "secret", False, "default", "secret"]
    assert outcome.usage["envRead"] == ["ABSENT", "CONVEX_CLOUD_URL", "NOPE", "NOTHING", "TOKEN"]
    assert (await host.query("m.py:nothing")).usage["envRead"] == ["TOKEN"], "its module has read it"
    names = ["CONVEX_CLOUD_URL", "CONVEX_SITE_URL", "TOKEN"]
    every = await host.query("m.py:every")
    assert every.result == [names, 3.0, names]
    assert every.usage["envRead"] == ["*", "TOKEN"]
    assert "Can't use os.environ to set variables in queries" in (await host.query("m.py:write")).error
    assert (await host.query("m.py:path")).result is None
    assert (await host.action("m.py:act")).result == ["secret", True, False, True]


async def test_functions_depend_on_what_the_modules_behind_them_have_read(host: HostProcess) -> None:
    message = await host.load(
        {
            "settings.py": "import os\nregion = os.environ.get('REGION')",
            "deep/token.py": "from parabola import env\nfrom ..settings import *\nt = env.get('TOKEN')",
            "later.py": "from parabola import env\nname = env.get('LATER')",
            "apart.py": "from parabola import *\n@query\ndef f(ctx): return 1",
            "shallow.py": "from parabola import *\nfrom . import settings\n@query\ndef f(ctx): return 1",
            "far.py": "from parabola import *\nfrom .deep import token\n@query\ndef f(ctx): return 1",
            "lazy.py": "from parabola import *\n@query\ndef f(ctx):\n    from .later import name",
        },
        env={"LATER": "x"},
    )
    assert message["type"] == "loaded", message
    read = {
        name: (await host.query(f"{name}.py:f")).usage["envRead"]
        for name in ("apart", "shallow", "far", "lazy")
    }
    assert read == {"apart": [], "shallow": ["REGION"], "far": ["REGION", "TOKEN"], "lazy": ["LATER"]}


async def test_modules_see_the_clock_and_the_seed_of_the_push(host: HostProcess) -> None:
    source = """
        import random, time, os, socket, datetime
        at_import = [time.time(), random.random(), datetime.date.today().isoformat()]
        secret = os.urandom(8).hex()
        socket.socketpair()[0].close()
        open("/etc/hosts").close()
        @query
        async def seen(ctx):
            return [at_import, secret]
    """
    phase = {"now": NOW_MS, "seed": "any text"}
    await host.serve(source, importPhase=phase)
    first = (await host.query("m.py:seen")).result
    await host.serve(source, importPhase=phase)
    again = (await host.query("m.py:seen")).result
    assert first[0] == again[0]
    assert (first[0][0], first[0][2]) == (NOW_MS / 1000, "2023-11-14")
    assert first[1] != again[1], "what libraries keep secret is not to be guessed"


async def test_outside_of_functions_nothing_changes_and_everything_is_put_back() -> None:
    before = (time.time, datetime.datetime.__dict__["now"], random.random, os.urandom, uuid.uuid1)
    sandbox = Sandbox()
    sandbox.open()
    sandbox.open()
    try:
        assert time.time() > 1.75e9
        assert datetime.datetime.now().timestamp() > 1.75e9
        assert random.random() != random.random()
        token = frozen_world.set(FrozenWorld(NOW_MS, "aa", "query"))
        try:
            assert time.time() == NOW_MS / 1000
            assert datetime.datetime.now(datetime.UTC).timestamp() == NOW_MS / 1000
        finally:
            frozen_world.reset(token)
        sandbox.close()
        assert time.time is not before[0], "another host is still open"
    finally:
        sandbox.close()
    assert (time.time, datetime.datetime.__dict__["now"], random.random, os.urandom, uuid.uuid1) == before
    assert datetime.datetime.now().timestamp() > 1.75e9
