"""An engine whose host makes a file: says where, and the host's process id, then waits to be ended."""

from __future__ import annotations

import asyncio
import sys

from functions.processes.test_host_process import TINY, bundle, request, result_of
from parabola.functions.processes.host_process import HostProcess


async def main() -> None:
    host = await HostProcess.spawn(TINY, step_limit=None)
    await host.load(bundle())
    print(await result_of(host.run(request("litter"))), host.pid, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await host.close()


if __name__ == "__main__":
    asyncio.run(main())
