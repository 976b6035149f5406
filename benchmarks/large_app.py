"""A large app: a hundred modules that each import the AI SDK, and the memory of its server with all hosts."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from pathlib import Path

from benchmarks.http_client import http_client
from benchmarks.memory_and_start import BareServer, memory_row, settled
from benchmarks.process_memory import proportional_bytes
from benchmarks.report import Report
from benchmarks.served_data import ServedData
from parabola.hosts.node import node_executable

APPLICATION = Path(__file__).with_name("assistants")
NAMES = tuple(f"assistant{number:02}" for number in range(100))
_IMPORT = "import('ai').then(() => { console.log('.'); setInterval(() => {}, 1000) })"


class LargeApp(ServedData):
    """The one module of the project in many copies, each with a name of its own."""

    def write_project(self) -> None:
        convex = self.project / "convex"
        convex.mkdir(parents=True)
        shutil.copy(APPLICATION / "package.json", self.project)
        shutil.copy(APPLICATION / "convex" / "schema.ts", convex)
        text = (APPLICATION / "convex" / "assistant.ts").read_text()
        for name in NAMES:
            (convex / f"{name}.ts").write_text(text.replace('NAME = "assistant"', f'NAME = "{name}"'))

    def change_project(self, change: int) -> None:
        pass


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
    await served.start(query=None)
    try:
        async with http_client(served.url) as client:
            name = f"memory with {len(NAMES)} modules that import the AI SDK, idle"
            report.add(memory_row(name, await settled(served), floor))
            for name in NAMES:
                await client.call("mutation", f"{name}:remember", {"text": "a note"})
                await client.call("query", f"{name}:newest", {})
            report.add(memory_row("  each has been called", await settled(served), floor))
            for name in NAMES:
                await client.call("action", f"{name}:ask", {"prompt": "Is it so?"})
            report.add(
                memory_row("  and its actions, right after them", proportional_bytes(served.pid), floor)
            )
            report.add(memory_row("  and some seconds later", await settled(served), floor))
    finally:
        await served.stop()


def _one_import() -> BareServer:
    command = [node_executable(), "-e", _IMPORT]
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=APPLICATION, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            taken = time.perf_counter() - started
            return BareServer(taken, proportional_bytes(process.pid), "one Node.js with it")
        finally:
            process.terminate()
