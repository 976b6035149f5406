"""Imports on a live backend: modes, formats, texts, and what becomes of the tables."""

from __future__ import annotations

import base64
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parabola.backend import Backend
from parabola.services.archives.rows import ImportRefused
from parabola.services.imports.record import ImportRequest, ImportState
from parabola.values.encoding import Int64
from parabola.values.errors import BadRequest
from parabola.values.ids import decode_id, encode_id
from services.archive_driver import (
    archive,
    begin_import,
    documents,
    hidden,
    import_record,
    insert,
    lines,
    opened,
    push_schema,
    reached,
    run_import,
    settled,
    tables,
    upload,
    values,
)

PREFIX = "Hit an error while importing:\n"


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        yield backend


def an_id(number: int, last: int = 0) -> str:
    return encode_id(number, bytes(15) + bytes([last]))


async def failure(backend: Backend, content: bytes, *args: str | None) -> str:
    """The text of an import that fails, without the head that they all have."""
    with pytest.raises(BadRequest) as failed:
        await run_import(backend, content, *args)  # type: ignore[arg-type]
    text = str(failed.value)
    assert text.startswith(PREFIX)
    assert hidden(backend) == []
    return text.removeprefix(PREFIX)


# Formats


async def test_json_lines_become_documents(backend: Backend) -> None:
    content = lines({"a": 1, "b": {"$integer": base64.b64encode(b"\1" + bytes(7)).decode()}}, {"a": None})
    assert await run_import(backend, content) == 2
    assert await values(backend, "t") == [{"a": 1.0, "b": Int64(1)}, {"a": None}]


async def test_a_json_array_becomes_documents(backend: Backend) -> None:
    assert await run_import(backend, b'[{"a": 1}, {"a": 2}]', "jsonArray") == 2
    assert await values(backend, "t") == [{"a": 1.0}, {"a": 2.0}]


async def test_csv_cells_are_numbers_or_strings(backend: Backend) -> None:
    assert await run_import(backend, b"n,s,e\n007,true,\n", "csv") == 1
    assert await values(backend, "t") == [{"n": 7.0, "s": "true", "e": ""}]


async def test_empty_csv_cells_of_optional_fields_are_left_out(backend: Backend) -> None:
    await push_schema(backend, '"t": define_table({"n": v.optional(v.number()), "s": v.string()})')
    assert await run_import(backend, b"n,s\n,\n1,x\n", "csv") == 2
    assert await values(backend, "t") == [{"s": ""}, {"n": 1.0, "s": "x"}]


async def test_a_zip_archive_becomes_tables(backend: Backend) -> None:
    content = archive(
        {
            "backup/README.md": "ignored",
            "backup/_tables/documents.jsonl": '{"name": "a", "id": 10007}\n',
            "backup/a/documents.jsonl": lines({"x": 1}),
            "backup/b/documents.jsonl": lines({"y": 1}, {"y": 2}),
            "backup/_unknown/documents.jsonl": lines({"z": 1}),
        }
    )
    assert await run_import(backend, content, "zip") == 3
    assert tables(backend) == {"a": 10007, "b": 10001}
    assert await values(backend, "b") == [{"y": 1.0}, {"y": 2.0}]


async def test_an_archive_says_how_its_numbers_are_to_be_read(backend: Backend) -> None:
    content = archive(
        {
            "old/documents.jsonl": b'{"n": 1, "i": "1"}\n',
            "old/generated_schema.jsonl": b'"{\\"n\\": normalfloat64, \\"i\\"?: int64}"\n',
            "plain/documents.jsonl": b'{"n": 1, "i": "1"}\n',
            "plain/generated_schema.jsonl": b"{}\n",
            "new/documents.jsonl": b'{"n": 1, "f": 1.0}\n',
            "new/generated_schema.jsonl": b'"uniform"\n',
        }
    )
    await run_import(backend, content, "zip")
    assert await values(backend, "old") == [{"n": 1.0, "i": Int64(1)}]
    assert await values(backend, "plain") == [{"n": 1.0, "i": "1"}]
    assert await values(backend, "new") == [{"n": Int64(1), "f": 1.0}]


