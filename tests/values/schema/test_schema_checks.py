# ruff: noqa: E501  (literal error texts stand in one line)
import pytest

from parabola.values.errors import SchemaDefinitionError
from parabola.values.schema.definition import define_schema, define_table
from parabola.values.validators.builder import v

PREFIX = "Hit an error while evaluating your schema:\n"
TABLE = define_table({"a": v.string(), "b": v.object({"c": v.any()}), "e": v.optional(v.array(v.float64()))})
MANY = [f"f{number}" for number in range(17)]
WIDE = define_table({name: v.any() for name in MANY})


def indexed(count, staged=0):
    table = WIDE
    for number in range(count):
        table = table.index(
            f"i{number}", [MANY[number % 16], f"f{(number + 1 + number // 16) % 17}"][: 1 + (number > 15)]
        )
    return table


def sixty_four():
    table = WIDE
    pairs = [(a, b) for a in MANY for b in MANY if a != b]
    for number, pair in enumerate(pairs[:32]):
        table = table.index(f"i{number}", pair, staged=number % 2 == 0)
    for number, pair in enumerate(pairs[32:48]):
        table = table.search_index(f"s{number}", search_field=pair[0], filter_fields=[pair[1]])
    for number in range(16):
        table = table.vector_index(f"v{number}", vector_field=MANY[number], dimensions=8)
    return table


@pytest.mark.parametrize(
    ("table", "code", "text"),
    [
        (TABLE.index("i", []), "EmptyIndex", 'In table "t" index "i" must have at least one field.'),
        (
            TABLE.index("i", [], staged=True),
            "EmptyIndex",
            'In table "t" staged index "i" must have at least one field.',
        ),
        (
            TABLE.index("i", ["a", "a"]),
            "FieldsNotUniqueWithinIndex",
            "Duplicate field a. Index fields must be unique within an index.",
        ),
        (
            TABLE.index("i", ["a"]).index("j", ["a"]),
            "IndexNotUnique",
            'In table "t" index "i" and index "j" have the same fields. Indexes must be unique within a table.',
        ),
        (
            TABLE.index("i", ["_id"]),
            "IndexFieldsContainId",
            "`_id` is not a valid index field. To load documents by ID, use `db.get(id)`.",
        ),
        (
            TABLE.index("i", ["a", "_creationTime"]),
            "IndexFieldsContainCreationTime",
            "`_creationTime` is automatically added to the end of each index. It should not be added explicitly in "
            "the index definition. See https://docs.convex.dev/using/indexes for more details.",
        ),
        (
            TABLE.index("i", ["_x"]),
            "IndexFieldNameReserved",
            "Reserved fields (starting with `_`) are not allowed in indexes.",
        ),
        (
            TABLE.index("by_id", ["a"]),
            "IndexNameReserved",
            'In table "t" cannot name an index "by_id" because the name is reserved. Indexes may not start with an '
            'underscore or be named "by_id" or "by_creation_time".',
        ),
        (TABLE.index("_i", ["a"]), "IndexNameReserved", None),
        (TABLE.index("by_creation_time", ["a"]), "IndexNameReserved", None),
        (
            TABLE.index("i", ["a"]).search_index("i", search_field="a"),
            "IndexNamesNotUnique",
            'Table "t" has two or more definitions of index "i".',
        ),
        (
            TABLE.index("i-j", ["a"]),
            "InvalidIndexName",
            'Invalid index name: "i-j". Identifiers must be 64 characters or less, start with a letter, and only '
            "contain letters, digits, underscores.",
        ),
        (TABLE.index("i" * 65, ["a"]), "InvalidIndexName", None),
        (TABLE.index("i", ["a-b"]), "InvalidIndexField", 'In index "i": Invalid index field: "a-b"'),
        (TABLE.index("i", ["a..b"]), "InvalidIndexField", 'In index "i": Invalid index field: "a..b"'),
        (
            TABLE.search_index("i", search_field=""),
            "InvalidIndexField",
            'In index "i": Invalid index field: ""',
        ),
        (WIDE.index("i", MANY[:16]), "IndexTooManyFields", "Indexes may have up to 16 fields."),
        (
            WIDE.search_index("i", search_field="f0", filter_fields=MANY),
            "IndexTooManyFilterFields",
            "Search indexes may have up to 16 filter fields.",
        ),
        (
            WIDE.vector_index("i", vector_field="f0", dimensions=8, filter_fields=MANY),
            "IndexTooManyFilterFields",
            "Vector indexes may have up to 16 filter fields.",
        ),
        (sixty_four().index("more", ["f0"]), "TooManyIndexes", 'Table "t" cannot have more than 64 indexes.'),
        (
            TABLE.search_index("i", search_field="a").search_index("j", search_field="a"),
            "SearchIndexFieldNotUnique",
            None,
        ),
        (
            TABLE.vector_index("i", vector_field="e", dimensions=8).vector_index(
                "j", vector_field="e", dimensions=8, filter_fields=["a"]
            ),
            "VectorIndexFieldNotUnique",
            None,
        ),
        (TABLE.vector_index("i", vector_field="e", dimensions=1), "InvalidVectorDimension", None),
        (TABLE.vector_index("i", vector_field="e", dimensions=4097), "InvalidVectorDimension", None),
        (
            TABLE.index("i", ["b.d"]),
            "SchemaDefinitionError",
            'In table "t" the index "i" is invalid because it references the field "b.d" that does not exist.',
        ),
        (TABLE.index("i", ["a.x"]), "SchemaDefinitionError", None),
        (TABLE.search_index("i", search_field="zz"), "SchemaDefinitionError", None),
        (TABLE.search_index("i", search_field="a", filter_fields=["zz"]), "SchemaDefinitionError", None),
        (
            TABLE.vector_index("i", vector_field="a", dimensions=8),
            "SchemaDefinitionError",
            'In table "t" the vector index "i" is invalid because it references the field "a" that is neither an '
            "array of float64 or optional array of float64.",
        ),
    ],
)
def test_every_fault_of_an_index_has_its_code_and_text(table, code, text):
    with pytest.raises(SchemaDefinitionError) as info:
        define_schema({"t": table})
    assert info.value.code == code
    assert str(info.value).startswith(PREFIX)
    if text is not None:
        assert str(info.value) == PREFIX + text


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        (
            "a-b",
            "InvalidTableName",
            'Invalid table name: "a-b". Identifiers must start with a letter and can only contain letters, digits, '
            "and underscores.",
        ),
        ("1a", "InvalidTableName", None),
        ("", "InvalidTableName", None),
        ("_a", "TableNameReserved", "_a is a reserved table name."),
    ],
)
def test_every_fault_of_a_tables_name(name, code, text):
    with pytest.raises(SchemaDefinitionError) as info:
        define_schema({name: TABLE})
    assert info.value.code == code
    if text is not None:
        assert str(info.value) == PREFIX + text


