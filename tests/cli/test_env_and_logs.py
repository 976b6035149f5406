"""`parabola env`, `parabola logs` and `parabola audit` against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from server_process import ServerProcess

FUNCTIONS = """
from parabola import MutationCtx, QueryCtx, audit_vars, env, mutation, query

@query
def greeting(ctx: QueryCtx) -> str | None:
    return env.get("GREETING")

@query
def noisy(ctx: QueryCtx) -> None:
    print("something to read")

@query
def broken(ctx: QueryCtx) -> None:
    raise ValueError("something to mend")

@mutation
async def remember(ctx: MutationCtx, what: str, fail: bool = False) -> None:
    await ctx.audit({"action": what, "agent": audit_vars.user_agent})
    if fail:
        raise ValueError("after all")

@query
def obeyed(ctx: QueryCtx) -> None:
    print("\\x1b[2J is \\x9b2J")
    raise ValueError("\\x1b]52;c;aGk=\\x07")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("app")
    (directory / "convex").mkdir()
    (directory / "convex" / "functions.py").write_text(FUNCTIONS)
    server = ServerProcess(directory, "dev", "--port", "0", "--site-port", "0").start()
    server.wait_for_output("functions ready")
    yield server
    server.close()


def test_a_variable_is_set_read_listed_and_removed(server: ServerProcess) -> None:
    assert server.run("functions:greeting") is None
    server.cli("env", "set", "GREETING", "hello world")
    assert server.run("functions:greeting") == "hello world"
    assert server.cli("env", "get", "GREETING").stdout == "hello world\n"
    assert server.cli("env", "list").stdout == "GREETING=hello world\n"
    server.cli("env", "remove", "GREETING")
    assert server.run("functions:greeting") is None
    assert server.cli("env", "list").stdout == ""


def test_the_list_of_variables_is_a_file_that_can_be_set_again(server: ServerProcess) -> None:
    value = '-----BEGIN KEY-----\nit\'s # "no" comment\\n\n-----END KEY-----\n'
    server.cli("env", "set", "GREETING", value)
    listed = server.cli("env", "list").stdout
    server.cli("env", "set", "GREETING", "other")
    (server.directory / "saved.env").write_text("\ufeff" + listed + "SECOND=2\n")
    done = server.cli("env", "set", "--from-file", str(server.directory / "saved.env"))
    assert "GREETING, SECOND" in done.stdout + done.stderr
    assert server.call("query", "functions:greeting") == value
    for name in ("GREETING", "SECOND"):
        server.cli("env", "remove", name)


def test_env_says_what_went_wrong(server: ServerProcess) -> None:
    done = server.cli("env", "get", "NOTHING", check=False)
    assert done.returncode == 1
    assert "parabola env set NOTHING" in done.stderr
    done = server.cli("env", "set", "not-a-name", "x", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (
            ("GREETING", "-----BEGIN KEY-----\nMII=\n-----END KEY-----"),
            "-----BEGIN KEY-----\nMII=\n-----END KEY-----",
        ),
        (("GREETING", "--x=y"), "--x=y"),
        (("GREETING", "-"), "-"),
        (("GREETING=-a=b",), "-a=b"),
        (("--", "GREETING", "--help"), "--help"),
    ],
)
def test_any_text_is_a_value(server: ServerProcess, arguments: tuple[str, ...], value: str) -> None:
    server.cli("env", "set", *arguments)
    assert server.call("query", "functions:greeting") == value


