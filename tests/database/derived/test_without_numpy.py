"""NumPy is loaded with the first search index, and not before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, sys
from pathlib import Path
from parabola.database.database import Database
from parabola.database.store.sqlite import SqlitePersistence
from parabola.server import app
from parabola.backend import Backend

async def main():
    database = await Database.open(SqlitePersistence.open(Path(sys.argv[1])))
    tx = database.begin(writable=True)
    await tx.insert("t", {"text": "hello"})
    await database.commit(tx)
    await database.close()

asyncio.run(main())
print("numpy" in sys.modules)
"""


def test_a_database_without_search_indexes_does_without_numpy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
