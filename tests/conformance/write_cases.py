"""Writes and their refusals: js-runtime 1.12, 9 and B, semantics 1.4, 2.2, 2.4, 2.5 and 14."""

# ruff: noqa: E501  (texts of errors)

from __future__ import annotations

from typing import Any

from conformance.case import Case, PerLanguage
from parabola.values.int64 import Int64


def attempt(item: str, what: str, value: Any = ..., **more: Any) -> Case:
    return Case(item, "writes:attempt", {"what": what}, value, **more)


def names(*given: str) -> Case:
    """What is in the table afterwards."""
    return Case("", "queries:all", {}, list(given))


ID = r"\w{32}"
SCHEMA = 'Failed to insert or update a document in table "people" because it does not match the schema: '
ALLOWED = [
    attempt("sem 2.5 insert and get", "insert_and_get", {"name": "x", "value": Int64(1)}),
    attempt("js 1.2 undefined fields are dropped", "insert_drops_undefined", {"name": "x", "deep": {}}),
    attempt("js A.1 get with a table", "get_by_table", "x"),
    attempt("sem 2.5 patch merges top level", "patch_merges", {"a": 1.0, "b": {"c": 3.0}, "e": None}),
    attempt("sem 14.12 patch undefined removes", "patch_removes", {"b": 2.0}),
    attempt("sem 14.12 patch nested undefined", "patch_nested_undefined", {"a": {}}),
    attempt("js 1.12 matching system fields", "patch_keeps_system_fields", [2.0, True, True]),
    attempt("sem 2.5 replace", "replace", {"c": 3.0}),
    attempt("js A.2 writes with a table", "replace_with_table", {"c": 3.0, "d": 4.0}),
    attempt("sem 2.5 delete", "delete", None),
    attempt("sem 5.1 own writes in index order", "sees_own_writes", ["first", "second"]),
    attempt("sem 14.9 creation times increase", "creation_times_increase", True),
    attempt("js 1.5 writes together keep their order", "writes_together", ["a", "b", "c"]),
    attempt("js 1.4 developer errors are catchable", "caught", "caught", then=[names("after")]),
    attempt("js 1.6 normalizeId", "normalize_id", [True, None, None, None, None, None]),
    attempt("sem 1.6, 14.29 commit timestamps", "commit_ts", True,
            then=[Case("", "writes:equal_timestamps", {}, [2.0, True, True])]),
    attempt("sem 14.6 sixteen levels", "deep_document", "kept"),
    attempt("sem 14.20 system fields and a strict schema", "schema_system_fields", 6.0),
    attempt("sem 3.5 schema kept", "schema_kept", "Bob"),
    Case("sem 5.1 an error undoes the writes", "writes:insert_then_throw", {},
         error="Uncaught (Value)?Error: no", then=[names()]),
]  # fmt: skip

REFUSED = [
    attempt("js 1.12 patch missing", "patch_missing", error=f"Update on nonexistent document ID {ID}"),
    attempt("js 1.12 replace missing", "replace_missing", error=f"Replace on nonexistent document ID {ID}"),
    attempt("js 1.12 delete missing", "delete_missing", error=f"Delete on nonexistent document ID {ID}"),
    attempt("js 1.12 undecodable id", "get_garbage",
            error="Invalid argument `id` for `db.get`: Unable to decode ID: Invalid ID length 7"),
    attempt("sem 14.7 changed id", "get_corrupted",
            error="Invalid argument `id` for `db.get`: Unable to decode ID: "),
    attempt("js 1.12 id of another table", "get_other_table",
            error='Invalid argument `id` for `db.get`: expected to be an Id<"items">, got Id<"others"> instead.'),
    attempt("js 1.12 undecodable id in a patch", "patch_garbage",
            error="Invalid argument `id` for `db.patch`: Unable to decode ID: Invalid ID length 7"),
    attempt("js 1.12 wrong _id", "wrong_id_field",
            error=f"Provided document ID {ID} doesn't match '_id' field {ID}"),
    attempt("js 1.12 wrong _creationTime", "wrong_creation_time",
            error=r"Provided creation time \S+ doesn't match '_creationTime' field in "),
    attempt("js 9 underscore field", "underscore_field",
            error="Field '_x' starts with an underscore, which is only allowed for system fields like '_id'"),
    attempt("js B system tables are read-only", "system_table",
            error=r"System tables \(prefixed with `_`\) are read-only."),
    attempt("js B system table through db", "system_table_query",
            error=r"System tables can( only|not) be accessed"),
    attempt("sem 1.5 table name", "strange_table_name",
            error="Identifier no spaces has invalid character ' ': Identifiers can only contain "
                  "alphanumeric characters or underscores"),
    attempt("sem 14.6 seventeen levels", "too_deep_document",
            error=r"Document is too nested \(nested 17 levels deep > maximum nesting 16\)"),
    attempt("js 9 array", "too_long_array",
            error=r"Array length is too long \(8193 > maximum length 8192\)"),
    attempt("js 9 object", "too_many_fields",
            error=r"Object has too many fields \(1025 > maximum number 1024\)"),
    attempt("js 9 document", "too_large", error=r"Value is too large \(1(\.\d+)? MiB > maximum size 1 MiB\)"),
    attempt("js B dollar field", "dollar_field",
            error=r"Field name \$b starts with (a )?'\$', which is reserved."),
    attempt("js B field name", "strange_field",
            error="Field name é has invalid character 'é': Field names can only contain "
                  "non-control ASCII characters"),
    attempt("js B bigint", "big_integer",
            error=PerLanguage(typescript="BigInt 9223372036854775808 does not fit into a 64-bit signed integer",
                              python="9223372036854775808 .*64")),
    attempt("js B unsupported value", "unsupported_value",
            error=PerLanguage(typescript=r"Set\[1\] is not a supported Convex type \(present at path .a in",
                              python=r"\.a\b")),
    attempt("js 1.12 value is no object", "not_an_object", error="(?i)object"),
    attempt("js 2.8 wrong type", "schema_wrong_type",
            error=SCHEMA + r"Value does not match validator.\nPath: .name\nValue: 5.0\nValidator: v.string\(\)"),
    attempt("js 2.8 missing field", "schema_missing_field",
            error=SCHEMA + r"Object is missing the required field `name`. Consider wrapping the field "
                  r"validator in `v.optional\(...\)` if this is expected.\n\nObject: {.*age: 5.0.*}\n"
                  r"Validator: v.object\({"),
    attempt("js 2.8 extra field", "schema_extra_field",
            error=SCHEMA + "Object contains extra field `x` that is not in the validator.\n\nObject: "),
    attempt("js 2.8 id of another table", "schema_wrong_table",
            error=SCHEMA + f'Found ID "{ID}" from table `items`, which does not match the table name in '
                  r'validator `v.id\("people"\)`.'),
    attempt("js 1.12 a patch that breaks the schema", "schema_patch",
            error=SCHEMA + "Object is missing the required field `name`"),
]  # fmt: skip

WRITE_CASES: list[Case] = [*ALLOWED, *REFUSED]
