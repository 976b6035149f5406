# ruff: noqa: E501  (literal error texts stand in one line)
import pytest
from hypothesis import given

from parabola.values.encoding import COMMIT_TS, Int64
from parabola.values.errors import BadRequest, InvalidValidator, ValidationError
from parabola.values.validators.builder import v
from values.validator_strategies import (
    HANDLE,
    STORAGE_ID,
    TABLES,
    TASK_ID,
    UNKNOWN_ID,
    USER_ID,
    naive_accepts,
    validators_and_values,
)

NAN = float("nan")


def text_of(validator, value, path=""):
    with pytest.raises(ValidationError) as info:
        validator.check(value, TABLES, path=path)
    return str(info.value)


@given(validators_and_values)
def test_acceptance_as_the_reference_words_it(pair):
    validator, value = pair
    accepted = naive_accepts(validator, value)
    assert validator.accepts(value, TABLES) == accepted
    if accepted:
        validator.check(value, TABLES)
    else:
        error = text_of(validator, value, ".here")
        assert ".here" in error or "Path: .here" in error


@pytest.mark.parametrize(
    ("validator", "good", "bad"),
    [
        (v.null(), [None], [False, 0.0]),
        (v.number(), [1.0, NAN, float("inf"), -0.0], [Int64(1), True, "1"]),
        (v.float64(), [1.0], [Int64(1)]),
        (v.int64(), [Int64(1), COMMIT_TS], [1.0, True]),
        (v.bigint(), [Int64(1)], [1.0]),
        (v.commitTs(), [Int64(1), COMMIT_TS], [1.0]),
        (v.boolean(), [True, False], [1.0, None]),
        (v.string(), [""], [b"", None]),
        (v.bytes(), [b""], [""]),
        (v.any(), [None, {"x": [1.0]}, COMMIT_TS], []),
        (v.id("tasks"), [TASK_ID], [USER_ID, STORAGE_ID, UNKNOWN_ID, "x", 1.0, TASK_ID.upper()]),
        (v.id("_storage"), [STORAGE_ID], [TASK_ID]),
        (
            v.function("query"),
            [HANDLE, f"{HANDLE}#a/b:c"],
            [HANDLE[:-1], HANDLE[11:], "function://", "a:b", None],
        ),
        (v.literal("a"), ["a"], ["b", None]),
        (v.literal(0), [0.0], [-0.0, Int64(0), False]),
        (v.literal(Int64(1)), [Int64(1)], [1.0, True]),
        (v.literal(True), [True], [1.0, Int64(1), False]),
        (v.array(v.string()), [[], ["a"]], [["a", None], "a", ("a",)]),
        (v.object({"a": v.string()}), [{"a": ""}], [{}, {"a": None}, {"a": "", "b": ""}, []]),
        (v.object({"a": v.optional(v.string())}), [{"a": ""}, {}], [{"a": None}, {"b": ""}]),
        (v.object({"a": v.union(v.string(), v.null())}), [{"a": None}], [{}, {"b": None}]),
        (v.object({"a": v.any()}), [{"a": None}], [{}, {"b": None}]),
        (v.record(v.string(), v.number()), [{}, {"x y": 1.0}], [{"x": ""}, []]),
        (v.record(v.id("tasks"), v.any()), [{TASK_ID: None}], [{USER_ID: None}, {"x": None}]),
        (v.union(), [], [None]),
        (v.union(v.int64(), v.literal("a")), [Int64(1), COMMIT_TS, "a"], ["b", 1.0]),
        (v.nullable(v.string()), [None, ""], [1.0]),
    ],
)
def test_what_each_validator_accepts(validator, good, bad):
    for value in good:
        validator.check(value, TABLES)
    for value in bad:
        assert text_of(validator, value)


def test_wrong_type_at_the_root():
    assert text_of(v.string(), 1.0) == "Value does not match validator.\n\nValue: 1.0\nValidator: v.string()"


def test_wrong_type_inside():
    validator = v.object({"a": v.array(v.object({"b": v.string()}))})
    assert text_of(validator, {"a": [{"b": 1.0}]}) == (
        "Value does not match validator.\nPath: .a[0].b\nValue: 1.0\nValidator: v.string()"
    )


