import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parabola.values.encoding import COMMIT_TS, UNDEFINED, Int64
from parabola.values.ordering import after_all_with, compare, decode_key, encode_key, equal
from values.value_strategies import floats, int64s, key_parts, model_compare, same, values

NAN = float("nan")
IN_ORDER = [
    UNDEFINED,
    None,
    Int64(-(2**63)),
    Int64(-1),
    Int64(0),
    Int64(1),
    Int64(2**63 - 1),
    struct.unpack(">d", b"\xff\xf8" + bytes(6))[0],
    float("-inf"),
    -1.0,
    -0.0,
    0.0,
    1.0,
    float("inf"),
    NAN,
    False,
    True,
    "",
    "a",
    "\uff5e",
    "\U0001f600",
    b"",
    b"a",
    [],
    [Int64(1)],
    [1.0],
    [1.0, 0.0],
    {},
    {"": None},
    {"a": 1.0},
    {"a": 1.0, "b": 0.0},
    {"b": 0.0},
]


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (Int64(1), "0901"),
        (Int64(-1), "07ff"),
        (Int64(128), "0a0080"),
        (Int64(0), "08"),
        (Int64(-128), "0780"),
        (Int64(-129), "06ff7f"),
        (Int64(2**31), "0c0000000080000000"),
        (1.0, "0dbff0000000000000"),
        (-0.0, "0d7fffffffffffffff"),
        (0.0, "0d8000000000000000"),
        (NAN, "0dfff8000000000000"),
        ("a", "106100"),
        ("\0", "1000ff00"),
        (b"\0a", "1100ff6100"),
        ([None], "120300"),
        ({"a": Int64(1)}, "156100090100"),
        ({"": None}, "1500ff0300"),
        (UNDEFINED, "01"),
        (None, "03"),
        (False, "0e"),
        (True, "0f"),
    ],
)
def test_the_bytes_of_a_key(value, key):
    assert encode_key([value]).hex() == key


def test_a_key_is_its_parts_one_after_another():
    assert encode_key([1.0, "a"]) == encode_key([1.0]) + encode_key(["a"])


def test_values_of_all_types_in_their_order():
    for index, a in enumerate(IN_ORDER):
        for other, b in enumerate(IN_ORDER):
            assert compare(a, b) == (index > other) - (index < other), (a, b)
            assert equal(a, b) == (index == other), (a, b)


@given(key_parts, key_parts)
def test_keys_order_as_values_do(a, b):
    key, other = encode_key([a]), encode_key([b])
    assert (key > other) - (key < other) == model_compare(a, b) == compare(a, b)
    assert equal(a, b) == (model_compare(a, b) == 0)


@given(st.lists(key_parts, max_size=3), st.lists(key_parts, max_size=3))
def test_keys_of_several_values_order_field_by_field(a, b):
    key, other = encode_key(a), encode_key(b)
    expected = next((order for x, y in zip(a, b, strict=False) if (order := model_compare(x, y))), 0)
    if expected:
        assert (key > other) - (key < other) == expected
    else:
        assert key.startswith(other) or other.startswith(key)


@given(int64s, int64s)
def test_keys_order_integers(a, b):
    assert (encode_key([a]) < encode_key([b])) == (a < b)


@given(floats, floats)
def test_keys_order_ordinary_floats_as_numbers(a, b):
    if a == a and b == b and a != b:
        assert (encode_key([a]) < encode_key([b])) == (a < b)


@given(st.lists(key_parts, max_size=4))
@example([{"": {"": ""}}, "\0\0", b"\0\xff"])
def test_a_key_decodes_to_what_it_was_made_of(parts):
    decoded = decode_key(encode_key(parts))
    assert len(decoded) == len(parts)
    assert all(map(same, decoded, parts))


def test_the_commit_timestamp_sorts_as_the_largest_integer():
    assert encode_key([COMMIT_TS]) == encode_key([Int64(2**63 - 1)])
    assert compare(COMMIT_TS, Int64(2**63 - 2)) == 1


@pytest.mark.parametrize(
    "key",
    [
        "02",
        "13",
        "ff",
        "0a0001",
        "0900",
        "0bffff",
        "0d00",
        "1061",
        "126109",
        "15610003",
        "1561000361000300",
        "10ff00",
    ],
)
def test_bytes_that_are_no_key_are_refused(key):
    with pytest.raises(ValueError, match="not an index key"):
        decode_key(bytes.fromhex(key))


@given(st.binary(max_size=12))
def test_only_the_one_key_of_a_value_decodes(raw):
    try:
        parts = decode_key(raw)
    except ValueError:
        return
    # A dictionary forgets the order its fields came in; everything else is canonical.
    if b"\x15" not in raw:
        assert encode_key(parts) == raw


easily_confused = st.lists(
    values
    | st.text("a\0", max_size=3)
    | st.binary(max_size=2)
    | st.dictionaries(st.just(""), values, max_size=1),
    max_size=2,
)


@given(easily_confused, easily_confused, st.lists(key_parts, max_size=2))
def test_the_keys_that_begin_with_some_values_are_one_interval_with_no_others_in_it(prefix, other, rest):
    start, end = encode_key(prefix), after_all_with(encode_key(prefix))

    def is_between(key):
        return start <= key and (end is None or key < end)

    assert is_between(encode_key([*prefix, *rest]))
    key = [*other, *rest]
    begins_with_it = len(key) >= len(prefix) and all(map(equal, prefix, key))
    assert is_between(encode_key(key)) == begins_with_it


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [("a", "a\0"), ("a", "a\0b"), ("", "\0"), (b"a", b"a\0"), (["a"], ["a\0"]), ({}, {"": 1.0})],
)
def test_a_value_that_only_begins_like_another_is_not_among_its_keys(shorter, longer):
    key = encode_key([longer, 1.0])
    assert encode_key([shorter]) <= key
    assert key >= after_all_with(encode_key([shorter]))


def test_no_values_have_every_key_after_them():
    assert after_all_with(b"") is None


def test_an_index_on_a_field_has_all_bigints_before_all_numbers():
    rows = [1.0, Int64(5), 0.5, Int64(-7), None, UNDEFINED]
    assert sorted(rows, key=lambda row: encode_key([row])) == [UNDEFINED, None, Int64(-7), Int64(5), 0.5, 1.0]
    assert not equal(Int64(1), 1.0)


def test_a_range_below_five_holds_missing_null_and_bigints():
    end = encode_key([5.0])
    inside = [value for value in (UNDEFINED, None, Int64(9), 4.0, 5.0, "x") if encode_key([value]) < end]
    assert inside == [UNDEFINED, None, Int64(9), 4.0]
    assert encode_key([UNDEFINED]) < encode_key([None])


def test_what_is_no_value_has_no_place_in_the_order():
    with pytest.raises(TypeError, match="no place in the order"):
        encode_key([object()])


def test_python_ints_and_subclasses_of_str_have_keys_too():
    class Name(str):
        pass

    assert encode_key([1, Name("a")]) == encode_key([1.0, "a"])


def test_python_equality_is_not_value_equality():
    assert equal(True, True)
    assert not equal(True, 1.0)
    assert not equal(0.0, -0.0)
    assert not equal(0.0, False)
    assert equal(NAN, NAN)
