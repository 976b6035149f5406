import pytest
from hypothesis import given

from parabola.values.encoding import COMMIT_TS, Int64, dumps, dumps_plain
from parabola.values.errors import BadRequest, InvalidValue
from parabola.values.limits import MAX_DOCUMENT_SIZE, MAX_VALUE_SIZE, MIB
from parabola.values.sizes import check_document, check_value, flat_size, humanize, nesting_of, size_of
from values.value_strategies import documents, values


def naive_size(value):
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, (float, Int64)):
        return 9
    if isinstance(value, str):
        return 2 + len(value.encode())
    if isinstance(value, bytes):
        return 2 + len(value)
    if isinstance(value, list):
        return 2 + sum(naive_size(item) for item in value)
    return 2 + sum(len(name.encode()) + 1 + naive_size(item) for name, item in value.items())


def nested(levels, leaf=None):
    value = leaf
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (None, 1),
        (True, 1),
        (Int64(1), 9),
        (1.0, 9),
        (COMMIT_TS, 9),
        ("", 2),
        ("é", 4),
        (b"ab", 4),
        ([], 2),
        ([None, 1.0], 12),
        ({}, 2),
        ({"ab": None}, 6),
    ],
)
def test_the_size_of_each_type(value, size):
    assert size_of(value) == size


@given(values)
def test_size_by_the_formula(value):
    assert size_of(value) == naive_size(value)


@given(documents)
def test_a_flat_document_is_measured_and_written_as_any_other(document):
    size = flat_size(document)
    if size is not None:
        assert size == size_of(document)
        assert dumps_plain(document) == dumps(document)
    plain = {name: item for name, item in document.items() if item is None or type(item) is bool}
    assert flat_size(plain) == size_of(plain)


@pytest.mark.parametrize("item", [-0.0, float("nan"), float("inf"), "é", Int64(1), b"", [], {}, 1, COMMIT_TS])
def test_what_is_not_plain_is_no_flat_document(item):
    assert flat_size({"a": item}) is None


def test_a_document_that_is_too_large_is_no_flat_one():
    assert flat_size({"a": "x" * (MAX_DOCUMENT_SIZE - 6)}) == MAX_DOCUMENT_SIZE
    assert flat_size({"a": "x" * (MAX_DOCUMENT_SIZE - 5)}) is None


@pytest.mark.parametrize(
    ("value", "levels"), [(1.0, 0), ("x", 0), ([], 1), ({}, 1), ([[]], 2), ({"a": [1.0, {"b": []}]}, 4)]
)
def test_nesting(value, levels):
    assert nesting_of(value) == levels


def test_nesting_of_what_is_far_too_deep():
    value = []
    for _ in range(100_000):
        value = [value]
    assert nesting_of(value) == 100_001


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (MIB, "1 MiB"),
        (16 * MIB, "16 MiB"),
        (17 * MIB + MIB // 4, "17.25 MiB"),
        (3 * 1024 * MIB, "3 GiB"),
        (1024**4, "1 TiB"),
        (1024**5, "1024 TiB"),
    ],
)
def test_sizes_for_people(size, text):
    assert humanize(size) == text


def test_any_value_is_limited_in_size_and_depth():
    assert check_value(nested(64)) == size_of(nested(64))
    with pytest.raises(InvalidValue) as info:
        check_value(nested(65))
    assert info.value.code == "TooNestedError"
    assert str(info.value) == "Value is too nested (nested 65 levels deep > maximum nesting 64)"
    assert check_value("x" * (MAX_VALUE_SIZE - 2)) == MAX_VALUE_SIZE
    with pytest.raises(InvalidValue) as info:
        check_value("x" * (MAX_VALUE_SIZE + MIB))
    assert info.value.code == "ValueTooLargeError"
    assert str(info.value) == "Value is too large (33 MiB > maximum size 32 MiB)"


def test_a_document_may_have_one_mebibyte_system_fields_included():
    document = {"_id": "i", "_creationTime": 1.0, "text": ""}
    document["text"] = "x" * (MAX_DOCUMENT_SIZE - size_of(document))
    assert check_document(document) == MAX_DOCUMENT_SIZE
    document["text"] += "x" * (MIB // 2)
    with pytest.raises(BadRequest) as info:
        check_document(document)
    assert info.value.code == "ValueTooLargeError"
    assert str(info.value) == "Value is too large (1.5 MiB > maximum size 1 MiB)"
    assert check_document(document, system=True) == size_of(document)


def test_a_document_of_seventeen_levels_is_refused_though_the_value_is_legal():
    assert check_document({"a": nested(15)}) > 0
    assert check_value({"a": nested(16)}) > 0
    with pytest.raises(BadRequest) as info:
        check_document({"a": nested(16, 1.0)})
    assert info.value.code == "InvalidDocumentError"
    assert str(info.value).startswith("Document(value: {a: {a: ")
    assert str(info.value).endswith(
        "isn't a valid document: Document is too nested (nested 17 levels deep > maximum nesting 16)"
    )


def test_only_system_fields_may_start_with_an_underscore_at_the_top():
    assert check_document({"_id": "x", "_creationTime": 1.0, "a": {"_b": 1.0}}) > 0
    with pytest.raises(BadRequest) as info:
        check_document({"_z": 1.0, "_b": None})
    assert str(info.value) == (
        "Document(value: {_b: null, _z: 1.0}) isn't a valid document: "
        "Field '_b' starts with an underscore, which is only allowed for system fields like '_id'\n "
        "Field '_z' starts with an underscore, which is only allowed for system fields like '_id'"
    )


@given(documents)
def test_ordinary_documents_pass(document):
    assert check_document(document) == naive_size(document)
