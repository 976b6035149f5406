"""A large app: a hundred modules that each import the AI SDK, and the memory of its server with all hosts."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

from benchmarks.http_client import http_client
from benchmarks.process_memory import MIB, proportional_bytes
from benchmarks.report import Report, Row
from benchmarks.served_data import ServedData
from parabola.hosts.node import node_executable

APPLICATION = Path(__file__).with_name("assistants")
MODULES = 100
SETTLE_SECONDS = 10.0
_BARE = "import('ai').then(() => { console.log('.'); setInterval(() => {}, 1000) })"


class LargeApp(ServedData):
    """The one module of the project in many copies, each with a name of its own."""

    def write_project(self, project: Path) -> None:
        convex = project / "convex"
        convex.mkdir(parents=True)
        shutil.copy(APPLICATION / "package.json", project)
        shutil.copy(APPLICATION / "convex" / "schema.ts", convex)
        text = (APPLICATION / "convex" / "assistant.ts").read_text()
        for name in NAMES:
            (convex / f"{name}.ts").write_text(text.replace('NAME = "assistant"', f'NAME = "{name}"'))

    def change_project(self, project: Path, change: int) -> None:
        pass


NAMES = tuple(f"assistant{number:02}" for number in range(MODULES))


async def large_app(report: Report, folder: Path) -> None:
    """Its memory when idle, when every module has been called, and with actions; beside one Node.js that has
    imported the AI SDK once.
    """
    packages = APPLICATION / "node_modules"
    served = LargeApp(folder / "large", "TypeScript", folder / "compiled", packages=packages)
    floor = await asyncio.to_thread(_one_import)
    await served.start(query=None)
    await asyncio.to_thread(served.deploy)
    await served.stop()

    def add(name: str) -> None:
        memory = proportional_bytes(served.pid) / MIB
        report.add(Row(name, memory, "MiB", floor / MIB, "one Node.js with it", higher_is_better=False))

    await served.start(query=None)
    try:
        async with http_client(served.url) as client:
            await asyncio.sleep(SETTLE_SECONDS)
            add(f"memory with {MODULES} modules that import the AI SDK, idle")
            for name in NAMES:
                await client.call("mutation", f"{name}:remember", {"text": "a note"})
                await client.call("query", f"{name}:newest", {})
            await asyncio.sleep(SETTLE_SECONDS)
            add("  each has been called")
            for name in NAMES:
                await client.call("action", f"{name}:ask", {"prompt": "Is it so?"})
            add("  and its actions, right after them")
            await asyncio.sleep(SETTLE_SECONDS)
            add("  and some seconds later")
    finally:
        await served.stop()


def _one_import() -> int:
    command = [node_executable(), "-e", _BARE]
    with subprocess.Popen(command, cwd=APPLICATION, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            return proportional_bytes(process.pid)
        finally:
            process.terminate()
