import copy

import pytest
from hypothesis import given

from parabola.values.errors import ValidationError
from parabola.values.validators.builder import returns_value, v
from values.validator_strategies import TABLES, TASK_ID, validators_and_values
from values.value_strategies import same

DOCUMENT = {"_id": TASK_ID, "_creationTime": 1.0, "text": "milk"}
TEXT = v.object({"text": v.string()})


@pytest.mark.parametrize(
    ("validator", "value", "expected"),
    [
        (TEXT, DOCUMENT, {"text": "milk"}),
        (v.array(TEXT), [DOCUMENT, {"text": "b"}], [{"text": "milk"}, {"text": "b"}]),
        (TEXT.extend({"_id": v.id("tasks")}), DOCUMENT, {"_id": TASK_ID, "text": "milk"}),
        (TEXT.extend({"_id": v.id("tasks"), "_creationTime": v.number()}), DOCUMENT, DOCUMENT),
        (v.nullable(TEXT), DOCUMENT, {"text": "milk"}),
        (v.nullable(TEXT), None, None),
        (v.union(v.object({"n": v.number()}), TEXT), DOCUMENT, {"text": "milk"}),
        (v.union(TEXT), DOCUMENT, {"text": "milk"}),
        (v.record(v.string(), TEXT), {"k": DOCUMENT}, {"k": {"text": "milk"}}),
        (
            v.object({"page": v.array(TEXT), "task": v.optional(TEXT)}),
            {"page": [DOCUMENT], "task": DOCUMENT},
            {"page": [{"text": "milk"}], "task": {"text": "milk"}},
        ),
        (
            v.object({"task": v.object({"author": TEXT})}),
            {"task": {"author": DOCUMENT}},
            {"task": {"author": {"text": "milk"}}},
        ),
        (
            v.object({"task": TEXT, "kind": v.union(v.string(), v.null())}),
            {"task": DOCUMENT, "kind": None},
            {"task": {"text": "milk"}, "kind": None},
        ),
        (v.any(), DOCUMENT, DOCUMENT),
        (v.array(v.any()), [DOCUMENT], [DOCUMENT]),
    ],
)
def test_system_fields_that_are_not_declared_are_dropped(validator, value, expected):
    before = copy.deepcopy(value)
    assert returns_value(validator, value, TABLES) == expected
    assert value == before


@pytest.mark.parametrize(
    ("validator", "value", "text"),
    [
        (TEXT, {**DOCUMENT, "done": True}, "extra field `done`"),
        (TEXT, {**DOCUMENT, "_other": True}, "extra field `_other`"),
        (TEXT, {"_id": TASK_ID}, "missing the required field `text`"),
        (v.array(TEXT), [DOCUMENT, {"text": 1.0}], "Path: [1].text"),
        (TEXT.extend({"_id": v.id("users")}), DOCUMENT, "from table `tasks`"),
        (v.union(TEXT), {"_id": TASK_ID, "text": 1.0}, "Path: .text"),
        (v.union(TEXT, v.null()), {"_id": TASK_ID, "text": 1.0}, "Validator: v.union("),
        (v.record(v.string(), v.string()), {"_id": 1.0}, "Path: .values()"),
    ],
)
def test_everything_else_is_strict(validator, value, text):
    with pytest.raises(ValidationError) as info:
        returns_value(validator, value, TABLES)
    assert text in str(info.value)


@given(validators_and_values)
def test_what_comes_out_matches_and_what_matched_is_unchanged(pair):
    validator, value = pair
    try:
        returned = returns_value(validator, value, TABLES)
    except ValidationError:
        assert not validator.accepts(value, TABLES)
        return
    assert validator.accepts(returned, TABLES)
    if validator.accepts(value, TABLES):
        assert same(returned, value)


def test_arguments_do_not_drop_anything():
    with pytest.raises(ValidationError, match="extra field `_creationTime`"):
        TEXT.check(DOCUMENT, TABLES)
