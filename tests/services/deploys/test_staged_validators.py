"""Staged validators: documents are held against them in the background; what all match is pushed at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parabola.backend import Backend
from parabola.database.model.schema_rows import StagedValidator
from parabola.functions.deployed.deployment import Module
from parabola.services.deploys import schema_validation
from parabola.services.deploys.push import Push
from parabola.services.deploys.staged_validators import staged_validators
from parabola.values.errors import SchemaDefinitionError
from parabola.values.schema.definition import Schema, define_table
from parabola.values.validators.builder import v
from services.archive_driver import insert, lines, push_schema, run_import
from services.deploys.test_deploy import HEAD, opened

LOOSE = '"t": define_table({"n": v.union(v.number(), v.string()), "old": v.optional(v.string())})'
STAGED = LOOSE + '.staged({"n": v.number(), "old": None})'
OTHER = LOOSE + '.staged({"n": v.string()})'
TIGHT = '"t": define_table({"n": v.number()})'


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        yield backend


async def settled(backend: Backend) -> StagedValidator:
    """The one staged validator, when it is not pending any more."""
    changed = asyncio.Event()
    stop = backend.on_commit(lambda _writes, _ts: changed.set())
    try:
        while True:
            changed.clear()
            [row] = await staged_validators(backend.database.begin())
            if row.state != "pending":
                return row
            await changed.wait()
    finally:
        stop()


async def evaluation(backend: Backend, tables: str) -> dict[str, Any]:
    push = Push("python", (Module("schema.py", "python", f"{HEAD}schema = define_schema({{{tables}}})"),))
    return await backend.deploys.evaluate_schema(push)


async def prediction(backend: Backend, tables: str) -> dict[str, Any]:
    [table] = (await evaluation(backend, tables))["tables"]
    return table  # type: ignore[no-any-return]


async def test_what_all_documents_match_is_pushed_without_a_look_at_them(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    await push_schema(backend, LOOSE)
    await insert(backend, "t", *({"n": float(n)} for n in range(450)))
    await push_schema(backend, STAGED)
    await insert(backend, "t", {"n": 1.0})
    row = await settled(backend)
    assert row.state == "valid"
    assert row.num_docs_validated in (450.0, 451.0)
    assert await prediction(backend, STAGED) == {
        "name": "t",
        "outcome": "supersetOfEnforced",
        "numDocs": 451,
        "sizeBytes": backend.database.persistence.size(backend.database.registry.table("t").tablet_id).bytes,  # type: ignore[union-attr]
        "staged": {"state": "valid"},
        "canSkipAfterStagedValidation": False,
    }
    tight = await prediction(backend, TIGHT)
    assert (tight["outcome"], tight["canSkipAfterStagedValidation"]) == ("supersetOfStagedValidated", True)
    monkeypatch.setattr(schema_validation, "_check_table", None)
    await push_schema(backend, TIGHT)
    assert await staged_validators(backend.database.begin()) == []
    with pytest.raises(Exception, match="does not match the schema"):
        await insert(backend, "t", {"n": "x"})


async def test_a_document_that_does_not_match_fails_it_and_nothing_else(backend: Backend) -> None:
    await push_schema(backend, LOOSE)
    [id] = await insert(backend, "t", {"n": "x"})
    await push_schema(backend, STAGED)
    row = await settled(backend)
    assert row.state == "failed"
    assert f'Document with ID "{id}" in table "t" does not match the staged schema: ' in str(row.error)
    assert (await prediction(backend, STAGED))["staged"] == {"state": "failed", "error": row.error}
    assert (await evaluation(backend, LOOSE))["discardedStagedValidators"] == []
    tx = backend.database.begin(writable=True)
    await tx.patch(id, {"n": 1.0})
    await backend.database.commit(tx)
    await push_schema(backend, STAGED)  # the same again: it is tried anew
    assert (await settled(backend)).state == "valid"


async def test_a_write_that_does_not_match_goes_through_and_fails_it(backend: Backend) -> None:
    await push_schema(backend, STAGED)
    assert (await settled(backend)).state == "valid"
    await insert(backend, "t", {"n": "x"})
    row = await settled(backend)
    assert row.state == "failed"
    assert 'New document in table "t" does not match the staged schema: ' in str(row.error)
    with pytest.raises(Exception, match="does not match the schema"):
        await push_schema(backend, TIGHT)


async def test_what_a_push_would_discard_is_said(backend: Backend) -> None:
    await push_schema(backend, STAGED)
    await settled(backend)
    for tables, replaced in ((LOOSE, False), (OTHER, True), ("", False)):
        assert (await evaluation(backend, tables))["discardedStagedValidators"] == [
            {"tableName": "t", "state": {"state": "valid"}, "replaced": replaced}
        ]
    for tables in (STAGED, TIGHT):
        assert (await evaluation(backend, tables))["discardedStagedValidators"] == []
    await push_schema(backend, OTHER)
    assert (await settled(backend)).state == "valid"
    await push_schema(backend, LOOSE)
    assert await staged_validators(backend.database.begin()) == []


async def test_an_import_begins_it_anew(backend: Backend) -> None:
    await push_schema(backend, STAGED)
    await insert(backend, "t", {"n": 1.0})
    assert (await settled(backend)).state == "valid"
    await run_import(backend, lines({"n": 1}, {"n": "x"}), "jsonLines", "replace")
    assert (await settled(backend)).state == "failed"


async def test_what_was_pending_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.staged_validation.close()
        await push_schema(backend, STAGED)
        assert (await prediction(backend, TIGHT))["staged"] == {
            "state": "pending",
            "numDocsValidated": 0.0,
            "totalDocs": 0,
        }
    async with opened(tmp_path) as backend:
        assert (await settled(backend)).state == "valid"


async def test_writes_and_the_look_through_together_miss_nothing(backend: Backend) -> None:
    await push_schema(backend, LOOSE)
    ids = await insert(backend, "t", *({"n": float(n)} for n in range(900)))
    pushing = asyncio.create_task(push_schema(backend, STAGED))

    async def write(at: int) -> None:
        tx = backend.database.begin(writable=True)
        await tx.patch(ids[at], {"n": "x" if at == 899 else 0.0})
        await backend.database.commit(tx)

    for at in (0, 450, 899):
        await write(at)
    await pushing
    assert (await settled(backend)).state == "failed"


def test_changes_of_fields_are_put_over_the_present_ones() -> None:
    table = define_table({"a": v.string(), "b": v.number()}).staged({"b": None, "c": v.optional(v.any())})
    assert table.staged_type == v.object({"a": v.string(), "c": v.optional(v.any())})
    schema = Schema({"t": table})
    assert Schema.from_json(schema.to_json()) == schema
    union = define_table(v.union(v.object({"a": v.string()}), v.object({"b": v.string()})))
    whole = v.union(v.object({"a": v.number()}), v.object({"b": v.string()}))
    assert union.staged(whole).staged_type == whole
    with pytest.raises(SchemaDefinitionError, match="stage a whole one"):
        union.staged({"a": v.number()})
    with pytest.raises(SchemaDefinitionError, match="more than one"):
        table.staged({"b": None})
    assert "stagedDocumentType" not in define_table({"a": v.string()}).to_json("t")
