"""What a transaction reads and writes: documents, ids, creation times, errors, sub-transactions."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from database.stores import Clock, collect, delete, insert, opened, patch, range_of, scan_of, take, values
from parabola.database.database import Database
from parabola.values.errors import BadRequest
from parabola.values.ids import decode_id, encode_id
from parabola.values.int64 import Int64
from parabola.values.placeholders import COMMIT_TS, UNDEFINED


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path) as database:
        yield database


# Documents


async def test_a_document_comes_back_with_its_system_fields(database: Database) -> None:
    [id] = await insert(database, "tasks", {"text": "milk", "n": 1.0, "tags": ["a", {"b": None}]})
    document = await database.begin().get(id)
    assert document is not None
    time = document.value["_creationTime"]
    assert document.value == {
        "_id": id,
        "_creationTime": time,
        "text": "milk",
        "n": 1.0,
        "tags": ["a", {"b": None}],
    }
    assert document.table.name == "tasks"
    # _id 4+32+2, _creationTime 14+9, text 5+6, n 2+9, tags 5+(2+3+(2+2+1)), and 2 for the object
    assert document.size == 2 + (3 + 1 + 34) + (13 + 1 + 9) + (4 + 1 + 6) + (1 + 1 + 9) + (4 + 1 + 10)


async def test_a_transaction_sees_its_own_writes_and_nobody_else_does_before_the_commit(
    database: Database,
) -> None:
    tx = database.begin(writable=True)
    id = await tx.insert("tasks", {"n": 1.0})
    await tx.patch(id, {"m": 2.0})
    document = await tx.get(id)
    assert document is not None
    assert document.value["m"] == 2.0
    assert [found.id for found in await collect(tx, "tasks")] == [id]
    assert await database.begin().get(id) is None
    await database.commit(tx)
    assert await values(database, "tasks") == [{"m": 2.0, "n": 1.0}]


async def test_own_deletions_and_changes_are_seen_by_scans(database: Database) -> None:
    a, b, c = await insert(database, "tasks", {"n": 1.0}, {"n": 2.0}, {"n": 3.0})
    tx = database.begin(writable=True)
    await tx.delete(b)
    await tx.patch(c, {"n": 30.0})
    d = await tx.insert("tasks", {"n": 4.0})
    assert [found.id for found in await collect(tx, "tasks")] == [a, c, d]
    assert [found.id for found in await collect(tx, scan_of("tasks", "desc"))] == [d, c, a]
    assert [found.value["n"] for found in await collect(tx, take(scan_of("tasks"), 2))] == [1.0, 30.0]
    assert await tx.count("tasks") == 3


async def test_patch_merges_top_level_fields_and_removes_undefined_ones(database: Database) -> None:
    [id] = await insert(database, "tasks", {"a": 1.0, "b": {"x": 1.0, "y": 2.0}})
    await patch(database, id, {"a": UNDEFINED, "b": {"x": 3.0}, "c": None})
    assert await values(database, "tasks") == [{"b": {"x": 3.0}, "c": None}]


async def test_undefined_inside_a_value_is_never_stored(database: Database) -> None:
    [id] = await insert(database, "tasks", {"a": 1.0})
    for call in (
        lambda tx: tx.patch(id, {"a": {"b": UNDEFINED}}),
        lambda tx: tx.replace(id, {"a": UNDEFINED}),
        lambda tx: tx.insert("tasks", {"a": [UNDEFINED]}),
    ):
        with pytest.raises(BadRequest, match="undefined is not a valid Convex value"):
            await call(database.begin(writable=True))


async def test_removing_a_field_that_is_not_there_is_no_change(database: Database) -> None:
    [id] = await insert(database, "tasks", {"a": 1.0})
    tx = database.begin(writable=True)
    await tx.patch(id, {"zzz": UNDEFINED})
    assert len(tx.overlay) == 0


async def test_replace_keeps_only_the_system_fields(database: Database) -> None:
    [id] = await insert(database, "tasks", {"a": 1.0})
    before = await database.begin().get(id)
    tx = database.begin(writable=True)
    await tx.replace(id, {"b": 2.0})
    await database.commit(tx)
    after = await database.begin().get(id)
    assert before
    assert after
    assert after.value == {"_id": id, "_creationTime": before.value["_creationTime"], "b": 2.0}


async def test_delete_returns_what_was_there(database: Database) -> None:
    [id] = await insert(database, "tasks", {"a": 1.0})
    tx = database.begin(writable=True)
    assert (await tx.delete(id)).value["a"] == 1.0
    await database.commit(tx)
    assert await database.begin().get(id) is None


async def test_equal_system_fields_may_be_given_to_patch_and_replace(database: Database) -> None:
    [id] = await insert(database, "tasks", {"a": 1.0})
    document = await database.begin().get(id)
    assert document is not None
    tx = database.begin(writable=True)
    await tx.replace(id, {**document.value, "a": 2.0})
    await tx.patch(id, {"_id": id, "_creationTime": document.value["_creationTime"]})
    await database.commit(tx)
    assert await values(database, "tasks") == [{"a": 2.0}]


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ({"_id": "x"}, "InvalidIdError", "Provided document ID x doesn't match '_id' field {id}"),
        (
            {"_creationTime": 5.0},
            "InvalidCreationTimeError",
            "Provided creation time 5.0 doesn't match '_creationTime' field in {id}",
        ),
    ],
)
async def test_other_system_fields_are_refused(
    database: Database, fields: dict[str, Any], code: str, text: str
) -> None:
    [id] = await insert(database, "tasks", {"a": 1.0})
    for operation in ("patch", "replace"):
        tx = database.begin(writable=True)
        with pytest.raises(BadRequest) as refused:
            await getattr(tx, operation)(id, fields)
        assert refused.value.code == code
        assert refused.value.message == text.format(id=id)


async def test_insert_does_not_accept_an_id(database: Database) -> None:
    [id] = await insert(database, "tasks", {})
    with pytest.raises(BadRequest, match=f"Provided document ID {id} doesn't match"):
        await database.begin(writable=True).insert("tasks", {"_id": id})


# Ids and creation times


async def test_an_id_carries_the_number_of_the_table_and_the_day(tmp_path: Path) -> None:
    clock = Clock(1_705_449_600 * 10**9)  # 2024-01-17
    async with opened(tmp_path, clock=clock) as database:
        [first] = await insert(database, "a", {})
        [second] = await insert(database, "b", {})
        assert decode_id(first).table_number == 10001
        assert decode_id(second).table_number == 10002
        assert int.from_bytes(decode_id(first).internal[14:], "big") == 19739


async def test_given_randomness_makes_the_same_ids(database: Database) -> None:
    ids = []
    for _ in range(2):
        tx = database.begin(writable=True, random=Random(7))
        ids.append(await tx.insert("tasks", {}))
    assert ids[0] == ids[1]


async def test_creation_times_rise_by_one_ulp_in_the_order_of_inserts(database: Database) -> None:
    await insert(database, "tasks", {})
    tx = database.begin(writable=True)
    times = []
    for _ in range(5):
        document = await tx.get(await tx.insert("tasks", {}))
        assert document is not None
        times.append(document.value["_creationTime"])
    assert times[1:] == [math.nextafter(time, math.inf) for time in times[:-1]]


async def test_creating_a_table_takes_ticks_of_the_creation_clock(database: Database) -> None:
    await insert(database, "first", {})
    tx = database.begin(writable=True)
    before = (await tx.get(await tx.insert("first", {}))).value["_creationTime"]  # type: ignore[union-attr]
    after = (await tx.get(await tx.insert("second", {}))).value["_creationTime"]  # type: ignore[union-attr]
    assert after > math.nextafter(before, math.inf)


async def test_creation_begins_at_the_clock_and_never_before_the_newest_commit(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock) as database:
        await insert(database, "tasks", {})
        clock.advance(10)
        tx = database.begin(writable=True)
        document = await tx.get(await tx.insert("tasks", {}))
        assert document
        assert document.value["_creationTime"] == clock.now / 1e6
        ts = await database.commit(tx)
        clock.advance(-100)
        tx = database.begin(writable=True)
        document = await tx.get(await tx.insert("tasks", {}))
        assert document
        assert document.value["_creationTime"] == (ts + 1) / 1e6
        assert await database.commit(tx) == ts + 1


async def test_a_later_commit_may_have_an_earlier_creation_time(database: Database) -> None:
    await insert(database, "tasks", {})
    early, late = database.begin(writable=True), database.begin(writable=True, now_ms=4e12)
    early_id, late_id = await early.insert("tasks", {}), await late.insert("tasks", {})
    await database.commit(late)
    await database.commit(early)
    assert [found.id for found in await collect(database.begin(), "tasks")][1:] == [early_id, late_id]


# What is refused


@pytest.mark.parametrize("operation", ["get", "patch", "replace", "delete"])
async def test_what_is_not_an_id_is_refused_with_the_reason(database: Database, operation: str) -> None:
    tx = database.begin(writable=True)
    arguments = ({},) if operation in ("patch", "replace") else ()
    for text, reason in (("abc", "Invalid ID length 3"), ("A" * 32, "ID wasn't valid base32")):
        with pytest.raises(BadRequest) as refused:
            await getattr(tx, operation)(text, *arguments)
        assert refused.value.message == (
            f"Invalid argument `id` for `db.{operation}`: Unable to decode ID: {reason}"
        )


async def test_get_of_an_unknown_table_is_none_and_writing_to_it_is_refused(database: Database) -> None:
    id = encode_id(12345, bytes(16))
    tx = database.begin(writable=True)
    assert await tx.get(id) is None
    for operation, arguments in (("patch", ({},)), ("replace", ({},)), ("delete", ())):
        with pytest.raises(BadRequest) as refused:
            await getattr(tx, operation)(id, *arguments)
        assert refused.value.message == (
            f'Invalid argument `id` for `db.{operation}`: Table for ID "{id}" not found'
        )


@pytest.mark.parametrize(
    ("operation", "verb"), [("patch", "Update"), ("replace", "Replace"), ("delete", "Delete")]
)
async def test_writing_to_a_missing_document_is_refused(
    database: Database, operation: str, verb: str
) -> None:
    [id] = await insert(database, "tasks", {})
    await delete(database, id)
    tx = database.begin(writable=True)
    assert await tx.get(id) is None
    with pytest.raises(BadRequest) as refused:
        await getattr(tx, operation)(id, *(({},) if operation != "delete" else ()))
    assert refused.value.message == f"{verb} on nonexistent document ID {id}"
    assert refused.value.code == "NonexistentDocument"


async def test_an_id_of_another_table_than_expected_is_refused(database: Database) -> None:
    [id] = await insert(database, "tasks", {})
    tx = database.begin(writable=True)
    assert await tx.get(id, table="tasks") is not None
    with pytest.raises(BadRequest) as refused:
        await tx.get(id, table="users")
    assert refused.value.message == (
        'Invalid argument `id` for `db.get`: expected to be an Id<"users">, got Id<"tasks"> instead.'
    )
    with pytest.raises(BadRequest, match=r'`db.delete`: expected to be an Id<"users">'):
        await tx.delete(id, table="users")


async def test_system_and_user_tables_are_kept_apart(database: Database) -> None:
    [user] = await insert(database, "tasks", {})
    tx = database.begin(writable=True)
    row = {"storageId": "u", "storageKey": "k", "sha256": bytes(32), "size": Int64(3), "contentType": "a/b"}
    file = await tx.insert_system("_file_storage", row)
    secret = await tx.insert_system("_environment_variables", {"name": "KEY", "value": "v"})
    for id in (file, secret):
        for call in (tx.get(id), tx.patch(id, {}), tx.delete(id)):
            with pytest.raises(BadRequest, match=r"^System tables can only be accessed with db.system\.$"):
                await call
    with pytest.raises(BadRequest, match=r"^User tables cannot be accessed with db.system\.$"):
        await tx.get(user, system=True)
    found = await tx.get(file, system=True, table="_storage")
    assert found is not None
    assert found.value["contentType"] == "a/b"
    assert await tx.get(secret, system=True) is None
    assert await tx.get_system(secret) is not None
    assert [d.id for d in await tx.query(scan_of("_storage"), system=True).collect()] == [file]
    assert await tx.query(scan_of("_environment_variables"), system=True).collect() == []
    assert len(await tx.query_system(scan_of("_environment_variables")).collect()) == 1


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("_storage", "_storage is a read-only table"),
        ("_x", "Invalid table name _x starts with metadata prefix '_'"),
        ("a b", "Identifier a b has invalid character ' ': Identifiers can only contain alphanumeric"),
        ("", "Identifier cannot be empty"),
    ],
)
async def test_bad_table_names_are_refused(database: Database, table: str, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        await database.begin(writable=True).insert(table, {})
    assert text in refused.value.message


async def test_a_document_must_be_storable(database: Database) -> None:
    tx = database.begin(writable=True)
    with pytest.raises(BadRequest, match="Value must be an Object"):
        await tx.insert("tasks", [1.0])  # type: ignore[arg-type]
    deep: Any = 1.0
    for _ in range(16):
        deep = [deep]
    with pytest.raises(
        BadRequest, match="Document is too nested \\(nested 17 levels deep > maximum nesting 16"
    ):
        await tx.insert("tasks", {"deep": deep})
    with pytest.raises(BadRequest, match="Field '_x' starts with an underscore"):
        await tx.insert("tasks", {"_x": 1.0})
    with pytest.raises(BadRequest, match="Value is too large"):
        await tx.insert("tasks", {"text": "x" * 2**20})


async def test_a_read_only_transaction_does_not_write(database: Database) -> None:
    with pytest.raises(BadRequest, match="Cannot write in a read-only transaction"):
        await database.begin().insert("tasks", {})


# normalizeId


async def test_normalize_id_knows_only_ids_of_the_table(database: Database) -> None:
    [id] = await insert(database, "tasks", {})
    await insert(database, "users", {})
    tx = database.begin()
    assert tx.normalize_id("tasks", id) == id
    assert tx.normalize_id("users", id) is None
    assert tx.normalize_id("nothing", id) is None
    assert tx.normalize_id("tasks", id.upper()) is None
    assert tx.normalize_id("tasks", "") is None
    assert tx.normalize_id("_file_storage", encode_id(540, bytes(16))) is None
    assert tx.normalize_id("_storage", encode_id(540, bytes(16))) == encode_id(540, bytes(16))


async def test_normalize_id_converts_old_forms(database: Database) -> None:
    await insert(database, "tasks", {})
    legacy = "AAECAwQFBgcICQoLDA0ODw"  # base64url of the bytes 0 to 15
    assert database.begin().normalize_id("tasks", legacy) == "j57000820c20a1g7104gm2rc1m70ynr8"


# Sub-transactions


async def test_rolling_back_undoes_writes_and_created_tables_only_since_the_savepoint(
    database: Database,
) -> None:
    [a, b] = await insert(database, "tasks", {"n": 1.0}, {"n": 2.0})
    tx = database.begin(writable=True)
    await tx.patch(a, {"n": 10.0})
    savepoint = tx.savepoint()
    await tx.patch(a, {"n": 100.0})
    await tx.delete(b)
    await tx.insert("tasks", {"n": 3.0})
    await tx.insert("fresh", {"n": 4.0})
    assert [found.value["n"] for found in await collect(tx, "tasks")] == [100.0, 3.0]
    tx.rollback_to(savepoint)
    assert [found.value["n"] for found in await collect(tx, "tasks")] == [10.0, 2.0]
    assert await collect(tx, "fresh") == []
    assert tx.registry.table("fresh") is None
    savepoint = tx.savepoint()
    await tx.insert("fresh", {"n": 5.0})
    tx.rollback_to(savepoint)
    await tx.insert("second", {"n": 6.0})
    await database.commit(tx)
    assert await values(database, "tasks") == [{"n": 10.0}, {"n": 2.0}]
    assert await values(database, "second") == [{"n": 6.0}]
    assert database.registry.table("fresh") is None


async def test_what_is_rolled_back_counts_as_written_no_more(database: Database) -> None:
    tx = database.begin(writable=True)
    await tx.insert("t", {"kept": True})
    before = tx.metrics()
    savepoint = tx.savepoint()
    await tx.insert("t", {"kept": False})
    assert tx.metrics() != before
    tx.rollback_to(savepoint)
    assert tx.metrics() == before
    tx.usage.count_scheduled(10)
    tx.rollback_to(savepoint)
    assert tx.metrics()["functionsScheduled"]["used"] == 1


async def test_savepoints_nest_to_any_depth(database: Database) -> None:
    tx = database.begin(writable=True)
    id = await tx.insert("tasks", {"depth": 0.0})
    savepoints = []
    for depth in range(1, 30):
        savepoints.append(tx.savepoint())
        await tx.patch(id, {"depth": float(depth)})
    for depth in range(29, 0, -3):
        tx.rollback_to(savepoints[depth - 1])
        document = await tx.get(id)
        assert document
        assert document.value["depth"] == depth - 1


async def test_the_creation_clock_and_what_was_read_do_not_roll_back(database: Database) -> None:
    await insert(database, "tasks", {})
    tx = database.begin(writable=True)
    savepoint = tx.savepoint()
    undone = (await tx.get(await tx.insert("tasks", {}))).value["_creationTime"]  # type: ignore[union-attr]
    tx.rollback_to(savepoint)
    kept = (await tx.get(await tx.insert("tasks", {}))).value["_creationTime"]  # type: ignore[union-attr]
    assert kept == math.nextafter(undone, math.inf)
    assert tx.metrics()["documentsWritten"]["used"] == 1
    assert tx.metrics()["documentsRead"]["used"] == 2


async def test_a_stale_view_sees_the_snapshot_and_leaves_no_reads(database: Database) -> None:
    [id] = await insert(database, "tasks", {"n": 1.0})
    tx = database.begin(writable=True)
    await tx.patch(id, {"n": 2.0})
    await tx.insert("tasks", {"n": 3.0})
    reads = tx.read_set.copy()
    view = tx.snapshot_view()
    assert [found.value["n"] for found in await collect(view, "tasks")] == [1.0]  # type: ignore[arg-type]
    assert await view.count("tasks") == 1
    assert tx.read_set == reads
    assert tx.metrics()["documentsRead"]["used"] == 2


# The commit timestamp


async def test_the_commit_timestamp_is_one_number_later_than_all_before(database: Database) -> None:
    [other] = await insert(database, "tasks", {"at": Int64(1)})
    before = database.latest_ts
    tx = database.begin(writable=True)
    a = await tx.insert("tasks", {"at": COMMIT_TS, "deep": [{"x": COMMIT_TS}]})
    await tx.patch(other, {"at": COMMIT_TS})
    pending = await tx.get(a)
    assert pending
    assert pending.value["at"] is COMMIT_TS
    ts = await database.commit(tx)
    assert ts > before
    query = database.begin()
    for id in (a, other):
        document = await query.get(id)
        assert document
        assert document.value["at"] == Int64(ts)
    document = await query.get(a)
    assert document
    assert document.value["deep"] == [{"x": Int64(ts)}]
    assert b"commitTs" not in document.raw


async def test_text_that_looks_like_the_placeholder_is_left_alone(database: Database) -> None:
    text = '{"$commitTs":null}'
    await insert(database, "tasks", {"text": text, "$".strip("$") + "plain": text})
    assert await values(database, "tasks") == [{"plain": text, "text": text}]


async def test_an_index_finds_the_resolved_commit_timestamp_and_before_that_the_largest(
    database: Database,
) -> None:
    from database.stores import create_index

    await insert(database, "tasks", {"at": Int64(2**63 - 2)})
    await create_index(database, "tasks", "by_at", "at")
    tx = database.begin(writable=True)
    id = await tx.insert("tasks", {"at": COMMIT_TS})
    assert (await collect(tx, range_of("tasks.by_at")))[-1].id == id
    ts = await database.commit(tx)
    equal = {"type": "Eq", "fieldPath": "at", "value": {"$integer": _base64(ts)}}
    assert [found.id for found in await collect(database.begin(), range_of("tasks.by_at", equal))] == [id]
    assert (await collect(database.begin(), range_of("tasks.by_at")))[0].id == id


def _base64(number: int) -> str:
    from base64 import b64encode

    return b64encode(number.to_bytes(8, "little")).decode()
