"""The process as its engine sees it: messages, the activity file, calls in flight (host-protocol.md)."""

from __future__ import annotations

import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from client_calls import client_call
from hosts_node.driver import FOLDER, Host, Json, result
from hosts_node.module_states import WRAP
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.functions.processes.host_failures import LoadFailure
from parabola.host_programs import isolate_command
from parabola.hosts import node
from parabola.services.deploys.push import Push


@pytest.fixture
def own_host(modules: list[Json]) -> Iterator[Host]:
    host = Host()
    host.load(modules)
    yield host
    host.close()


def activity(host: Host) -> tuple[int, int]:
    run_id, since, _ = struct.unpack("<QQQ", host.activity.read_bytes())
    return run_id, since


def test_a_host_for_one_call_compiles_what_that_needs(modules: list[Json]) -> None:
    host = Host(compile_later=True)
    try:
        host.load([*modules, {"path": "broken.js", "source": "this is no JavaScript"}])
        assert host.action("actions:counter") == 1
        assert host.action("actions:lazily") == "loaded lazily"
        assert host.run("action", "broken:f")["error"]["message"].startswith("Uncaught SyntaxError: ")
    finally:
        host.close()


def test_the_first_message_says_who_is_there(host: Host) -> None:
    assert host.info["language"] == "node"
    assert host.info["protocol"] == 1
    assert host.info["pid"] == host.process.pid


def test_a_result_does_not_wait_for_a_function_that_computes() -> None:
    host = Host()
    try:
        source = (
            WRAP
            + """
            const f = (turns) => query(async () => { for (let i = 0; i < turns; i++); return turns; });
            export const [quick, busy, endless] = [f(0), f(3e8), f(Infinity)];
        """
        )
        host.load([{"path": "m.js", "source": source}])
        busy = host.start("query", "m:busy")  # what comes meanwhile is read together
        quick, _ = host.start("query", "m:quick"), host.start("query", "m:endless")
        host.receive("done", run_id=busy)
        assert result(host.receive("done", run_id=quick)) == 0
    finally:
        host.process.kill()
        host.close()


def test_many_calls_are_in_flight_at_once(host: Host) -> None:
    runs = {host.start("mutation", "documents:create", {"text": str(n)}): n for n in range(40)}
    held = [host.receive("syscall") for _ in runs]
    assert {message["id"] for message in held} == set(runs)
    for message in reversed(held):
        host.serve(message)
    ended = [host.receive("done") for _ in runs]
    assert {message["id"] for message in ended} == set(runs)
    assert len(host.database.tables["tasks"]) == 40


def test_a_busy_call_can_be_seen_from_outside_and_killed(own_host: Host) -> None:
    assert own_host.query("documents:nothing") is None
    run_id = own_host.start("query", "errors:spin")
    deadline = time.monotonic() + 30
    while activity(own_host)[0] != run_id:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    since = activity(own_host)[1]
    assert 0 <= time.monotonic_ns() - since < 30e9
    own_host.process.kill()
    assert own_host.process.wait(30) != 0
    assert activity(own_host)[0] == run_id


def test_an_idle_host_says_so(own_host: Host) -> None:
    own_host.query("documents:nothing")
    deadline = time.monotonic() + 30
    while activity(own_host) != (0, 0):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_nothing_is_left_behind_when_the_engine_is_gone(own_host: Host) -> None:
    own_host.query("documents:nothing")
    own_host.socket.close()
    assert own_host.process.wait(30) == 0
    assert not own_host.activity.exists()


def test_a_cancelled_call_is_forgotten(host: Host) -> None:
    run_id = host.start("mutation", "documents:create", {"text": "x"})
    message = host.receive("syscall", run_id=run_id)
    host.send({"type": "cancel", "id": run_id})
    host.serve(message)
    assert host.query("documents:nothing") is None
    assert not any(sent.get("id") == run_id and sent["type"] != "syscall" for sent in host.messages)