async def test_many_rows_come_in_their_order(backend: Backend) -> None:
    assert await run_import(backend, lines(*({"n": n} for n in range(1000)))) == 1000
    assert [row["n"] for row in await values(backend, "t")] == [float(n) for n in range(1000)]


async def test_an_empty_file_is_an_empty_table(backend: Backend) -> None:
    assert await run_import(backend, b"") == 0
    assert tables(backend) == {"t": 10001}


@pytest.mark.parametrize(
    ("content", "format", "text"),
    [
        (b"", "csv", "CSV file doesn't have headers"),
        (b"$a\n1\n", "csv", "CSV header $a isn't a valid field name: "),
        (b"a,b\n1\n", "csv", "CSV row 1 doesn't have all of the fields in the header"),
        (b"\xef\xbb\xbf{}", "jsonLines", "UTF-8 BOM is not supported. Please save your file without BOM."),
        (b'{"a": 1}\nnope\n', "jsonLines", "Row 2 wasn't valid JSON: "),
        (b'{"a": {"$integer": 1}}\n', "jsonLines", "Row 1 wasn't a valid Convex value: "),
        (b"[1]\n", "jsonLines", "Row 1 wasn't an object"),
        (b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}\n", "jsonLines", "Row 1 wasn't a valid Convex value: "),
        (
            archive({"t/documents.jsonl": "{}", "t/generated_schema.jsonl": '"?"'}),
            "zip",
            "t/generated_schema",
        ),
        (b"{}", "jsonArray", "Not a JSON array"),
        (b"nope", "jsonArray", "Not valid JSON: "),
        (b"PK\3\4 and then nothing", "zip", "The file isn't a valid zip archive: "),
        (archive({"notes.txt": "no tables"}), "zip", "The archive has no tables in it"),
        (archive({"a b/documents.jsonl": "{}"}), "zip", "a b isn't a valid table name: Identifier a b has"),
        (
            archive({"_components/c d/a/documents.jsonl": "{}"}),
            "zip",
            "c d isn't a valid path of a component: c d Identifier c d has",
        ),
    ],
)
async def test_input_that_cannot_be_read_is_refused_before_it_is_confirmed(
    backend: Backend, content: bytes, format: str, text: str
) -> None:
    request = ImportRequest.of(format, None, None if format == "zip" else "t")
    id = await backend.imports.create(request, await upload(backend, content))
    state = (await reached(backend, id, "waiting_for_confirmation")).state
    assert state.state == "failed"
    assert state.error_message.startswith(PREFIX + text)
    assert tables(backend) == {}


async def test_an_archive_of_an_empty_deployment_is_one(backend: Backend) -> None:
    await insert(backend, "t", {})
    content = archive({"_tables/documents.jsonl": ""})
    assert await run_import(backend, content, "zip", "replaceAll") == 0
    assert tables(backend) == {}


# What is asked for


