# ruff: noqa: E501  (literal error texts stand in one line)
import math
import struct
import tracemalloc
from base64 import b64encode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.values.encoding import (
    COMMIT_TS,
    UNDEFINED,
    Int64,
    decode,
    dumps,
    encode,
    encode_as,
    loads,
)
from parabola.values.errors import BadRequest, InvalidValue, UserError
from values.value_strategies import same, values

NAN, INF = float("nan"), float("inf")


def float_form(number):
    return {"$float": b64encode(struct.pack("<d", number)).decode()}


def nested_json(levels):
    return orjson.loads("[" * levels + "]" * levels)


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (None, None),
        (True, True),
        (1.0, 1.0),
        ("x", "x"),
        (Int64(3), {"$integer": "AwAAAAAAAAA="}),
        (Int64(-1), {"$integer": "//////////8="}),
        (b"ab", {"$bytes": "YWI="}),
        (NAN, {"$float": "AAAAAAAA+H8="}),
        (-0.0, {"$float": "AAAAAAAAAIA="}),
        (INF, float_form(INF)),
        ([1.0, [None]], [1.0, [None]]),
        ({"a": Int64(3)}, {"a": {"$integer": "AwAAAAAAAAA="}}),
    ],
)
def test_the_wire_form_of_each_type(value, json):
    assert encode(value) == json
    assert same(decode(json), value)


def test_every_plain_json_number_is_a_float():
    assert type(decode(1)) is float
    assert type(decode({"a": [1]})["a"][0]) is float
    assert decode(2**70) == float(2**70)
    assert orjson.dumps(encode(1)) == b"1.0"
    with pytest.raises(InvalidValue):
        decode(10**400)


@given(values)
def test_decoding_undoes_encoding(value):
    json = orjson.loads(orjson.dumps(encode(value)))
    assert same(decode(json), value)
    assert same(loads(dumps(value)), value)


@given(values)
def test_canonical_bytes_are_the_bytes_of_the_wire_form(value):
    assert dumps(value) == orjson.dumps(encode(value), option=orjson.OPT_SORT_KEYS)


@given(st.dictionaries(st.sampled_from("abcdef"), values, max_size=4), st.randoms())
def test_canonical_bytes_do_not_depend_on_the_order_of_members(value, random):
    names = list(value)
    random.shuffle(names)
    assert dumps({name: value[name] for name in names}) == dumps(value)
    assert list(encode(value)) == sorted(value)


def test_canonical_numbers_have_a_fraction_or_an_exponent():
    assert dumps([1.0, 1e22, 2, -0.0]) == b'[1.0,1e+22,2.0,{"$float":"AAAAAAAAAIA="}]'


def test_special_floats_deep_inside_are_found():
    assert dumps({"a": {"b": [[NAN]]}}) == b'{"a":{"b":[[{"$float":"AAAAAAAA+H8="}]]}}'


def test_a_string_with_a_dollar_is_no_special_form():
    assert loads(dumps({"price": "$5", "q": '"$'})) == {"price": "$5", "q": '"$'}


def test_placeholders_only_pass_where_they_may():
    assert decode({"a": {"$undefined": None}}, allow_undefined=True) == {"a": UNDEFINED}
    assert decode([{"$commitTs": None}], allow_commit_ts=True) == [COMMIT_TS]
    assert encode([UNDEFINED, COMMIT_TS]) == [{"$undefined": None}, {"$commitTs": None}]
    assert loads(dumps({"at": COMMIT_TS}))["at"] is COMMIT_TS
    for json in ({"$undefined": None}, {"a": {"$commitTs": None}}):
        with pytest.raises(InvalidValue):
            decode(json)
    with pytest.raises(InvalidValue, match="reserved"):
        decode({"$undefined": 1.0}, allow_undefined=True)


def test_special_forms_are_objects_with_exactly_one_key():
    with pytest.raises(InvalidValue, match=r"^Field name \$integer starts with '\$', which is reserved\.$"):
        decode({"$integer": "AwAAAAAAAAA=", "other": 1})