def test_unknown_messages_are_ignored(host: Host) -> None:
    host.send({"type": "something new", "id": 1})
    host.send({"type": "reply", "id": 999_999, "replies": []})
    assert host.query("documents:nothing") is None


def test_a_reply_may_come_in_parts(host: Host) -> None:
    run_id = host.start("mutation", "documents:createTwo")
    calls = host.receive("syscall", run_id=run_id)["calls"]
    for call in calls:
        value = {"_id": f"id{call['call']}"}
        host.send({"type": "reply", "id": run_id, "replies": [{"call": call["call"], "value": value}]})
    assert result(host.receive("done", "failed", run_id=run_id)) == ["id1", "id2"]


def test_the_host_ends_with_its_engine(own_host: Host) -> None:
    own_host.socket.close()
    assert own_host.process.wait(30) == 0


def test_shutdown(own_host: Host) -> None:
    own_host.send({"type": "shutdown"})
    assert own_host.process.wait(30) == 0


def test_large_messages_pass(host: Host) -> None:
    text = "x" * 3_000_000
    assert host.query("documents:echo", {"value": text}) == text


def test_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    argv = node.host_argv("isolate", memory_mb=256, node="/bin/node")
    assert argv[0] == "/bin/node"
    assert "--max-old-space-size=256" in argv
    assert argv[-2:] == ["--environment", "isolate"]
    assert Path(argv[-3]) == FOLDER.parent.parent / "src" / "parabola" / "hosts" / "node" / "main.mjs"


@pytest.mark.parametrize(("compile_later", "mebibytes"), [(False, 72), (True, 24)])
def test_young_objects_take_the_same_room_in_every_node_js(compile_later: bool, mebibytes: int) -> None:
    # Two halves of 16 MB, or of 4 MB where a host runs one call, and more while V8 copies between them.
    argv = node.host_argv("isolate", compile_later=compile_later)
    flags = argv[1 : argv.index(str(node.ENTRY))]
    assert sum(flag.startswith("--max-semi-space-size=") for flag in flags) == 1
    filled = """
        let kept = [];
        for (let i = 0; i < 2e6; i++) kept.push({ i });
        const { space_size } = v8.getHeapSpaceStatistics().find((space) => space.space_name === "new_space");
        space_size / 2 ** 20
    """
    size = subprocess.run([argv[0], *flags, "-p", filled], capture_output=True, text=True, check=True)
    assert 0 < float(size.stdout) <= mebibytes


def test_numbers_and_dates_are_written_the_same_on_every_server() -> None:
    command = isolate_command("deterministic")
    env = {"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8", **command.env}
    program = [command.argv[0], "-p", "(1234.5).toLocaleString()"]
    assert subprocess.run(program, env=env, capture_output=True, text=True, check=True).stdout == "1,234.5\n"


async def test_without_node_python_projects_work_and_a_typescript_push_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing() -> str:
        raise node.NodeNotFound(node.MISSING_NODE)

    monkeypatch.setattr(node, "node_executable", missing)
    source = "from parabola import query\n\n\n@query\nasync def one(ctx):\n    return 1\n"
    backend = await Backend.open(BackendConfig(tmp_path))
    try:
        await backend.deploy(Push("python", (Module("p.py", "python", source),)))
        with pytest.raises(
            LoadFailure, match=r"need Node.js 20 or newer.*pip install 'parabola\[typescript\]'"
        ):
            await backend.deploy(Push("typescript", (Module("q.js", "isolate", "export {};"),)))
        assert (await backend.run_any(client_call("p:one", {}, Identity.admin()))).value == 1
    finally:
        await backend.close()


def test_without_node_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node.shutil, "which", lambda name: None)
    monkeypatch.setattr(node, "_bundled_node", lambda: None)
    node.node_executable.cache_clear()
    with pytest.raises(node.NodeNotFound, match=r"pip install 'parabola\[typescript\]'"):
        node.node_executable()
    monkeypatch.setattr(node, "_bundled_node", lambda: "/bundled/node")
    assert node.node_executable() == "/bundled/node"
    node.node_executable.cache_clear()
