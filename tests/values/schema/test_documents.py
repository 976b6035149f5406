"""What a schema says of documents, where hints name them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from parabola.values.schema.definition import define_schema, define_table
from parabola.values.schema.documents import UnknownTable, document_json, resolved, resolved_text
from parabola.values.validators.builder import v, validator_from_json
from parabola.values.validators.documents import DocumentForm, DocumentValidator

SCHEMA = define_schema(
    {
        "tasks": define_table({"text": v.string(), "due": v.optional(v.number())}),
        "events": define_table(
            v.union(v.object({"kind": v.literal("a"), "x": v.string()}), v.object({"kind": v.literal("b")}))
        ),
        "anything": define_table(v.any()),
    }
)


def document(table: str, form: DocumentForm = "doc", schema: Any = SCHEMA) -> str:
    return str(validator_from_json(document_json(table, form, schema)))


def test_a_document_has_system_fields_a_new_one_has_none_and_a_patch_any_field() -> None:
    system = '_creationTime: v.float64(), _id: v.id("tasks")'
    assert document("tasks") == f"v.object({{{system}, due: v.optional(v.float64()), text: v.string()}})"
    assert document("tasks", "new") == "v.object({due: v.optional(v.float64()), text: v.string()})"
    assert (
        document("tasks", "patch") == "v.object({due: v.optional(v.float64()), text: v.optional(v.string())})"
    )


def test_each_member_of_a_union_has_system_fields_and_a_patch_takes_the_fields_of_all() -> None:
    assert document("events").count('_id: v.id("events")') == 2
    assert document("events", "patch") == (
        'v.object({kind: v.optional(v.union(v.literal("a"), v.literal("b"))), x: v.optional(v.string())})'
    )


@pytest.mark.parametrize("form", ["doc", "new", "patch"])
def test_where_the_schema_says_nothing_anything_goes(form: DocumentForm) -> None:
    open_ended = define_schema({}, schema_validation=False)
    assert document("anything", form) == document("tasks", form, None) == "v.any()"
    assert document("tasks", form, open_ended) == "v.any()"


def test_files_and_jobs_have_documents_too() -> None:
    assert "sha256: v.string()" in document("_storage")
    assert "scheduledTime: v.float64()" in document("_scheduled_functions")


def test_a_table_that_is_not_there_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(UnknownTable, match=r"`task`.* Did you mean `tasks`\?"):
        document("task")
    with pytest.raises(UnknownTable, match=r"It has `anything`, `events`, `tasks`\."):
        document("zzz")


def test_they_are_put_in_wherever_they_stand_and_nothing_else_is_touched() -> None:
    literal = v.literal("document")
    before = v.object({"many": v.array(DocumentValidator("tasks")), "word": v.optional(literal)})
    after = resolved(before, SCHEMA)
    assert str(after) == f"v.object({{many: v.array({document('tasks')}), word: v.optional({literal})}})"
    assert resolved(literal, SCHEMA) == literal
    assert resolved_text(None, SCHEMA) is None
    assert resolved_text("null", SCHEMA) == "null"
    text = orjson.dumps(before.to_json()).decode()
    assert validator_from_json(orjson.loads(resolved_text(text, SCHEMA) or "")) == after


def test_before_that_a_document_is_any_object() -> None:
    class NoTables:
        def table_name(self, number: int) -> None: ...

    validator = DocumentValidator("tasks")
    assert validator.accepts({"anything": 1}, NoTables())
    assert not validator.accepts("text", NoTables())