@pytest.mark.parametrize(
    ("format", "mode", "table", "component", "text"),
    [
        ("xml", None, "t", None, "Unknown import format 'xml'"),
        ("csv", "merge", "t", None, "Unknown import mode 'merge'"),
        ("csv", None, None, None, "Say into which table to import"),
        ("csv", None, "_storage", None, "_storage isn't a valid table name: "),
        ("csv", None, "no spaces", None, "no spaces isn't a valid table name: "),
        ("zip", None, "t", None, "A zip archive names its tables itself"),
        ("csv", None, "t", "a/b-c", "a/b-c isn't a valid path of a component: "),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    format: str, mode: str | None, table: str | None, component: str | None, text: str
) -> None:
    with pytest.raises(BadRequest, match=text):
        ImportRequest.of(format, mode, table, component)


# Modes


async def test_a_table_with_documents_is_not_imported_into_unless_told(backend: Backend) -> None:
    await insert(backend, "t", {"old": True})
    assert await failure(backend, lines({})) == (
        "Table t already exists. Please choose a new table name or use replace/append modes."
    )
    assert await values(backend, "t") == [{"old": True}]


async def test_a_table_that_fills_up_before_the_end_is_not_replaced(backend: Backend) -> None:
    id = await begin_import(backend, lines({"new": True}))
    await insert(backend, "t", {"old": True})
    await backend.imports.confirm(id)
    record = await reached(backend, id)
    assert record.state.error_message.startswith(f"{PREFIX}Table t already exists.")
    assert await values(backend, "t") == [{"old": True}]


async def test_an_empty_table_can_be_imported_into(backend: Backend) -> None:
    await push_schema(backend, '"t": define_table(v.any())')
    number = tables(backend)["t"]
    assert await run_import(backend, lines({"a": 1})) == 1
    assert tables(backend)["t"] == number


async def test_appending_adds_to_what_is_there(backend: Backend) -> None:
    await insert(backend, "t", {"old": True})
    assert await run_import(backend, lines({"new": True}), mode="append") == 1
    assert await values(backend, "t") == [{"old": True}, {"new": True}]


async def test_appending_makes_a_table_that_is_not_there_with_the_number_of_its_ids(backend: Backend) -> None:
    assert await run_import(backend, lines({"_id": an_id(10042)}), mode="append") == 1
    assert tables(backend) == {"t": 10042}
    assert [row["_id"] for row in await documents(backend, "t")] == [an_id(10042)]


async def test_replacing_takes_the_place_of_what_is_there(backend: Backend) -> None:
    await insert(backend, "t", {"old": 1.0}, {"old": 2.0})
    await insert(backend, "other", {"kept": True})
    assert await run_import(backend, lines({"new": True}), mode="replace") == 1
    assert await values(backend, "t") == [{"new": True}]
    assert await values(backend, "other") == [{"kept": True}]


async def test_replacing_with_an_empty_file_clears_a_table(backend: Backend) -> None:
    await insert(backend, "t", {"old": True})
    assert await run_import(backend, b"", mode="replace") == 0
    assert await values(backend, "t") == []
    assert "t" in tables(backend)


async def test_replacing_all_deletes_what_is_not_in_the_input_and_empties_what_the_schema_needs(
    backend: Backend,
) -> None:
    await push_schema(
        backend,
        '"named": define_table(v.any()).index("by_x", ["x"]), '
        '"t": define_table({"ref": v.optional(v.id("referenced"))})',
    )
    for table in ("named", "referenced", "gone"):
        await insert(backend, table, {"x": 1.0})
    before = tables(backend)
    assert await run_import(backend, lines({}), mode="replaceAll") == 1
    assert tables(backend) == {name: number for name, number in before.items() if name != "gone"}
    for table in ("named", "referenced"):
        assert await values(backend, table) == []
    await insert(backend, "named", {"x": 2.0})
    query = {
        "source": {"type": "IndexRange", "indexName": "named.by_x", "range": [], "order": None},
        "operators": [],
    }
    found = await backend.database.begin().query(query).collect()
    assert [document.value["x"] for document in found] == [2.0]


async def test_an_emptied_table_gives_up_its_number_to_the_ids_of_another(backend: Backend) -> None:
    await push_schema(backend, '"named": define_table(v.any())')
    [id] = await insert(backend, "named", {})
    number = tables(backend)["named"]
    assert await run_import(backend, lines({"_id": id}), mode="replaceAll") == 1
    after = tables(backend)
    assert after["t"] == number
    assert after["named"] != number
    assert await values(backend, "named") == []


# The question before


async def test_it_is_asked_before_documents_are_deleted(backend: Backend) -> None:
    await insert(backend, "a", {}, {})
    await insert(backend, "b", {})
    content = archive({"a/documents.jsonl": lines({}), "c/documents.jsonl": lines({}, {}, {})})
    id = await begin_import(backend, content, "zip", "replaceAll")
    state = (await import_record(backend, id)).state
    assert state.require_manual_confirmation is True
    table = [line.split() for line in state.message_to_confirm.splitlines() if line[-1:].isdigit()]
    assert table == [["a", "1", "2"], ["c", "3", "0"], ["b", "0", "1"], ["total", "4", "3"]]
    assert state.message_to_confirm.endswith(
        "Once the import has started, it will run in the background.\n"
        "Interrupting `npx convex import` will not cancel it."
    )
    assert await values(backend, "a") == [{}, {}]


async def test_it_need_not_be_asked_where_nothing_is_deleted(backend: Backend) -> None:
    await insert(backend, "t", {})
    id = await begin_import(backend, lines({}), mode="append")
    assert (await import_record(backend, id)).state.require_manual_confirmation is False


async def test_only_an_import_that_waits_can_be_confirmed(backend: Backend) -> None:
    id = await begin_import(backend, lines({}))
    await backend.imports.confirm(id)
    with pytest.raises(BadRequest, match="does not wait to be confirmed"):
        await backend.imports.confirm(id)
    await reached(backend, id)
    with pytest.raises(BadRequest, match="its state is completed"):
        await backend.imports.confirm(id)
    with pytest.raises(BadRequest, match="There is no import nope"):
        await backend.imports.confirm("nope")


async def test_once_confirmed_an_import_does_not_wait_any_more(backend: Backend) -> None:
    id = await begin_import(backend, lines({}))
    await backend.imports.confirm(id)
    assert (await import_record(backend, id)).stage != "waiting_for_confirmation"


async def test_the_end_says_how_much_and_when(backend: Backend) -> None:
    id = await begin_import(backend, lines({}, {}))
    await backend.imports.confirm(id)
    state = (await reached(backend, id)).state
    assert state.state == "completed"
    assert state.num_rows_written == Int64(2)
    assert int(state.timestamp) == (await documents_changed_at(backend, id))
    await settled(backend)
    assert uploads_of(backend) == []


async def documents_changed_at(backend: Backend, id: str) -> int:
    row = await backend.database.begin().get_system(id)
    assert row is not None
    return row.ts


def uploads_of(backend: Backend) -> list[Path]:
    return list(backend.imports.uploads._directory.iterdir())


async def test_progress_is_told_table_by_table(backend: Backend) -> None:
    content = archive({f"{name}/documents.jsonl": lines({}, {}) for name in ("b", "a")})
    id = await begin_import(backend, content, "zip")
    seen: list[object] = []

    def watch(writes: object, ts: int) -> None:
        for change in writes.changes:  # type: ignore[attr-defined]
            if change.id == id:
                seen.append(change.new.value["state"])

    backend.database.on_commit(watch)
    await backend.imports.confirm(id)
    await reached(backend, id)
    progress = [state.get("progress_message") for state in seen]  # type: ignore[attr-defined]
    assert 'Importing "a": 0 of 2 documents' in progress
    assert 'Importing "b": 2 of 2 documents' in progress
    assert seen[-2]["checkpoint_messages"] == [  # type: ignore[index]
        'Imported 2 documents into "a"',
        'Imported 2 documents into "b"',
    ]


# Ids, times and numbers


async def test_ids_and_creation_times_are_kept_where_they_are_given(backend: Backend) -> None:
    given = {"_id": an_id(10009, 1), "_creationTime": 1234.5, "a": 1}
    await run_import(backend, lines(given, {"a": 2}))
    kept, new = await documents(backend, "t")
    assert kept == {**given, "a": 1.0}
    assert decode_id(new["_id"]).table_number == 10009
    assert new["_creationTime"] > 1e12


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([{"_id": an_id(10001)}, {"_id": an_id(10001)}], 'Objects in table "t" have duplicate _id fields'),
        ([{"_id": "nope"}], 'Row 1 of table `t`: `_id` "nope" is not an id: '),
        ([{}, {"_id": 5}], "Row 2 of table `t`: `_id` must be a string"),
        ([{}, {"_id": an_id(10500)}], "Row 2 of table `t`: `_id` "),
        ([{"_creationTime": "now"}], "Row 1 of table `t`: `_creationTime` must be a number"),
        ([{"_creationTime": -1}], "Row 1 of table `t`: `_creationTime` must be a number"),
        ([{"_mine": 1}], "Row 1 of table `t`: "),
        ([{}, {"text": "x" * 1024 * 1024}], "Row 2 of table `t`: "),
    ],
)
async def test_rows_that_cannot_be_documents_are_named(
    backend: Backend, rows: list[dict[str, object]], text: str
) -> None:
    await insert(backend, "t", {"old": True})
    assert (await failure(backend, lines(*rows), "jsonLines", "replace")).startswith(text)
    assert await values(backend, "t") == [{"old": True}]


