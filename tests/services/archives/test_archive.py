"""What an import reads from its file, and that an export reads back as it was."""

import io
import math
import os
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.services.archives.archive import ArchiveReader, ArchiveWriter, export_line
from parabola.services.archives.rows import ImportRefused, read_csv, read_json_array, read_json_lines
from parabola.values.encoding import Int64, dumps


def csv_rows(text, optional=()):
    return list(read_csv(io.BytesIO(text.encode()), frozenset(optional)))


def test_csv_cells_that_read_as_numbers_are_floats_and_all_others_strings():
    (row,) = csv_rows("a,b,c,d,e,f,g,h\n007,true,,1e5,-.5,NaN,1_000, 1\n")
    assert math.isnan(row.pop("f"))
    assert row == {"a": 7.0, "b": "true", "c": "", "d": 100000.0, "e": -0.5, "g": "1_000", "h": " 1"}


def test_an_empty_cell_of_an_optional_field_is_left_out():
    assert csv_rows("a,b\n,\n", optional=["b"]) == [{"a": ""}]


def test_csv_quoting_and_trimmed_headers():
    assert csv_rows(' name , text\nann,"a, ""b""\nc"\n') == [{"name": "ann", "text": 'a, "b"\nc'}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "CSV file doesn't have headers"),
        (
            "$a\n1\n",
            "CSV header $a isn't a valid field name: Field name $a starts with '$', which is reserved.",
        ),
        ("a,b\n1,2\n3\n", "CSV row 2 doesn't have all of the fields in the header"),
        ("\ufeffa\n1\n", "UTF-8 BOM is not supported. Please save your file without BOM."),
    ],
)
def test_csv_that_cannot_be_imported_says_why(text, message):
    with pytest.raises(ImportRefused) as caught:
        csv_rows(text)
    assert str(caught.value) == f"Hit an error while importing:\n{message}"


def test_json_lines_honour_the_encoded_forms_and_skip_blank_lines():
    rows = read_json_lines(io.BytesIO(b'{"a": 1, "b": {"$integer": "AQAAAAAAAAA="}}\n\n{"a": null}'))
    assert list(rows) == [{"a": 1.0, "b": Int64(1)}, {"a": None}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1}\n{nope\n', "Row 2 wasn't valid JSON: "),
        (b'{"$a": 1, "b": 2}\n', "Row 1 wasn't a valid Convex value: "),
        (b"[1]\n", "Row 1 wasn't an object"),
    ],
)
def test_json_lines_name_the_bad_row(text, message):
    with pytest.raises(ImportRefused, match=message):
        list(read_json_lines(io.BytesIO(text)))


def test_a_json_array_is_read_and_its_size_is_bounded(monkeypatch):
    assert list(read_json_array(io.BytesIO(b'[{"a": 1}]'))) == [{"a": 1.0}]
    for text, message in (
        (b"{}", "Not a JSON array"),
        (b"[1", "Not valid JSON: "),
        (b"[1]", "Row 1 wasn't an object"),
    ):
        with pytest.raises(ImportRefused, match=message):
            list(read_json_array(io.BytesIO(text)))
    monkeypatch.setattr("parabola.services.archives.rows.MAX_JSON_ARRAY_BYTES", 4)
    with pytest.raises(
        ImportRefused, match=r"\(8 bytes > maximum 4\). Consider converting data to JSONLines"
    ):
        list(read_json_array(io.BytesIO(b"[{}, {}]")))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.integers(-(2**63), 2**63 - 1).map(Int64),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "_id"]), VALUES))
def test_an_exported_line_reads_back_without_loss(document):
    (read,) = read_json_lines(io.BytesIO(export_line(document)), lossless=True)
    assert dumps(read) == dumps(document)


def test_an_archive_reads_back_with_tables_numbers_components_and_files(tmp_path):
    path = tmp_path / "snapshot.zip"
    writer = ArchiveWriter(path)
    writer.write_table_numbers({"tasks": 10001, "users": 10002})
    with writer.open_table("tasks") as table:
        table.write(export_line({"_id": "x", "n": Int64(5)}))
    with writer.open_table("inner", "auth/keys") as table:
        table.write(export_line({"a": 1.0}))
    with writer.open_table("_storage") as table:
        table.write(export_line({"_id": "file1"}))
    with writer.open_stored_file("file1", "image/png; x=y", b"png") as file:
        file.write(b"png")
    writer.close()
    with ArchiveReader(path) as reader:
        tables = {(table.component, table.name): table for table in reader.contents.tables}
        assert set(tables) == {("", "tasks"), ("auth/keys", "inner"), ("", "_storage")}
        assert tables["", "tasks"].number == 10001
        assert list(reader.rows(tables["", "tasks"])) == [{"_id": "x", "n": Int64(5)}]
        stored = reader.contents.files["", "file1"]
        assert stored.entry == "_storage/file1.png"
        with reader.open_file(stored) as file:
            assert file.read() == b"png"


def test_a_leading_directory_is_ignored_and_unknown_system_tables_are_skipped(tmp_path):
    path = tmp_path / "snapshot.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("backup/tasks/documents.jsonl", '{"a": 1}\n')
        archive.writestr("backup/_scheduled/documents.jsonl", "{}\n")
        archive.writestr("backup/notes.txt", "hello")
    with ArchiveReader(path) as reader:
        (table,) = reader.contents.tables
        assert (table.name, table.lossless) == ("tasks", False)
        assert list(reader.rows(table)) == [{"a": 1.0}]


@pytest.mark.parametrize("body", [b"", b"not a zip", b"PK\x03\x04 cut short"])
def test_what_is_no_archive_is_refused(tmp_path, body):
    path = tmp_path / "snapshot.zip"
    path.write_bytes(body)
    with pytest.raises(ImportRefused, match="isn't a valid zip archive"):
        ArchiveReader(path)


def test_a_damaged_entry_is_refused_when_it_is_read(tmp_path):
    path = tmp_path / "snapshot.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tasks/documents.jsonl", '{"a": 1}\n' * 100)
    damaged = bytearray(path.read_bytes())
    damaged[60] ^= 0xFF
    path.write_bytes(damaged)
    with ArchiveReader(path) as reader, pytest.raises(ImportRefused):
        list(reader.rows(reader.contents.tables[0]))


def test_files_are_compressed_where_that_saves_something(tmp_path):
    path = tmp_path / "snapshot.zip"
    writer = ArchiveWriter(path)
    contents = {"text": b"again and " * 10_000, "random": os.urandom(100_000), "empty": b""}
    for id, content in contents.items():
        with writer.open_stored_file(id, None, content[:1000]) as file:
            file.write(content)
    writer.close()
    with zipfile.ZipFile(path) as archive:
        sizes = {id: archive.getinfo(f"_storage/{id}").compress_size for id in contents}
        assert {id: archive.read(f"_storage/{id}") for id in contents} == contents
    assert sizes["text"] < 10_000
    assert (sizes["random"], sizes["empty"]) == (100_000, 0)