def test_a_missing_field():
    validator = v.object({"a": v.object({"b": v.string(), "c": v.optional(v.number())})})
    assert text_of(validator, {"a": {"c": 1.0}}) == (
        "Object is missing the required field `b`. Consider wrapping the field validator in `v.optional(...)` "
        "if this is expected.\nPath: .a\nObject: {c: 1.0}\n"
        "Validator: v.object({b: v.string(), c: v.optional(v.float64())})"
    )
    assert text_of(v.object({"b": v.string()}), {}).endswith(
        "expected.\n\nObject: {}\nValidator: v.object({b: v.string()})"
    )


def test_an_extra_field():
    assert text_of(v.object({"a": v.string()}), {"z": None, "b": 1.0, "a": "x"}) == (
        "Object contains extra field `b` that is not in the validator.\n\n"
        'Object: {a: "x", b: 1.0, z: null}\nValidator: v.object({a: v.string()})'
    )


def test_the_declared_fields_are_looked_at_before_extra_ones_in_the_order_of_their_names():
    validator = v.object({"b": v.string(), "a": v.string()})
    assert "missing the required field `a`" in text_of(validator, {"b": 1.0, "z": 1.0})
    assert "Path: .b" in text_of(validator, {"a": "", "b": 1.0, "z": 1.0})


def test_a_literal_that_differs():
    assert text_of(v.literal("a"), "b") == '`"b"` does not match literal validator `v.literal("a")`.'
    validator = v.object({"k": v.literal(1)})
    assert text_of(validator, {"k": 2.0}) == (
        "`2.0` does not match literal validator `v.literal(1.0)`.Path: .k"
    )


def test_ids_of_other_tables():
    assert text_of(v.id("tasks"), USER_ID) == (
        f'Found ID "{USER_ID}" from table `users`, which does not match the table name in validator '
        '`v.id("tasks")`.'
    )
    assert text_of(v.object({"i": v.id("tasks")}), {"i": STORAGE_ID}) == (
        f'Found ID "{STORAGE_ID}" from a system table, which does not match the table name in validator '
        '`v.id("tasks")`.Path: .i'
    )


@pytest.mark.parametrize("value", ["x", TASK_ID[:-1], UNKNOWN_ID, 1.0])
def test_what_is_no_id_of_any_table_is_a_generic_mismatch(value):
    assert text_of(v.id("tasks"), value).startswith("Value does not match validator.\n\nValue: ")


def test_a_union_with_one_member_reports_the_members_own_error():
    assert "extra field `b`" in text_of(v.union(v.object({})), {"b": 1.0})
    validator = v.union(v.object({"a": v.string()}), v.null())
    assert text_of(validator, {"b": 1.0}) == (
        "Value does not match validator.\n\nValue: {b: 1.0}\n"
        "Validator: v.union(v.object({a: v.string()}), v.null())"
    )
    assert text_of(v.union(), None).endswith("Validator: v.union()")


def test_the_paths_of_records():
    assert "Path: .r.values()[1]\n" in text_of(
        v.object({"r": v.record(v.string(), v.array(v.null()))}), {"r": {"k": [None, 1.0]}}
    )
    assert "Path: .keys()\n" in text_of(v.record(v.id("tasks"), v.any()), {"x": None})


def test_the_error_carries_the_place():
    with pytest.raises(ValidationError) as info:
        v.array(v.string()).check([1.0], TABLES)
    assert (info.value.path, info.value.value, info.value.validator) == ("[0]", 1.0, v.string())
    assert isinstance(info.value, BadRequest)