async def test_appending_a_document_that_is_there_already_is_refused(backend: Backend) -> None:
    [id] = await insert(backend, "t", {"old": True})
    text = await failure(backend, lines({"_id": id}), "jsonLines", "append")
    assert text.startswith('Row 1: table "t" has a document with this `_id` already.')


async def test_a_table_takes_the_number_of_the_ids_in_its_first_row(backend: Backend) -> None:
    await insert(backend, "t", {})
    await run_import(backend, lines({"_id": an_id(10077)}), mode="replace")
    assert tables(backend) == {"t": 10077}


async def test_a_number_that_another_table_has_is_refused(backend: Backend) -> None:
    [id] = await insert(backend, "y", {})
    assert await failure(backend, lines({"_id": id})) == (
        "New table `t` has IDs that conflict with existing table `y`. "
        "To delete all existing tables, import with `npx convex import --replace-all`."
    )


async def test_a_number_that_was_free_and_is_taken_at_the_end_is_refused(backend: Backend) -> None:
    first = await begin_import(backend, lines({"_id": an_id(10005)}), table="a")
    second = await begin_import(backend, lines({"_id": an_id(10005)}), table="b")
    for id in (first, second):
        await backend.imports.confirm(id)
    outcomes = sorted([(await reached(backend, id)).stage for id in (first, second)])
    assert outcomes == ["completed", "failed"]
    assert len(tables(backend)) == 1


