"""The engine's own reads, on a database filled directly: no functions, no sockets."""

from __future__ import annotations

from pathlib import Path

from parabola.backend import open_database
from parabola.database.database import Database
from parabola.database.model.indexes import Index

BATCH = 2000


class EngineReads:
    """Documents of one table with 100 to a channel; `ids` in the order they were written."""

    def __init__(self, database: Database, ids: list[str]) -> None:
        self._database = database
        self.ids = ids

    @classmethod
    async def open(cls, folder: Path, count: int) -> EngineReads:
        database = await open_database(folder / "engine")
        tx = database.begin(writable=True)
        table = tx.create_table("notes")
        tx.create_index(
            Index(
                index_id=database.new_id(),
                tablet_id=table.tablet_id,
                name="by_channel",
                fields=("channel", "_creationTime"),
                state="enabled",
            )
        )
        await database.commit(tx)
        ids: list[str] = []
        while len(ids) < count:
            tx = database.begin(writable=True)
            for number in range(len(ids), min(len(ids) + BATCH, count)):
                ids.append(await tx.insert("notes", {"channel": float(number // 100), "text": "note"}))
            await database.commit(tx)
        return cls(database, ids)

    async def point(self, number: int) -> None:
        await self._database.begin().get(self.ids[number])

    async def range(self, channel: int, count: int) -> None:
        source = {
            "type": "IndexRange",
            "indexName": "notes.by_channel",
            "range": [{"type": "Gte", "fieldPath": "channel", "value": float(channel)}],
            "order": None,
        }
        stream = self._database.begin().query({"source": source, "operators": [{"limit": count}]})
        await stream.next(count)

    async def close(self) -> None:
        await self._database.close()