@pytest.mark.parametrize(
    ("document_type", "found"),
    [
        (v.string(), "v.string()"),
        (v.union(v.object({}), v.null()), "v.null()"),
        (v.record(v.string(), v.any()), "v.record(v.string(), v.any())"),
    ],
)
def test_documents_are_objects(document_type, found):
    with pytest.raises(SchemaDefinitionError) as info:
        define_table(document_type)
    assert str(info.value) == (
        f"{PREFIX}The document validator in a schema must be an object, a union of objects, or `v.any()`. "
        f"Found {found}."
    )


def test_ten_thousand_tables_are_the_most():
    tables = {f"t{number}": define_table({}) for number in range(10_000)}
    define_schema(tables)
    with pytest.raises(SchemaDefinitionError, match=r"Number of tables cannot exceed 10000\.") as info:
        define_schema({**tables, "more": define_table({})})
    assert info.value.code == "TooManyTables"


def test_fifteen_declared_fields_are_accepted():
    define_schema({"t": WIDE.index("i", MANY[:15])})


def test_sixty_four_indexes_are_accepted_of_all_kinds_and_staged_or_not():
    define_schema({"t": sixty_four()})


def test_fields_may_be_nested_or_in_one_member_of_a_union_or_anywhere_in_any():
    define_schema({"t": TABLE.index("i", ["b.c.anything"])})
    union = define_table(v.union(v.object({"a": v.string()}), v.object({"b": v.optional(v.array(v.any()))})))
    define_schema({"t": union.index("i", ["b"]).vector_index("e", vector_field="b", dimensions=2)})
    define_schema(
        {"t": define_table(v.any()).index("i", ["x.y"]).vector_index("e", vector_field="z", dimensions=2)}
    )


def test_without_validation_fields_need_not_exist():
    define_schema({"t": TABLE.index("i", ["zz"])}, schema_validation=False)


def test_the_same_search_field_with_other_filters_is_another_index():
    define_schema(
        {
            "t": TABLE.search_index("i", search_field="a").search_index(
                "j", search_field="a", filter_fields=["e"]
            )
        }
    )