@pytest.mark.parametrize(
    ("validator", "text"),
    [
        (v.id("t"), 'v.id("t")'),
        (v.null(), "v.null()"),
        (v.number(), "v.float64()"),
        (v.bigint(), "v.int64()"),
        (v.commit_ts(), "v.commitTs()"),
        (v.boolean(), "v.boolean()"),
        (v.string(), "v.string()"),
        (v.bytes(), "v.bytes()"),
        (v.any(), "v.any()"),
        (v.literal('a"b'), 'v.literal("a\\"b")'),
        (v.literal(1), "v.literal(1.0)"),
        (v.literal(True), "v.literal(true)"),
        (v.literal(Int64(3)), "v.literal(<bigint>)"),
        (v.literal(NAN), "v.literal(<number>)"),
        (v.array(v.string()), "v.array(v.string())"),
        (v.record(v.string(), v.any()), "v.record(v.string(), v.any())"),
        (
            v.object({"b": v.string(), "a": v.optional(v.any())}),
            "v.object({a: v.optional(v.any()), b: v.string()})",
        ),
        (v.union(v.null(), v.id("users")), 'v.union(v.null(), v.id("users"))'),
        (v.nullable(v.string()), "v.union(v.string(), v.null())"),
    ],
)
def test_how_a_validator_reads(validator, text):
    assert str(validator) == repr(validator) == text


BASE = v.object({"a": v.string(), "b": v.optional(v.number()), "c": v.null()})


def test_objects_derive_from_objects():
    assert BASE.extend({"d": v.any(), "a": v.bytes()}) == v.object(
        {"a": v.bytes(), "b": v.optional(v.number()), "c": v.null(), "d": v.any()}
    )
    assert BASE.extend(v.object({"d": v.any()})) == BASE.extend({"d": v.any()})
    assert BASE.pick("a", "b") == v.object({"a": v.string(), "b": v.optional(v.number())})
    assert BASE.omit("a", "b") == v.object({"c": v.null()})
    assert BASE.partial() == v.object(
        {"a": v.optional(v.string()), "b": v.optional(v.number()), "c": v.optional(v.null())}
    )
    assert set(BASE.fields) == {"a", "b", "c"}
    for method in (BASE.pick, BASE.omit):
        with pytest.raises(InvalidValidator, match="'nope'"):
            method("nope")


def test_validators_are_equal_when_they_say_the_same():
    assert v.object({"a": v.any(), "b": v.null()}) == v.object({"b": v.null(), "a": v.any()})
    assert v.number() == v.float64()
    assert v.literal(0.0) != v.literal(-0.0)
    assert v.literal(1) != v.literal(Int64(1))
    assert len({v.string(), v.string(), v.any()}) == 2
    assert v.optional(v.string()) == v.optional(v.optional(v.string()))
    assert v.optional(v.string()) != v.string()
    assert v.string() != "v.string()"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: v.object({"1a": v.any()}), "Invalid first character '1' in 1a"),
        (lambda: v.object({"a b": v.any()}), "invalid character ' '"),
        (
            lambda: v.object({"a": None}),
            'field "a" in v.object() needs a validator such as v.string(), not None',
        ),
        (lambda: v.object({"a": str}), 'field "a" in v.object() needs a validator'),
        (lambda: v.object({1: v.any()}), "1 is not a string"),
        (lambda: v.array(v.optional(v.any())), "v.optional() can only be a field of v.object()"),
        (lambda: v.union(v.any(), v.optional(v.any())), "v.optional() can only be a field of v.object()"),
        (lambda: v.union("a"), "v.union() needs a validator such as v.string(), not 'a'"),
        (lambda: v.optional(None), "v.optional() needs a validator"),
        (lambda: v.literal(None), "v.literal() takes a string, a number, a boolean or an Int64, not None"),
        (lambda: v.literal(["a"]), "v.literal() takes"),
        (lambda: v.id("no table"), "v.id() takes the name of a table"),
        (lambda: v.id(None), "v.id() takes the name of a table"),
        (
            lambda: v.record(v.number(), v.any()),
            "Records can only have string keys. Your validator contains a record with key typed as "
            "`v.float64()`, which is not a subtype of `v.string()`",
        ),
        (lambda: v.record(v.any(), v.any()), "Records can only have string keys."),
        (lambda: v.record(v.literal("a"), v.any()), "Records cannot have string literal keys"),
        (
            lambda: v.record(v.union(v.string(), v.literal("a")), v.any()),
            "Records cannot have string literal keys",
        ),
        (lambda: v.record(v.string(), v.optional(v.any())), "Records cannot have optional values"),
    ],
)
def test_malformed_validators_are_refused(make, text):
    with pytest.raises(InvalidValidator) as info:
        make()
    assert text in str(info.value)
