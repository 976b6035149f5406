"""Hypothesis strategies for validators and for values near them, and tables to check ids against."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st

from parabola.values.encoding import Int64
from parabola.values.ids import encode_id
from parabola.values.validators.builder import ObjectValidator, OptionalValidator, Validator, v
from values.value_strategies import scalars, texts


class Tables:
    """Two user tables, and the storage table as users see it."""

    names: ClassVar = {10001: ("tasks", False), 10002: ("users", False), 540: ("_storage", True)}

    def table_name(self, number: int) -> tuple[str, bool] | None:
        return self.names.get(number)


TABLES = Tables()
HANDLE = f"function://{encode_id(545, bytes(16))}"
TASK_ID, USER_ID, STORAGE_ID, UNKNOWN_ID = (encode_id(n, bytes(16)) for n in (10001, 10002, 540, 10003))

identifiers = st.sampled_from(["a", "b", "c", "_id", "_creationTime"])
literals = st.one_of(
    st.booleans(), st.sampled_from([0.0, -0.0, 1.0]), st.just(Int64(1)), st.sampled_from(["", "a"])
)
_plain = st.sampled_from(
    [
        v.null(),
        v.number(),
        v.int64(),
        v.boolean(),
        v.string(),
        v.bytes(),
        v.any(),
        v.commit_ts(),
        v.id("tasks"),
        v.function("mutation", args={"a": v.string()}),
    ]
)


def _objects(inner: st.SearchStrategy[Validator[Any]]) -> st.SearchStrategy[ObjectValidator]:
    return st.dictionaries(identifiers, inner | inner.map(v.optional), max_size=3).map(v.object)


validators = st.recursive(
    _plain | literals.map(v.literal),
    lambda inner: st.one_of(
        inner.map(v.array),
        inner.map(lambda values: v.record(v.string(), values)),
        st.lists(inner, max_size=3).map(lambda members: v.union(*members)),
        _objects(inner),
    ),
    max_leaves=6,
)


@st.composite
def near(draw: st.DrawFn, validator: Validator[Any]) -> Any:
    """A value that mostly matches a validator, with something wrong now and then."""
    if draw(st.integers(0, 11)) == 0:
        return draw(scalars | st.just([]) | st.just({}))
    kind = validator.kind
    if kind in ("bigint", "commitTs"):
        return Int64(draw(st.integers(-3, 3)))
    if kind == "id":
        return draw(st.sampled_from([TASK_ID, TASK_ID, USER_ID, STORAGE_ID, UNKNOWN_ID, "x"]))
    if kind == "function":
        return draw(st.sampled_from([HANDLE, f"{HANDLE}#tasks:done", HANDLE[:-1], "function://", TASK_ID]))
    if kind == "literal":
        return validator.value
    if kind == "array":
        return draw(st.lists(near(validator.element), max_size=2))
    if kind == "record":
        return draw(st.dictionaries(st.sampled_from(["x", "y", "_id"]), near(validator.values), max_size=2))
    if kind == "union":
        return draw(st.sampled_from(validator.members).flatmap(near)) if validator.members else draw(scalars)
    if kind == "object":
        value = {}
        for name, field in validator.fields.items():
            optional = isinstance(field, OptionalValidator)
            if draw(st.integers(0, 1 if optional else 11)):
                value[name] = draw(near(field.inner if optional else field))
        if draw(st.integers(0, 7)) == 0:
            value[draw(st.sampled_from(["z", "_id", "_creationTime"]))] = draw(scalars)
        return value
    plain = {"null": st.none(), "number": st.just(1.0), "boolean": st.booleans(), "string": texts}
    return draw(plain.get(kind, st.binary(max_size=2)))


validators_and_values = validators.flatmap(lambda validator: st.tuples(st.just(validator), near(validator)))


def naive_accepts(validator: Validator[Any], value: Any) -> bool:
    """Acceptance as the reference words it, from the JSON form alone, as slowly as one likes."""
    return _accepts(validator.to_json(), value)


def _accepts(json: Any, value: Any) -> bool:
    from parabola.values.encoding import COMMIT_TS, decode
    from parabola.values.ids import decode_id, is_valid_id
    from parabola.values.ordering import equal

    kind = json["type"]
    types = {"null": type(None), "number": float, "boolean": bool, "string": str, "bytes": bytes}
    if kind in types:
        return type(value) is types[kind]
    if kind in ("bigint", "commitTs"):
        return isinstance(value, Int64) or value is COMMIT_TS
    if kind == "any":
        return True
    if kind == "id":
        if not isinstance(value, str) or not is_valid_id(value):
            return False
        return TABLES.names.get(decode_id(value).table_number, ("",))[0] == json["tableName"]
    if kind == "function":
        start, scheme, name = str(value).partition("function://")
        return isinstance(value, str) and scheme != "" and start == "" and is_valid_id(name.split("#")[0])
    if kind == "literal":
        return equal(value, decode(json["value"]))
    if kind == "union":
        return any(_accepts(member, value) for member in json["value"])
    if kind == "array":
        return isinstance(value, list) and all(_accepts(json["value"], item) for item in value)
    if not isinstance(value, dict):
        return False
    if kind == "record":
        return all(
            _accepts(json["keys"], name) and _accepts(json["values"]["fieldType"], item)
            for name, item in value.items()
        )
    fields = json["value"]
    return set(value) <= set(fields) and all(
        _accepts(field["fieldType"], value[name]) if name in value else field["optional"]
        for name, field in fields.items()
    )
