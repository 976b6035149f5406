"""`python -m parabola.executors`: the Python host that executes transactions itself."""

from __future__ import annotations

from parabola.executors.file_executor import FileExecutor
from parabola.hosts.python.__main__ import main

if __name__ == "__main__":
    main(executor=FileExecutor(is_advised=True))
