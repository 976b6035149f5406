"""Inserts as somebody writes them by hand: FastAPI and aiosqlite, each durable before it is answered.

`python hand_written.py PORT FILE`
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Note(BaseModel):
    channel: int
    text: str


def application(file: str) -> FastAPI:
    connections: list[aiosqlite.Connection] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with aiosqlite.connect(file) as db:
            await db.execute("PRAGMA journal_mode = WAL")
            await db.execute("PRAGMA synchronous = FULL")
            await db.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, channel INTEGER, text TEXT)")
            await db.execute("CREATE INDEX by_channel ON notes (channel)")
            await db.commit()
            connections.append(db)
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/notes")
    async def insert(note: Note) -> dict[str, Any]:
        (db,) = connections
        cursor = await db.execute(
            "INSERT INTO notes (channel, text) VALUES (?, ?)", (note.channel, note.text)
        )
        await db.commit()
        return {"id": cursor.lastrowid}

    return app


if __name__ == "__main__":
    uvicorn.run(application(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