async def test_tables_can_exchange_their_numbers(backend: Backend) -> None:
    [a] = await insert(backend, "a", {})
    [b] = await insert(backend, "b", {})
    numbers = tables(backend)
    content = archive({"a/documents.jsonl": lines({"_id": b}), "b/documents.jsonl": lines({"_id": a})})
    await run_import(backend, content, "zip", "replace")
    assert tables(backend) == {"a": numbers["b"], "b": numbers["a"]}


async def test_values_of_every_kind_come_in_unchanged(backend: Backend) -> None:
    content = archive(
        {
            "t/documents.jsonl": b'{"i":-3,"f":2.0,"n":{"$float":"AAAAAAAA+H8="},"b":{"$bytes":"AAE="}}\n',
            "t/generated_schema.jsonl": b'"uniform"\n',
        }
    )
    await run_import(backend, content, "zip")
    [row] = await values(backend, "t")
    assert math.isnan(row.pop("n"))
    assert row == {"i": Int64(-3), "f": 2.0, "b": b"\0\1"}


# Cancelling


async def test_an_import_that_waits_can_be_cancelled(backend: Backend) -> None:
    id = await begin_import(backend, lines({}))
    await backend.imports.cancel(id)
    record = await import_record(backend, id)
    assert record.state == ImportState(state="failed", error_message="Import canceled")
    assert uploads_of(backend) == []
    await backend.imports.cancel(id)
    with pytest.raises(BadRequest, match="its state is failed"):
        await backend.imports.confirm(id)


async def test_an_import_that_is_done_cannot_be_cancelled(backend: Backend) -> None:
    id = await begin_import(backend, lines({}))
    await backend.imports.confirm(id)
    await reached(backend, id)
    with pytest.raises(BadRequest, match="is completed"):
        await backend.imports.cancel(id)


def test_refusals_can_be_told_from_faults() -> None:
    assert ImportRefused("x").code == "InvalidImport"