@pytest.mark.parametrize(
    "arguments",
    [
        ("KEY", "s3cret", "more"),
        ("KEY=s3cret", "value"),
        ("KEY", "value", "--admin-kye=s3cret"),
        ("not-a-name", "s3cret"),
        ("KEY", "s3cret", "--admin-key"),
    ],
)
def test_no_mistake_shows_a_secret(server: ServerProcess, arguments: tuple[str, ...]) -> None:
    done = server.cli("env", "set", *arguments, check=False)
    assert done.returncode != 0
    assert done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_a_variable_that_the_auth_config_needs(server: ServerProcess) -> None:
    config = server.directory / "convex" / "auth_config.py"
    since = len(server.output())
    config.write_text(
        "from parabola import env\nproviders = [{'domain': env['AUTH_ISSUER'], 'applicationID': 'app'}]\n"
    )
    server.wait_for_output("parabola env set NAME VALUE", since)
    assert "AUTH_ISSUER is used in auth config file but its value was not set" in server.output()[since:]
    since = len(server.output())
    server.cli("env", "set", "AUTH_ISSUER", "https://issuer.example")
    server.wait_for_output("+auth_config.py", since)
    done = server.cli("env", "remove", "AUTH_ISSUER", check=False)
    assert done.returncode == 1
    assert "AUTH_ISSUER is used in auth config file but its value was not set" in done.stderr
    since = len(server.output())
    config.unlink()
    server.wait_for_output("−auth_config.py", since)
    server.cli("env", "remove", "AUTH_ISSUER")


def test_lines_and_errors_show_in_dev_and_in_logs(server: ServerProcess) -> None:
    since = len(server.output())
    server.run("functions:noisy")
    assert server.cli("run", "functions:broken", check=False).returncode == 1
    printed = server.wait_for_output("something to mend", since)
    assert "functions:noisy [LOG] something to read" in printed
    assert "convex/functions.py:14" in server.output()
    logged = server.cli("logs", "--history", "10", "--no-follow").stdout
    assert "something to read" in logged
    assert "something to mend" in logged
    entries = server.cli("logs", "--history", "100", "--no-follow", "--jsonl").stdout.splitlines()
    assert "functions:broken" in [json.loads(entry)["identifier"] for entry in entries]


def test_nothing_that_a_terminal_obeys_is_shown(server: ServerProcess) -> None:
    done = server.cli("run", "functions:obeyed", check=False)
    server.wait_for_output("52;c;aGk=")
    logs = server.cli("logs", "--history", "10", "--no-follow").stdout
    for shown in (done.stderr, logs, server.output()):
        assert r"\x1b[2J is \x9b2J" in shown
        assert r"\x1b]52;c;aGk=\x07" in shown
        assert not any(control in shown for control in "\x1b\x07\x9b")


def test_the_log_outlives_the_server_and_finds_a_request(tmp_path: Path) -> None:
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "functions.py").write_text(FUNCTIONS)
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    try:
        server.cli("deploy")
        shown = server.cli("run", "functions:broken", check=False).stderr
        id = shown.partition("[Request ID: ")[2].partition("]")[0]
        assert f"functions:broken failed [Request ID: {id}]" in server.wait_for_output(id)
        server.run("functions:noisy")
        server.terminate()
        server.start()
        logged = server.cli("logs", "--history", "10", "--no-follow").stdout
        assert f"something to mend [Request ID: {id}]" in logged
        assert "something to read" in logged
        for pasted in (id, f"[Request ID: {id}] Server Error"):
            found = server.cli("logs", "--request-id", pasted).stdout
            assert "something to mend" in found
            assert "something to read" not in found
        missing = server.cli("logs", "--request-id", "00", check=False)
        assert missing.returncode == 1
        assert "nothing under the request id 00" in missing.stderr
        errors = server.cli("logs", "--history", "10", "--level", "ERROR", "--no-follow").stdout
        assert "something to mend" in errors
        assert "something to read" not in errors
        noisy = server.cli("logs", "--history", "10", "--function", "functions:noisy", "--no-follow").stdout
        assert "something to mend" not in noisy
        assert "something to read" in noisy
    finally:
        server.close()


def test_the_audit_log_is_printed_for_people_and_for_programs(server: ServerProcess) -> None:
    server.run("functions:remember", {"what": "opened"})
    server.cli("run", "functions:remember", json.dumps({"what": "clo\x9b2Jsed", "fail": True}), check=False)
    opened, closed = server.cli("audit").stdout.splitlines()
    assert ' functions:remember {"action": "opened", "agent": ' in opened
    assert "functions:remember (failed)" in closed
    assert "\x9b" not in closed
    entries = [
        json.loads(line) for line in server.cli("audit", "--limit", "1", "--jsonl").stdout.splitlines()
    ]
    assert [(entry["body"]["action"], entry["status"]) for entry in entries] == [("clo\x9b2Jsed", "failure")]
