import dataclasses
from typing import NotRequired, TypedDict

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.values.errors import BadRequest, SchemaDefinitionError
from parabola.values.schema.definition import (
    DatabaseIndex,
    Schema,
    SearchIndex,
    VectorIndex,
    define_schema,
    define_table,
)
from parabola.values.validators.builder import v
from values.validator_strategies import TABLES, TASK_ID, USER_ID, validators

TASKS = (
    define_table({"text": v.string(), "owner": v.optional(v.id("users")), "e": v.array(v.float64())})
    .index("by_owner", ["owner", "text"])
    .index("later", ["text"], staged=True)
    .search_index("search_text", search_field="text", filter_fields=["owner"])
    .vector_index("by_e", vector_field="e", dimensions=3)
)
SCHEMA = define_schema({"tasks": TASKS, "notes": define_table(v.any())})
EMITTED_BY_NPM = {
    "tables": [
        {
            "tableName": "messages",
            "indexes": [{"indexDescriptor": "by_channel", "fields": ["channel", "n"]}],
            "stagedDbIndexes": [{"indexDescriptor": "staged", "fields": ["n"]}],
            "searchIndexes": [
                {"indexDescriptor": "search_body", "searchField": "body", "filterFields": ["channel"]}
            ],
            "stagedSearchIndexes": [],
            "vectorIndexes": [
                {
                    "indexDescriptor": "by_embedding",
                    "vectorField": "arr",
                    "dimensions": 3,
                    "filterFields": ["n"],
                }
            ],
            "stagedVectorIndexes": [],
            "documentType": {
                "type": "object",
                "value": {
                    "body": {"fieldType": {"type": "string"}, "optional": False},
                    "channel": {"fieldType": {"type": "string"}, "optional": False},
                    "n": {"fieldType": {"type": "number"}, "optional": True},
                    "arr": {"fieldType": {"type": "array", "value": {"type": "number"}}, "optional": True},
                },
            },
        }
    ],
    "schemaValidation": True,
}


def test_a_schema_holds_tables_and_their_indexes():
    assert SCHEMA.schema_validation
    assert list(SCHEMA.tables) == ["tasks", "notes"]
    tasks = SCHEMA.tables["tasks"]
    assert tasks.indexes == (
        DatabaseIndex("by_owner", ("owner", "text")),
        DatabaseIndex("later", ("text",), staged=True),
    )
    assert tasks.indexes[0].all_fields == ("owner", "text", "_creationTime")
    assert tasks.search_indexes == (SearchIndex("search_text", "text", ("owner",)),)
    assert tasks.vector_indexes == (VectorIndex("by_e", "e", 3),)
    assert [index.name for index in tasks.all_indexes()] == ["by_owner", "later", "search_text", "by_e"]


def test_a_definition_with_one_more_index_leaves_the_other_as_it_was():
    table = define_table({"a": v.any()})
    table.index("by_a", ["a"])
    assert table.indexes == ()


def test_what_npm_emits_is_read_and_written_back():
    schema = Schema.from_json(EMITTED_BY_NPM)
    assert schema.to_json() == EMITTED_BY_NPM
    assert schema.tables["messages"].indexes[1].staged


def test_lists_that_are_missing_are_empty_and_a_missing_flag_is_false():
    schema = Schema.from_json({"tables": [{"tableName": "t", "documentType": None}]})
    assert not schema.schema_validation
    assert list(schema.tables["t"].all_indexes()) == []
    assert Schema.from_json({"tables": []}) == define_schema({}, schema_validation=False)


@given(
    st.dictionaries(st.sampled_from("abc"), validators, max_size=3),
    st.lists(st.sampled_from("abc"), unique=True, max_size=3),
    st.booleans(),
)
def test_a_schema_survives_its_json_form(fields, indexed, flag):
    table = define_table(fields)
    for name in indexed:
        table = table.index(f"by_{name}", [name], staged=name == "a")
    if flag and set(indexed) - set(fields):
        return
    schema = define_schema({"t": table}, schema_validation=flag)
    assert Schema.from_json(orjson.loads(orjson.dumps(schema.to_json()))) == schema


