"""Functions cannot read what their server was started with, in Python and in Node.js, as root and not."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from node_push import push_node
from server_process import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")

# Not those of another run of these tests, which the spies would find before its server is closed to them.
SECRET = secrets.token_hex(32)
PASSWORD = secrets.token_hex(32)

SPY = '''
import os
from pathlib import Path
from parabola import ActionCtx, action

@action
def spy(ctx: ActionCtx, secrets: list[str]) -> list[str]:
    """Everything below /proc that tells one of them."""
    found, pids = [], [pid for pid in os.listdir("/proc") if pid.isdigit() and pid != str(os.getpid())]
    for pid in pids:
        for name in ("environ", "cmdline", "auxv"):
            try:
                content = Path("/proc", pid, name).read_bytes()
            except OSError:
                continue
            found += [f"{name} of {pid}" for secret in secrets if secret.encode() in content]
    return found

@action
def peek(ctx: ActionCtx) -> str:
    """The memory of the server, if it can be had."""
    server = os.getppid()
    while b"serve" not in Path("/proc", str(server), "cmdline").read_bytes().split(b"\\\\0"):
        server = int(Path("/proc", str(server), "stat").read_text().rpartition(")")[2].split()[1])
    process = Path("/proc", str(server))
    had = []
    for name in ("mem", "maps", "environ"):
        try:
            had += [name] if (process / name).open("rb").read(1) else []
        except OSError:
            pass
    try:
        had += [os.readlink(process / "fd" / name) for name in os.listdir(process / "fd")]
    except OSError:
        pass
    return ", ".join(had)

@action
def own(ctx: ActionCtx) -> list[str]:
    return [name for name in os.environ if "SECRET" in name or "KEY" in name]
'''.replace("\\\\0", "\\0")

NODE_SPY = """"use node";
import fs from "node:fs";
const spy = () => {};
spy.isAction = true;
spy.isPublic = true;
spy.exportArgs = () => '{"type":"any"}';
spy.exportReturns = () => "null";
spy.invokeAction = async (requestId, args) => {
  const { secrets } = JSON.parse(args)[0];
  const found = [];
  const isOther = (name) => /^\\d+$/.test(name) && name !== String(process.pid);
  const others = fs.readdirSync("/proc").filter(isOther);
  for (const pid of others) {
    for (const name of ["environ", "cmdline"]) {
      let content = "";
      try { content = fs.readFileSync(`/proc/${pid}/${name}`, "latin1"); } catch { continue; }
      for (const secret of secrets) if (content.includes(secret)) found.push(`${name} of ${pid}`);
    }
  }
  return JSON.stringify(found);
};
export { spy };
"""


class OrdinaryServer(ServerProcess):
    """A server whose user is not root, but may reach the interpreter wherever that is."""

    def __init__(self, directory: Path, *command: str) -> None:
        super().__init__(directory, *command)
        drop = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        reach = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        self._command = [*drop, *reach, *self._command]


@pytest.fixture(params=["root", "ordinary"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("sealed")
    (directory / "convex").mkdir()
    (directory / "convex" / "spies.py").write_text(SPY)
    kind: type[ServerProcess] = ServerProcess
    if os.geteuid() == 0 and request.param == "ordinary":
        if shutil.which("setpriv") is None:
            pytest.skip("there is no setpriv to become another user with")
        kind = OrdinaryServer
        for path in (directory, *directory.parents):
            if path.stat().st_uid == 0 and path != Path("/") and not path.stat().st_mode & 0o005:
                path.chmod(path.stat().st_mode | 0o005)
        os.chown(directory, 65534, 65534)
    elif (os.geteuid() == 0) != (request.param == "root"):
        pytest.skip("this user is not root")
    server = kind(directory, "serve", "--port", "0", "--site-port", "0")
    server.start(INSTANCE_SECRET=SECRET, AWS_SECRET_ACCESS_KEY=PASSWORD, HOME=str(directory))
    yield server
    server.close()


def test_no_function_reads_what_the_server_was_started_with(server: ServerProcess) -> None:
    server.cli("deploy", "--url", server.url, "--admin-key", server.admin_key)
    wanted = [SECRET, PASSWORD]
    assert server.call("action", "spies:spy", secrets=wanted) == []
    assert server.call("action", "spies:peek") == ""
    assert server.call("action", "spies:own") == []
    push_node(server, NODE_SPY)
    assert server.call("action", "node:spy", secrets=wanted) == []


def test_a_secret_in_the_command_line_is_struck_out(tmp_path: Path) -> None:
    for arguments in (("--instance-secret", SECRET), (f"--instance-secret={SECRET}",)):
        server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0", *arguments).start()
        try:
            shown = Path(f"/proc/{server.pid}/cmdline").read_bytes()
            assert b"--instance-secret" in shown
            assert SECRET.encode() not in shown
        finally:
            server.close()