@pytest.mark.parametrize(
    ("json", "text"),
    [
        (float_form(1.5), "Float64 1.5 should be encoded as a number"),
        (float_form(5e-324), "Float64 5e-324 should be encoded as a number"),
        ({"$integer": "AAAA"}, "Received 3 bytes, expected 8 for $integer"),
        ({"$float": "AAAA"}, "Received 3 bytes, expected 8 for $float"),
        ({"$integer": 3}, "$integer must be a base64 string"),
        ({"$bytes": "not base64!"}, "$bytes must be a base64 string"),
        ({"$bytes": "YWI"}, "$bytes must be a base64 string"),
        ({"$bytes": "é"}, "$bytes must be a base64 string"),
        ({"$set": []}, "Received a Set which is no longer supported as a Convex type."),
        ({"$map": []}, "Received a Map which is no longer supported as a Convex type."),
        ({"$other": 1}, "Field name $other starts with '$', which is reserved."),
        (
            {"é": 1},
            "Field name é has invalid character 'é': Field names can only contain non-control ASCII characters",
        ),
        ({"x" * 1025: 1}, "Field name is too long (1025 > maximum 1024)"),
        ({str(n): 1 for n in range(1025)}, "Object has too many fields (1025 > maximum number 1024)"),
        ([0] * 8193, "Array length is too long (8193 > maximum length 8192)"),
        (nested_json(65), "Value is too nested (nested 65 levels deep > maximum nesting 64)"),
        ({"a": nested_json(70)}, "Value is too nested (nested 71 levels deep > maximum nesting 64)"),
        (["x" * 2**20] * 32, "Value is too large (32 MiB > maximum size 32 MiB)"),
        ("x" * 2**25, "Value is too large (32 MiB > maximum size 32 MiB)"),
    ],
)
def test_what_is_no_value_is_refused_with_its_text(json, text):
    with pytest.raises(InvalidValue) as info:
        decode(json)
    assert str(info.value) == text
    assert isinstance(info.value, UserError)


def test_the_codes_of_broken_limits():
    for json, code in (
        ([0] * 8193, "ArrayTooLong"),
        ({str(n): 1 for n in range(1025)}, "TooManyFieldsError"),
        (nested_json(65), "TooNestedError"),
        ("x" * 2**25, "ValueTooLargeError"),
    ):
        with pytest.raises(InvalidValue) as info:
            decode(json)
        assert info.value.code == code


def test_values_at_the_limits_pass():
    assert decode(nested_json(64)) == nested_json(64)
    assert len(decode([0] * 8192)) == 8192
    assert len(decode({str(n): 1 for n in range(1024)})) == 1024
    assert decode({"": 1, "x" * 1024: 1, " ~": 1}) == {"": 1, "x" * 1024: 1, " ~": 1}
    zero = decode(float_form(0.0))
    assert zero == 0.0
    assert math.copysign(1, zero) == 1


def test_lone_surrogates_are_no_text():
    for json in ("\ud800", ["a\udfff"], {"a": "\ud800"}):
        with pytest.raises(InvalidValue, match="surrogate"):
            decode(json)
    with pytest.raises(InvalidValue):
        dumps("\ud800")


def test_an_author_may_hand_in_what_stands_for_a_value():
    assert encode((1, bytearray(b"ab"))) == [1.0, {"$bytes": "YWI="}]
    for wrong in (10**400, object(), [{object()}]):
        with pytest.raises(InvalidValue):
            encode(wrong)
    with pytest.raises(InvalidValue, match="is not JSON"):
        decode({"a": object()})
    with pytest.raises(InvalidValue, match="65 levels"):
        decode(orjson.loads('{"a":' * 65 + "1" + "}" * 65))


def test_decoding_leaves_the_json_alone():
    json = {"a": [1, {"$integer": "AwAAAAAAAAA="}]}
    decode(json)
    assert json == {"a": [1, {"$integer": "AwAAAAAAAAA="}]}


EVERYTHING = {"i": Int64(2**60), "f": 1.0, "n": NAN, "p": INF, "m": -INF, "b": b"ab", "s": ["x", None, True]}


def test_the_clean_format():
    expected = {
        "i": "1152921504606846976",
        "f": 1.0,
        "n": "NaN",
        "p": "Infinity",
        "m": "-Infinity",
        "b": "YWI=",
        "s": ["x", None, True],
    }
    assert encode_as(EVERYTHING, "json") == encode_as(EVERYTHING, "convex_clean_json") == expected
    assert list(encode_as(EVERYTHING, "json")) == sorted(EVERYTHING)
    assert orjson.dumps(encode_as([5, -0.0], "json")) == b"[5.0,-0.0]"


def test_the_export_format():
    exported = encode_as(EVERYTHING, "export_json")
    assert exported["i"] == 2**60
    assert type(exported["i"]) is int
    assert exported["b"] == {"$bytes": "YWI="}
    assert exported["n"] == {"$float": "AAAAAAAA+H8="}
    assert orjson.dumps(exported["f"]) == b"1.0"


def test_the_encoded_format_and_its_alias():
    assert (
        encode_as(EVERYTHING, "convex_encoded_json")
        == encode_as(EVERYTHING, "convex_json")
        == encode(EVERYTHING)
    )


def test_an_unknown_format_is_refused():
    with pytest.raises(BadRequest) as info:
        encode_as(None, "xml")
    assert info.value.code == "BadFormat"
    assert str(info.value) == "format param must be one of [`json`]. Got xml"


def test_texts_take_no_more_memory_than_their_bytes():
    tracemalloc.start()
    try:
        texts = [dumps({"n": float(n)}) for n in range(500)]
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 500 * 512
    assert len(texts) == 500