def test_tables_may_be_described_by_classes():
    class Task(TypedDict):
        text: str
        due: NotRequired[float]

    @dataclasses.dataclass
    class Note:
        text: str
        size: int = 0

    assert define_table(Task) == define_table({"text": v.string(), "due": v.optional(v.number())})
    assert define_table(Note) == define_table({"text": v.string(), "size": v.optional(v.integer())})


def test_system_fields_in_a_document_type_are_let_go():
    fields = {"_id": v.id("t"), "_creationTime": v.number(), "a": v.any()}
    assert define_table(fields) == define_table({"a": v.any()})
    assert define_table(v.union(v.object(fields))) == define_table(v.union(v.object({"a": v.any()})))


def check(schema, table, document):
    schema.check_document(table, document, TABLES)


def test_documents_are_checked_without_their_system_fields():
    document = {"_id": TASK_ID, "_creationTime": 1.0, "text": "milk", "owner": USER_ID, "e": []}
    check(SCHEMA, "tasks", document)
    check(SCHEMA, "tasks", {**document, "_whatever": 1.0})
    assert document["_id"] == TASK_ID


def test_a_document_that_does_not_match_is_refused():
    with pytest.raises(BadRequest) as info:
        check(SCHEMA, "tasks", {"_id": TASK_ID, "text": 1.0, "e": []})
    assert info.value.code == "SchemaEnforcementError"
    assert str(info.value) == (
        'Failed to insert or update a document in table "tasks" because it does not match the schema: '
        "Value does not match validator.\nPath: .text\nValue: 1.0\nValidator: v.string()"
    )


def test_an_extra_field_shows_the_document_without_system_fields():
    with pytest.raises(BadRequest, match="extra field `done`") as info:
        check(SCHEMA, "tasks", {"_id": TASK_ID, "text": "", "e": [], "done": True})
    assert 'Object: {done: true, e: [], text: ""}' in str(info.value)


def test_unknown_tables_and_switched_off_validation_take_anything():
    check(SCHEMA, "others", {"x": 1.0})
    check(SCHEMA, "notes", {"x": 1.0})
    check(define_schema({"tasks": TASKS}, schema_validation=False), "tasks", {"x": 1.0})
    check(Schema.from_json({"tables": [{"tableName": "t"}], "schemaValidation": True}), "t", {"x": 1.0})


def test_the_texts_for_data_that_a_pushed_schema_does_not_allow():
    error = SCHEMA.mismatch("tasks", {"text": "", "e": [], "z": 1.0}, TABLES)
    assert SCHEMA.existing_document_error("tasks", TASK_ID, error) == (
        f'Document with ID "{TASK_ID}" in table "tasks" does not match the schema: {error}'
    )
    assert SCHEMA.new_document_error("tasks", error) == (
        f'New document in table "tasks" does not match the schema: {error}'
    )
    assert SCHEMA.mismatch("tasks", {"text": "", "e": []}, TABLES) is None


@pytest.mark.parametrize(
    "json",
    [
        None,
        {},
        {"tables": {}},
        {"tables": [1]},
        {"tables": [{}]},
        {"tables": [{"tableName": 1}]},
        {"tables": [{"tableName": "t", "indexes": {}}]},
        {"tables": [{"tableName": "t", "indexes": [{"fields": ["a"]}]}]},
        {"tables": [{"tableName": "t", "indexes": [{"indexDescriptor": "i", "fields": "a"}]}]},
        {"tables": [{"tableName": "t", "vectorIndexes": [{"indexDescriptor": "i", "vectorField": "a"}]}]},
        {"tables": [{"tableName": "t", "documentType": {"type": "nope"}}]},
        {"tables": [{"tableName": "t"}, {"tableName": "t"}]},
    ],
)
def test_malformed_json_is_refused(json):
    with pytest.raises(SchemaDefinitionError, match=r"^Hit an error while evaluating your schema:\n"):
        Schema.from_json(json)


def test_a_table_must_be_defined():
    with pytest.raises(SchemaDefinitionError, match="wrap it in define_table"):
        define_schema({"t": {"a": v.any()}})
