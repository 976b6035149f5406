"""`make cluster`: PostgreSQL, three nodes, a balancer and the chat on this machine, until Ctrl-C.

In the corner of the page stands which node its window is on. Kill one by its process id and watch: the page
goes on, and the node comes again after a while.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # where the balancer and PostgreSQL are, which are imported below

SECRET = "c1" * 32
NAMES = ("oak", "elm", "ash")
AGAIN_SECONDS = 3.0
"""Before a node that was killed is started again, so that one sees it missing."""
WHERE = '''"""Which node answers: each has an address of its own."""

from parabola import QueryCtx, env, query


@query
async def node(ctx: QueryCtx) -> str:
    return env["CONVEX_CLOUD_URL"]
'''
BADGE = """import { anyApi } from "convex/server";
import { convex } from "./main";

const badge = document.createElement("div");
badge.style.cssText =
  "position:fixed;right:12px;bottom:12px;padding:6px 12px;border-radius:99px;" +
  "color:#fff;font:600 13px sans-serif";
document.body.append(badge);
const names: Record<string, string> = NODES;
const colours = ["#15803d", "#1d4ed8", "#b45309"];
const watch = convex.watchQuery(anyApi.where.node, {});
const show = () => {
  const url = watch.localQueryResult() as string | undefined;
  const connected = convex.connectionState().isWebSocketConnected;
  const at = Object.keys(names).indexOf(url ?? "");
  badge.textContent = connected && url ? `node ${names[url] ?? url}` : "looking for a node …";
  badge.style.background = connected && at >= 0 ? colours[at] : "#6b7280";
};
watch.onUpdate(show);
setInterval(show, 200);
"""


def say(text: str) -> None:
    print(f"  · {text}", flush=True)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def build(directory: Path, ports: dict[str, int]) -> Path:
    """The page of the chat, with the badge; its folder."""
    web = directory / "chat-web"
    shutil.copytree(ROOT / "examples" / "chat-web", web, symlinks=True)
    names = {f"http://127.0.0.1:{port}": name for name, port in ports.items()}
    (web / "src" / "cluster.tsx").write_text(BADGE.replace("NODES", str(names)))
    bundle = (
        *("src/cluster.tsx", "--bundle", "--format=esm", "--jsx=automatic", "--outfile=dist/main.js"),
        "--log-level=warning",
    )
    subprocess.run([str(web / "node_modules" / ".bin" / "esbuild"), *bundle], cwd=web, check=True)
    shutil.copy(web / "index.html", web / "dist")
    return web / "dist"


async def keep(name: str, port: int, directory: Path, page: Path, database: str) -> None:
    """A node, again and again."""
    data = directory / name
    data.mkdir()
    while True:
        with (data / "server.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "parabola", "serve", "--node", name, "--public", str(page)),
                *("--port", str(port), "--site-port", "0", "--instance-name", "cluster"),
                *("--file-storage", (directory / "files").as_uri()),
                cwd=data,
                stdout=log,
                stderr=log,
                env={**os.environ, "PARABOLA_DATABASE": database, "INSTANCE_SECRET": SECRET},
            )
        say(f"node {name} is process {process.pid} (kill -9 {process.pid}, kill -STOP, kill -CONT)")
        try:
            await process.wait()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            raise
        say(f"node {name} has ended; it is started again in {AGAIN_SECONDS:g} seconds")
        await asyncio.sleep(AGAIN_SECONDS)


def deploy(directory: Path, url: str) -> None:
    """The functions of the chat, and what it wants to know, to whichever node answers."""
    from parabola.services.sign_in.admin_keys import make_admin_key

    project = directory / "chat"
    shutil.copytree(ROOT / "examples" / "chat-python", project)
    (project / "convex" / "where.py").write_text(WHERE)
    there = ("--url", url, "--admin-key", make_admin_key("cluster", SECRET))
    services = "http://127.0.0.1:3220"
    variables = {
        "AUTH_ISSUER": services,
        "AUTH_JWKS": f"{services}/jwks.json",
        "WEATHER_URL": f"{services}/weather",
        "WEBHOOK_SECRET": "change-me",
    }
    command = (sys.executable, "-m", "parabola")
    for name, value in variables.items():
        setting = [*command, "env", "set", name, value, *there]
        subprocess.run(setting, cwd=project, check=True, capture_output=True)
    subprocess.run([*command, "deploy", *there], cwd=project, check=True)


async def main() -> None:
    from chaos.balancer import Balancer
    from postgres_server import PostgresServer, find_postgres

    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    programs = find_postgres()
    if programs is None:
        raise SystemExit("There is no PostgreSQL: run `python tools/setup.py postgres`.")
    port = int(os.environ.get("PORT", "3210"))
    with tempfile.TemporaryDirectory(prefix="parabola-cluster-") as folder:
        directory = Path(folder)
        ports = {name: free_port() for name in NAMES}
        say("building the page of the chat")
        page = build(directory, ports)
        postgres = PostgresServer(programs)
        say(f"PostgreSQL is at {postgres.url}")
        issuer = str(ROOT / "examples" / "chat-web" / "services.py")
        services = await asyncio.create_subprocess_exec(
            sys.executable, issuer, stdout=asyncio.subprocess.DEVNULL
        )
        nodes = [
            asyncio.create_task(keep(name, ports[name], directory, page, postgres.url)) for name in NAMES
        ]
        balancer = await Balancer.start(list(ports.values()), port)
        try:
            await balancer.all_ready()
            await asyncio.to_thread(deploy, directory, balancer.url)
            say(f"open {balancer.url} in several windows; Ctrl-C ends everything")
            await asyncio.gather(*nodes)
        finally:
            for node in nodes:
                node.cancel()
            await asyncio.gather(*nodes, return_exceptions=True)
            await balancer.close()
            with suppress(ProcessLookupError):
                services.terminate()
            await services.wait()
            postgres.stop()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(main())
