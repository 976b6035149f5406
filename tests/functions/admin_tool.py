"""An admin tool for tests: calls system functions as the dashboard does, on a real database."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from functions.engine import Engine, ScriptedRun, ScriptedWorld, running
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.results import FunctionResult
from parabola.values.encoding import encode, loads
from parabola.values.schema.definition import define_schema, define_table

ADMIN = Identity.admin()
READER = Identity.admin(read_only=True)


class AdminTool:
    """Short forms of what tests of system functions do all the time."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def call(
        self, kind: str, path: str, args: dict[str, Any], identity: Identity = ADMIN
    ) -> FunctionResult:
        run = self.engine.query if kind == "query" else self.engine.mutation
        return await run(f"_system/{path}", encode(args), identity, public_only=False)

    async def read(self, path: str, **args: Any) -> Any:
        """The value of a system query, by its path after `_system/`."""
        result = await self.call("query", path, args)
        assert result.error is None, result.error
        return loads(result.value_json)

    async def write(self, path: str, **args: Any) -> Any:
        """The value of a system mutation."""
        result = await self.call("mutation", path, args)
        assert result.error is None, result.error
        return loads(result.value_json)

    async def add(self, table: str, *documents: dict[str, Any]) -> None:
        await self.write("frontend/addDocument", table=table, documents=list(documents))

    async def page(
        self, table: str, filters: Any = None, size: float = 10, cursor: str | None = None
    ) -> dict[str, Any]:
        """A page of `paginatedTableDocuments`; `filters` as an admin tool puts them together."""
        text = None if filters is None else base64.b64encode(orjson.dumps(filters)).decode()
        options = {"cursor": cursor, "numItems": float(size)}
        args = {"table": table, "paginationOpts": options, "filters": text}
        return await self.read("frontend/paginatedTableDocuments", **args)

    async def ids(self, table: str) -> list[str]:
        """Ids of the documents of a table, oldest first."""
        page = await self.page(table, {"clauses": [], "order": "asc"}, 1000)
        return [document["_id"] for document in page["page"]]

    async def activate_schema(self, **tables: Any) -> str:
        """Put a schema into force; answers its text."""
        text = orjson.dumps(define_schema(tables).to_json()).decode()
        transaction = self.engine.database.begin(writable=True)
        for name in tables:
            if transaction.find_table(name) is None:
                transaction.create_table(name)
        await transaction.insert_system("_schemas", {"state": "active", "schema": text})
        await self.engine.database.commit(transaction)
        return text


def table(**fields: Any) -> Any:
    return define_table(fields)


@asynccontextmanager
async def admin_tool(directory: Path) -> AsyncIterator[AdminTool]:
    """A tool on an engine with one query, `n:all`, that lists the texts of `notes`."""
    world = ScriptedWorld()

    @world.query("n:all")
    async def everything(run: ScriptedRun, args: dict) -> list:
        return [row["text"] for row in await run.all("notes")]

    async with running(directory, world) as engine:
        yield AdminTool(engine)
