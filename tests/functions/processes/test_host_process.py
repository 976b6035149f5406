"""Host processes: messages both ways, and who is to blame when one ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from functions.pool_hosts import IdleHost
from parabola.functions.processes.host_bundle import HostBundle, HostCommand
from parabola.functions.processes.host_failures import HostLost, LoadFailure
from parabola.functions.processes.host_messages import Done, Failed
from parabola.functions.processes.host_process import HostProcess, describe_exit
from parabola.functions.processes.host_run import Run, RunRequest

MEBIBYTE = 1024 * 1024
TINY = HostCommand("tiny", (sys.executable, "-S", "-E", str(Path(__file__).with_name("tiny_host.py"))))


def bundle(source: str = "") -> HostBundle:
    return HostBundle("d", "python", ({"path": "t.py", "source": source},), {}, {})


def request(name: str, args: Any = None, kind: str = "query") -> RunRequest:
    return RunRequest(kind, f"t.py:{name}", orjson.dumps(args), 0.0, "00", 0, b"null", "r")


@asynccontextmanager
async def host(step_limit: float | None = 0.2, command: HostCommand = TINY) -> AsyncIterator[HostProcess]:
    process = await HostProcess.spawn(command, step_limit=step_limit)
    try:
        yield process
    finally:
        await process.close()


async def failure_of(run: Run) -> Failed:
    message = await run.next()
    assert isinstance(message, Failed), message
    return message


async def result_of(run: Run) -> Any:
    message = await run.next()
    assert isinstance(message, Done), message
    return message.result


@pytest.mark.parametrize("has_processor", [True, False])
async def test_a_module_has_a_time_in_which_its_host_can_run(
    monkeypatch: pytest.MonkeyPatch, has_processor: bool
) -> None:
    analyst = IdleHost()
    analyst._import_seconds = 0.02
    if not has_processor:
        monkeypatch.setattr(analyst, "waiting_seconds", analyst.loop.time, raising=False)
    analysing = asyncio.create_task(analyst.analyze("modules"))
    await asyncio.sleep(0)
    analyst.receive({"type": "importing", "id": 1, "path": "slow.js"})
    if has_processor:
        with pytest.raises(LoadFailure, match=r"Importing slow\.js took longer"):
            await analysing
    else:
        await asyncio.wait({analysing}, timeout=0.2)
        analyst.receive({"type": "analysis", "id": 1, "result": {"modules": {}}})
        assert await analysing == {"modules": {}}


async def test_messages_go_both_ways() -> None:
    async with host() as process:
        await process.load(bundle())
        assert process.info.language == "tiny"
        runs = [process.run(request("echo", n)) for n in range(5)]
        assert [await result_of(run) for run in runs] == list(range(5))
        assert process.runs == {}


async def test_a_message_may_be_larger_than_any_buffer() -> None:
    async with host() as process:
        assert len(await result_of(process.run(request("long")))) == 3_000_000
        args = "y" * 3_000_000
        assert await result_of(process.run(request("echo", args))) == args


async def test_analysis_is_answered() -> None:
    async with host() as process:
        await process.ready()
        assert not Path(process.activity_path).exists()  # noqa: ASYNC240
        await process.load(bundle())
        assert await process.analyze("modules") == {"phase": "modules", "pid": process.pid}


async def test_a_module_that_cannot_be_loaded_is_named() -> None:
    async with host() as process:
        with pytest.raises(LoadFailure, match="SyntaxError: no") as caught:
            await process.load(bundle("refuse"))
        assert (caught.value.file, caught.value.line) == ("convex/t.py", 7)


async def test_a_host_that_ends_while_loading_fails_the_load_with_what_it_said() -> None:
    async with host() as process:
        with pytest.raises(LoadFailure) as caught:
            await process.load(bundle("exit"))
        assert "exit code 5" in caught.value.message
        assert "something went wrong" in caught.value.message


async def test_a_load_that_takes_for_ever_fails() -> None:
    async with host() as process:
        with pytest.raises(LoadFailure, match="took longer"):
            await process.load(replace(bundle("silent"), import_seconds=0.1))


async def test_a_program_that_cannot_be_started_fails_the_load() -> None:
    with pytest.raises(LoadFailure, match="could not be started"):
        await HostProcess.spawn(HostCommand("tiny", ("/nonexistent/program",)))


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("exit", "exit", "The function ended its host process (exit code 3)."),
        ("aborted", "exit", "The function ended its host process (killed by SIGABRT)."),
        ("spin", "timeout", "Function execution timed out (maximum duration: 0.2s)"),
        ("stalled", "timeout", "Function execution timed out (maximum duration: 0.2s)"),
    ],
)
async def test_the_run_that_ended_the_host_is_blamed_and_its_neighbours_are_not(
    name: str, kind: str, text: str
) -> None:
    async with host() as process:
        neighbours = [process.run(request("hold")) for _ in range(3)]
        guilty = process.run(request(name))
        failure = await failure_of(guilty)
        assert failure.kind == kind
        assert failure.error.message.startswith(text)
        for neighbour in neighbours:
            with pytest.raises(HostLost):
                await neighbour.next()
        with pytest.raises(HostLost):
            process.run(request("echo"))


async def test_who_ran_when_somebody_killed_the_host_is_suspected_and_its_neighbours_are_not() -> None:
    async with host() as process:
        neighbour, suspect = process.run(request("hold")), process.run(request("killed"))
        with pytest.raises(HostLost) as lost:
            await suspect.next()
        assert (lost.value.suspected, lost.value.how) == (True, "killed by SIGKILL")
        with pytest.raises(HostLost) as lost:
            await neighbour.next()
        assert not lost.value.suspected
        assert process.ended_by == "t.py:killed"


DEEP = "[" * 1100 + "]" * 1100
UNREADABLE = {
    "half a character": '{"type":"done","id":ID,"result":"\\ud83d","logs":[],"usage":{}}\n',
    "too many levels": f'{{"type":"done","id":ID,"result":{DEEP}}}\n',
    "cut off": '{"type":"done","id":ID,"result":\n',
    "no logs": '{"type":"done","id":ID,"result":1,"logs":7}\n',
    "no usage": '{"type":"done","id":ID,"result":1,"usage":[1]}\n',
    "odd names": '{"type":"done","id":ID,"result":1,"usage":{"envRead":[1]}}\n',
    "no number": '{"type":"done","id":ID,"result":1,"usage":{"userMs":"1"}}\n',
    "no error": '{"type":"failed","id":ID,"error":"text"}\n',
    "no calls": '{"type":"syscall","id":ID,"calls":{}}\n',
    "no operation": '{"type":"syscall","id":ID,"calls":[{"call":1,"op":null}]}\n',
    "no arguments": '{"type":"syscall","id":ID,"calls":[{"call":1,"op":"1.0/get","args":[]}]}\n',
    "no lines": '{"type":"log","id":ID,"lines":"x"}\n',
    "no status": '{"type":"responseHead","id":ID,"status":"200","headers":[]}\n',
    "two headers in one": '{"type":"responseHead","id":ID,"status":200,"headers":[["a","b\\r\\nc: d"]]}\n',
    "no base64": '{"type":"responseChunk","id":ID,"data":1}\n',
    "no count": '{"type":"requestTaken","id":ID,"bytes":-1}\n',
}


@pytest.mark.parametrize("what", UNREADABLE)
async def test_what_cannot_be_read_fails_the_run_that_it_names_and_nobody_else(what: str) -> None:
    async with host() as process:
        neighbour, pid = process.run(request("hold")), process.pid
        failure = await failure_of(process.run(request("raw", UNREADABLE[what])))
        assert failure.kind == "user"
        assert failure.error.message.startswith("What the function sent could not be read: ")
        assert await result_of(process.run(request("echo", 1))) == 1
        assert (process.pid, list(process.runs)) == (pid, [neighbour.id])


async def test_a_message_without_an_end_fails_its_run_and_is_passed_over() -> None:
    async with host() as process:
        failure = await failure_of(process.run(request("endless")))
        assert "longer than 64 MiB" in failure.error.message
        assert await result_of(process.run(request("echo", 1))) == 1


NOISE = [
    "this is not JSON\n",
    "\n\n",
    "[1]\n",
    "null\n",
    '{"type":7}\n',
    '{"type":"done","id":"x"}\n',
    '{"type":"done","id":[1]}\n',
    '{"id":ID,"type":"done\n',
    "\u0000\u2028 \ud7ff\n",
    '{"type":"done","id":123456789,"result":\n',
    "x" * 100_000 + "\n",
]


@pytest.mark.parametrize("noise", NOISE, ids=range(len(NOISE)))
async def test_bytes_that_are_no_message_harm_nobody(noise: str, caplog: pytest.LogCaptureFixture) -> None:
    async with host() as process:
        done = '{"type":"done","id":ID,"result":1,"logs":[],"usage":{}}\n'
        for text in (noise + done, noise * 50 + done):
            assert await result_of(process.run(request("raw", text))) == 1
    noted = [record.getMessage() for record in caplog.records if "no message" in record.getMessage()]
    assert len(noted) <= 1
    assert all(len(line) < 1200 and line.isprintable() for line in noted)


async def test_a_message_behind_bytes_that_are_none_is_not_lost() -> None:
    async with host() as process:
        text = 'noise{"type":"done","id":ID,"result":1,"logs":[],"usage":{}}\n'
        assert await result_of(process.run(request("raw", text))) == 1


@pytest.mark.parametrize(("others", "is_guilty"), [(100, True), (480, False)])
async def test_a_run_that_took_little_is_not_to_blame_for_a_full_host(others: int, is_guilty: bool) -> None:
    async with host(command=replace(TINY, heap_bytes=512 * MEBIBYTE)) as process:
        neighbour = process.run(request("hold"))
        suspect = process.run(request("crowded", others * MEBIBYTE))
        if is_guilty:
            assert (await failure_of(suspect)).kind == "memory"
        else:
            with pytest.raises(HostLost):
                await suspect.next()
        with pytest.raises(HostLost):
            await neighbour.next()


@pytest.mark.parametrize("step_limit", [60.0, None])
async def test_a_process_that_grows_without_bound_is_killed(step_limit: float | None) -> None:
    async with host(step_limit, replace(TINY, memory_bytes=256 * MEBIBYTE)) as process:
        failure = await failure_of(process.run(request("greedy")))
        assert (failure.kind, failure.error.message) == (
            "memory",
            "Function execution ran out of memory",
        )


async def test_nobody_is_blamed_for_a_host_that_was_doing_nothing() -> None:
    async with host() as process:
        run = process.run(request("vanish"))
        with pytest.raises(HostLost):
            await run.next()


async def test_the_only_call_of_an_action_host_is_blamed_for_its_end() -> None:
    async with host(step_limit=None) as process:
        failure = await failure_of(process.run(request("vanish", kind="action")))
        assert failure.kind == "exit"


async def test_an_action_may_take_its_time() -> None:
    async with host(step_limit=None) as process:
        run = process.run(request("nap", kind="action"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await run.next()
        assert not process.closed


async def test_closing_ends_the_process() -> None:
    async with host() as process:
        pid = process.pid
        run = process.run(request("hold"))
    with pytest.raises(HostLost):
        await run.next()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not Path(process.activity_path).exists()  # noqa: ASYNC240


def test_exits_are_described_in_words() -> None:
    assert [describe_exit(code) for code in (3, -9, -1000, None)] == [
        "exit code 3",
        "killed by SIGKILL",
        "killed by signal 1000",
        "unknown exit code",
    ]
