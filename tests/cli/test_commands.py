"""The commands as a user types them, against real servers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from server_process import ServerProcess
from tasks_example import copy_functions

SECRET = "ab" * 32
FUNCTION = """\
from parabola import QueryCtx, query
@query
def f(ctx: QueryCtx) -> float:
    return 1.0
"""


def parabola(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONVEX_")}
    return subprocess.run(
        [sys.executable, "-m", "parabola", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "NO_COLOR": "1", "COLUMNS": "200"},
    )


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("dev")
    copy_functions(directory)
    server = ServerProcess(
        directory, "dev", "--port", "0", "--site-port", "0", "--run", "sample:load"
    ).start()
    server.wait_for_output("ran sample:load")
    yield server
    server.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    yield server
    server.close()


def test_run_prints_the_result_as_json_and_logs_beside_it(dev: ServerProcess) -> None:
    noisy = FUNCTION.replace("    return 1.0", "    print('a log line')\n    return 1.5")
    (dev.directory / "convex" / "noisy.py").write_text(noisy)
    dev.wait_for_output("+noisy.py")
    done = dev.cli("run", "noisy:f")
    assert json.loads(done.stdout) == 1.5
    assert "a log line" in done.stderr


def test_a_function_can_be_named_in_several_ways(dev: ServerProcess) -> None:
    for name in ("tasks:summary", "api.tasks.summary", "tasks.py:summary", "convex/tasks.py:summary"):
        assert set(json.loads(dev.cli("run", name).stdout)) == {"open", "done"}


def test_internal_functions_can_be_run(dev: ServerProcess) -> None:
    assert dev.run("sample:load") == 0.0


def test_run_says_what_went_wrong(dev: ServerProcess) -> None:
    done = dev.cli("run", "tasks:create", '{"text": 1}', check=False)
    assert done.returncode == 1
    assert "ArgumentValidationError" in done.stderr
    assert "Traceback" not in done.stderr
    done = dev.cli("run", "tasks:create", "text=milk", check=False)
    assert done.returncode == 1
    assert "must be a JSON object" in done.stderr
    read_by_a_shell = '{"text": "milk"}'.encode("utf-16").replace(b"\0", b"").decode(errors="surrogateescape")
    done = dev.cli("run", "tasks:create", read_by_a_shell, check=False)
    assert done.returncode == 1
    assert "The text of the arguments is UTF-16, not UTF-8. Save it as UTF-8." in done.stderr
    done = dev.cli("run", "tasks:nothing", check=False)
    assert done.returncode == 1
    assert "Could not find function for 'tasks:nothing'" in done.stderr


def test_data_shows_tables_and_documents(dev: ServerProcess) -> None:
    assert "tasks" in dev.cli("data").stdout.splitlines()
    dev.run("tasks:create", {"text": "shown by data"})
    lines = dev.cli("data", "tasks", "--limit", "1", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["shown by data"]
    table = dev.cli("data", "tasks").stdout
    assert "shown by data" in table
    assert "_creationTime" in table.splitlines()[0]


def test_data_of_a_table_that_does_not_exist_names_those_that_do(dev: ServerProcess) -> None:
    done = dev.cli("data", "taks", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert 'There is no table "taks". Did you mean `tasks`?' in done.stderr


def test_a_function_is_found_by_its_dotted_name_and_a_wrong_one_names_its_like(dev: ServerProcess) -> None:
    assert dev.cli("run", "tasks.list").stdout == dev.cli("run", "tasks:list").stdout
    done = dev.cli("run", "tasks:lst", check=False)
    assert "Could not find function for 'tasks:lst'. Did you mean `tasks:list`" in done.stderr
    assert "npx" not in done.stderr


def test_a_save_is_served_and_a_broken_one_is_not(dev: ServerProcess) -> None:
    file = dev.directory / "convex" / "edited.py"
    file.write_text(FUNCTION)
    dev.wait_for_output("+edited.py")
    since = len(dev.output())
    file.write_text(FUNCTION + "def broken(:\n")
    printed = dev.wait_for_output("goes on serving", since)
    assert "convex/edited.py:5: SyntaxError" in printed
    assert dev.run("edited:f") == 1.0
    since = len(dev.output())
    file.write_text(FUNCTION.replace("1.0", "2.0"))
    dev.wait_for_output("~edited.py", since)
    assert dev.run("edited:f") == 2.0
    assert "edited" in (dev.directory / "convex" / "_generated" / "api.d.ts").read_text()


def test_a_save_that_never_loads_gives_way_to_the_next_one(dev: ServerProcess) -> None:
    file, reached = dev.directory / "convex" / "endless.py", dev.directory / "reached"
    file.write_text(f"open({str(reached)!r}, 'w').close()\nwhile True:\n    pass\n")
    dev.wait_for(reached.exists)
    since = len(dev.output())
    file.write_text(FUNCTION)
    dev.wait_for_output("+endless.py", since)
    assert dev.run("endless:f") == 1.0


def test_a_save_that_breaks_the_schema_says_which_document(dev: ServerProcess) -> None:
    schema = dev.directory / "convex" / "schema.py"
    before = schema.read_text()
    since = len(dev.output())
    schema.write_text(before.replace("v.boolean()", "v.string()"))
    printed = dev.wait_for_output("goes on serving", since)
    assert 'in table "tasks" does not match the schema' in printed
    since = len(dev.output())
    schema.write_text(before)
    dev.wait_for_output("functions ready", since)


def test_a_second_server_on_the_same_data_is_refused_in_a_sentence(dev: ServerProcess) -> None:
    done = dev.cli("serve", "--port", "0", "--site-port", "0", check=False)
    assert done.returncode == 1
    assert f"in use by process {dev.pid}" in done.stderr
    assert "Traceback" not in done.stderr
    assert dev.run("sample:load") == 0.0, "the refused one has not disturbed the first"


def test_a_data_directory_that_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    ended = parabola("serve", "--port", "0", "--site-port", "0", "--data", "data", directory=tmp_path)
    assert ended.returncode == 1
    assert "The data directory data cannot be used: File exists (data)." in ended.stderr
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "instance.json").write_text("{")
    ended = parabola("serve", "--port", "0", "--site-port", "0", "--data", "kept", directory=tmp_path)
    assert ended.returncode == 1
    assert "instance.json is not JSON, so the deployment's secret is not known." in ended.stderr


def test_a_busy_port_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = parabola("serve", "--port", str(port), "--site-port", "0", directory=tmp_path)
        assert done.returncode == 1
        assert f"Port {port} on 127.0.0.1 is already in use" in done.stderr
        assert "--port" in done.stderr
        done = parabola("serve", "--port", "0", "--site-port", str(port), directory=tmp_path)
        assert "--site-port" in done.stderr
    assert not (tmp_path / ".parabola").exists()


def test_deploy_pushes_to_a_server_elsewhere(
    served: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = tmp_path_factory.mktemp("project")
    copy_functions(project)
    options = ("--url", served.url, "--admin-key", served.admin_key)
    done = parabola("deploy", "--dry-run", *options, directory=project)
    assert done.returncode == 0, done.stderr
    assert "+ module tasks.py" in done.stderr
    assert served.cli("run", "tasks:list", check=False).returncode == 1
    done = parabola("deploy", *options, directory=project)
    assert done.returncode == 0, done.stderr
    assert "+ index tasks.by_completed" in done.stderr
    assert served.run("tasks:list") == []


def test_deploy_refuses_a_wrong_key_and_broken_code(
    served: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = tmp_path_factory.mktemp("project")
    copy_functions(project)
    done = parabola("deploy", "--url", served.url, "--admin-key", "parabola-local|00", directory=project)
    assert done.returncode == 1
    assert "admin key was invalid" in done.stderr
    (project / "convex" / "broken.py").write_text("import nothing_like_this")
    done = parabola("deploy", "--url", served.url, "--admin-key", served.admin_key, directory=project)
    assert done.returncode == 1
    assert "convex/broken.py:1" in done.stderr
    done = parabola("deploy", "--url", "http://127.0.0.1:9", "--admin-key", "a|b", directory=project)
    assert done.returncode == 1
    assert "does not answer" in done.stderr


def error_text(served: ServerProcess) -> str:
    """What a client is told about a wrong argument."""
    body = json.dumps({"path": "tasks:create", "args": {"text": 3}}).encode()
    request = urllib.request.Request(f"{served.url}/api/mutation", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        text: str = json.load(answer)["errorMessage"]
        return text


def test_functions_survive_a_restart_which_may_hide_errors_from_clients(served: ServerProcess) -> None:
    copy_functions(served.directory)
    assert parabola("deploy", directory=served.directory).returncode == 0
    served.run("tasks:create", {"text": "kept"})
    assert "ArgumentValidationError" in error_text(served)
    assert served.terminate() == 0
    served.start(REDACT_LOGS_TO_CLIENT="true")
    assert error_text(served).endswith("Server Error")
    assert [task["text"] for task in served.run("tasks:list")] == ["kept"]


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_in_good_order(served: ServerProcess, with_signal: signal.Signals) -> None:
    assert served.terminate(with_signal) == 0
    assert not (served.data_dir / "server.json").exists()
    assert "Traceback" not in served.output()
    done = parabola("run", "tasks:list", directory=served.directory)
    assert done.returncode == 1
    assert "No server is running in this project" in done.stderr


def test_an_admin_key_opens_the_deployment_it_was_made_for(tmp_path: Path) -> None:
    name = ("--instance-name", "my-app", "--instance-secret", SECRET)
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0", *name).start()
    try:
        key = parabola("admin-key", *name, directory=tmp_path).stdout.strip()
        assert key.startswith("my-app|")
        request = urllib.request.Request(
            f"{server.url}/api/check_admin_key", headers={"Authorization": f"Convex {key}"}
        )
        with urllib.request.urlopen(request) as response:
            assert json.load(response)["success"] is True
        with urllib.request.urlopen(f"{server.url}/instance_name") as response:
            assert response.read() == b"my-app"
    finally:
        server.close()


def test_no_secret_is_made_up_for_an_admin_key(tmp_path: Path) -> None:
    """A server may have been told its secret, and keep none: a key of another one would open nothing."""
    data = tmp_path / "data"
    data.mkdir()
    for directory in ("data", "missing"):
        done = parabola("admin-key", "--data", directory, directory=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert "The secret of the deployment is not known" in " ".join(done.stderr.split())
    assert list(tmp_path.rglob("*")) == [data]


def test_an_admin_key_can_be_made_from_the_data_directory(served: ServerProcess) -> None:
    key = parabola("admin-key", directory=served.directory).stdout.strip()
    request = urllib.request.Request(
        f"{served.url}/api/check_admin_key", headers={"Authorization": f"Convex {key}"}
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 200


def test_admin_keys_are_listed_and_revoked(served: ServerProcess) -> None:
    lost, kept = (
        parabola("admin-key", "--name", name, directory=served.directory).stdout.strip()
        for name in ("lost laptop", "kept")
    )
    target = ("--url", served.url, "--admin-key")
    for key in (lost, kept):
        parabola("data", *target, key, directory=served.directory)
    listed = parabola("admin-key", "list", directory=served.directory).stdout
    assert {line[18:].partition("  made ")[0] for line in listed.splitlines()} == {"lost laptop", "kept"}
    lost_id = next(line.split()[0] for line in listed.splitlines() if "lost laptop" in line)
    assert parabola("admin-key", "revoke", directory=served.directory).returncode == 1
    assert parabola("admin-key", "revoke", lost_id, directory=served.directory).returncode == 0
    refused = parabola("data", *target, lost, directory=served.directory)
    assert refused.returncode == 1
    assert "was revoked" in " ".join(refused.stderr.split())
    assert parabola("data", *target, kept, directory=served.directory).returncode == 0
    assert parabola("admin-key", "revoke", "--all", directory=served.directory).returncode == 0
    assert parabola("data", *target, kept, directory=served.directory).returncode == 1
    new = parabola("admin-key", directory=served.directory).stdout.strip()
    assert parabola("data", *target, new, directory=served.directory).returncode == 0


def test_the_version_is_answered_when_the_server_is_ready(served: ServerProcess) -> None:
    with urllib.request.urlopen(f"{served.url}/version") as response:
        assert response.read().decode() == parabola("--version", directory=served.directory).stdout.strip()


def test_codegen_writes_declarations_without_a_server(tmp_path: Path) -> None:
    copy_functions(tmp_path)
    (tmp_path / "convex" / "_generated" / "api.d.ts").unlink()
    done = parabola("codegen", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "create: FunctionReference<" in (tmp_path / "convex" / "_generated" / "api.d.ts").read_text()


def test_a_directory_without_functions_is_told_what_to_do(tmp_path: Path) -> None:
    for command in ("dev", "codegen", "deploy"):
        done = parabola(command, directory=tmp_path)
        assert done.returncode == 1
        assert "There is no convex/ folder" in done.stderr


def test_functions_import_what_the_server_can_import(tmp_path: Path) -> None:
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "shop.py").write_text(
        "import prices, rates\n" + FUNCTION.replace("1.0", "prices.MILK")
    )
    (tmp_path / "prices.py").write_text("MILK = 2.5\n")  # in the project's directory
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "rates.py").write_text("")  # on PYTHONPATH
    server = ServerProcess(tmp_path, "dev", "--port", "0", "--site-port", "0")
    try:
        server.start(PYTHONPATH=str(tmp_path / "lib"))
        server.wait_for_output("1 function ready")
        assert server.run("shop:f") == 2.5
    finally:
        server.close()


def test_documents_are_printed_so_that_they_can_be_imported_again(served: ServerProcess) -> None:
    rows = [
        {"_id": None, "integer": {"$integer": "BAAAAAAAAAA="}, "bytes": {"$bytes": "AAE="}},
        {"_id": None, "number": 4, "infinite": {"$float": "AAAAAAAA8H8="}, "text": "a\u2028b\x85\u0000"},
    ]
    source = served.directory / "rows.jsonl"
    source.write_text(
        "".join(json.dumps({k: v for k, v in row.items() if v is not None}) + "\n" for row in rows)
    )
    served.cli("import", "--table", "kept", str(source))
    printed = {}
    for format, ending in (("jsonl", ".jsonl"), ("json", ".json")):
        printed[format] = served.cli("data", "kept", "--format", format, "--order", "asc").stdout
        copy = served.directory / f"copy{ending}"
        copy.write_text(printed[format], encoding="utf-8", newline="")
        served.cli("import", "--table", "kept", "--replace", "--yes", str(copy))
        assert served.cli("data", "kept", "--format", format, "--order", "asc").stdout == printed[format]
    lines = [json.loads(line) for line in printed["jsonl"].split("\n") if line]
    assert lines[0]["integer"] == rows[0]["integer"]
    assert lines[0]["bytes"] == rows[0]["bytes"]
    assert lines[1]["infinite"] == rows[1]["infinite"]
    assert lines[1]["text"] == rows[1]["text"]
    assert json.loads(printed["json"]) == lines


def test_a_server_leaves_nothing_to_others(tmp_path: Path) -> None:
    """Not even with a careless umask, and not in a directory that an earlier version has made."""
    data = tmp_path / ".parabola"
    data.mkdir(mode=0o755)
    data.chmod(0o755)
    (data / "instance.json").write_text(json.dumps({"instanceName": "old", "instanceSecret": SECRET}))
    (data / "instance.json").chmod(0o644)
    before = os.umask(0)
    try:
        server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    finally:
        os.umask(before)
    try:
        assert ".parabola could be read by others; now only its owner can" in server.output()
        open_to_others = [path for path in (data, *data.rglob("*")) if path.stat().st_mode & 0o077]
        assert open_to_others == []
        assert (data / ".gitignore").read_text() == "*\n"
    finally:
        server.close()


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    from_file = ("--instance-name", "my-app", "--instance-secret-file", "secret")
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0", *from_file).start()
    try:
        key = parabola("admin-key", *from_file, directory=tmp_path).stdout.strip()
        assert parabola("data", "--url", server.url, "--admin-key", key, directory=tmp_path).returncode == 0
        assert not (server.data_dir / "instance.json").exists()
    finally:
        server.close()
    twice = parabola("serve", *from_file, "--instance-secret", SECRET, directory=tmp_path)
    assert twice.returncode == 1
    assert "The instance secret is given twice" in " ".join(twice.stderr.split())
    missing = parabola("admin-key", "--instance-secret-file", "no", directory=tmp_path)
    assert "cannot be read from no: No such file" in " ".join(missing.stderr.split())
