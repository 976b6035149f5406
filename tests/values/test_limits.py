# ruff: noqa: E501  (literal error texts stand in one line)
"""Every limit is kept: what is at it passes, what is one beyond it fails with the literal text.

Limits that are cheap to reach are driven to here, with their real numbers; for the others `ELSEWHERE` names the
test that does it, through a running function or on a host.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from parabola.database.query.pagination import _check_bounds
from parabola.database.query.syntax import parse_query
from parabola.database.usage import READ_ADVICE, Limits, Usage
from parabola.values import limits
from parabola.values.encoding import Int64, decode
from parabola.values.errors import ConvexError, ParabolaError
from parabola.values.ids import encode_id
from parabola.values.names import check_field_name, check_identifier
from parabola.values.schema.definition import define_schema, define_table
from parabola.values.sizes import check_document, check_value, size_of
from parabola.values.texts import shortened
from parabola.values.validators.builder import v

TESTS = Path(__file__).parents[1]
MIB = 2**20


class Driven(NamedTuple):
    """What does something with a number: it passes with `most`, and fails with one more and this text."""

    do: Callable[[int], Any]
    most: int
    text: str


def nested(levels: int) -> Any:
    value: Any = 1.0
    for _ in range(levels):
        value = [value]
    return value


def document_of(size: int) -> dict[str, Any]:
    empty = {"text": ""}
    return {"text": "x" * (size - size_of(empty))}


def stored(levels: int) -> dict[str, Any]:
    return {"a": nested(levels - 1)}


def schema_of(table: Any) -> Any:
    return define_schema({"t": table})


def table_of(fields: int) -> Any:
    return define_table({f"f{n}": v.any() for n in range(fields)})


def with_indexes(count: int) -> Any:
    table = table_of(count)
    for n in range(count):
        table = table.index(f"i{n}", [f"f{n}"])
    return schema_of(table)


def counted(method: str, *each: Any, **more: Any) -> Callable[[int], Any]:
    """Counts so often in a transaction."""

    def count(times: int) -> None:
        usage = Usage(Limits())
        for _ in range(times):
            getattr(usage, method)(*each, **more)

    return count


def at_once(method: str, **more: Any) -> Callable[[int], Any]:
    """Counts so much at once."""
    return lambda amount: getattr(Usage(Limits()), method)(amount, **more)


def warned_of(used: int) -> None:
    """Raises where a usage of this many written documents is warned of."""
    usage = Usage(Limits())
    usage.documents_written = used
    for text, _ in usage.warnings():
        raise ConvexError(text)


def query_with(operators: int) -> Any:
    scan = {"type": "FullTableScan", "tableName": "t", "order": "asc"}
    return parse_query({"source": scan, "operators": [{"limit": 1}] * operators}, caller="queryStream")


IN_ONE = "in a single function execution"
DRIVEN: Mapping[str, tuple[Driven, ...]] = {
    "MAX_VALUE_SIZE": (
        Driven(
            lambda n: check_value("x" * (n - 2)),
            32 * MIB,
            "Value is too large (32 MiB > maximum size 32 MiB)",
        ),
    ),
    "MAX_VALUE_NESTING": (
        Driven(
            lambda n: decode(nested(n)),
            64,
            "Value is too nested (nested 65 levels deep > maximum nesting 64)",
        ),
    ),
    "MAX_ARRAY_LENGTH": (
        Driven(lambda n: decode([0] * n), 8192, "Array length is too long (8193 > maximum length 8192)"),
    ),
    "MAX_OBJECT_FIELDS": (
        Driven(
            lambda n: decode({f"f{i}": 0 for i in range(n)}),
            1024,
            "Object has too many fields (1025 > maximum number 1024)",
        ),
    ),
    "MAX_FIELD_NAME_LENGTH": (
        Driven(lambda n: check_field_name("x" * n), 1024, "Field name is too long (1025 > maximum 1024)"),
    ),
    "MAX_IDENTIFIER_LENGTH": (
        Driven(
            lambda n: check_identifier("x" * n, "InvalidTableName"),
            64,
            "Identifier is too long (65 > maximum 64)",
        ),
    ),
    "INT64_MAX": (Driven(Int64, 2**63 - 1, ""),),
    "INT64_MIN": (Driven(lambda n: Int64(-n), 2**63, ""),),
    "MAX_DOCUMENT_SIZE": (
        Driven(
            lambda n: check_document(document_of(n)), MIB, "Value is too large (1 MiB > maximum size 1 MiB)"
        ),
    ),
    "MAX_DOCUMENT_NESTING": (
        Driven(
            lambda n: check_document(stored(n)),
            16,
            "Document is too nested (nested 17 levels deep > maximum nesting 16)",
        ),
    ),
    "INTERNAL_ID_LENGTH": (
        Driven(lambda n: encode_id(10001, bytes(n)), 16, "an internal id has 16 bytes, not 17"),
        Driven(lambda n: encode_id(10001, bytes(32 - n)), 16, "an internal id has 16 bytes, not 15"),
    ),
    "MAX_TABLE_NUMBER": (
        Driven(
            lambda n: encode_id(n, bytes(16)),
            2**32 - 1,
            "a table number is between 1 and 4294967295, not 4294967296",
        ),
    ),
    "MAX_TABLES": (
        Driven(
            lambda n: define_schema(dict.fromkeys([f"t{i}" for i in range(n)], define_table({}))),
            10_000,
            "Number of tables cannot exceed 10000.",
        ),
    ),
    "MAX_INDEXES_PER_TABLE": (Driven(with_indexes, 64, 'Table "t" cannot have more than 64 indexes.'),),
    "MAX_INDEX_FIELDS": (
        # One field is the creation time, which is appended.
        Driven(
            lambda n: schema_of(table_of(n).index("i", [f"f{i}" for i in range(n - 1)])),
            16,
            "Indexes may have up to 16 fields.",
        ),
    ),
    "MAX_FILTER_FIELDS": (
        Driven(
            lambda n: schema_of(
                table_of(n).search_index("i", search_field="f0", filter_fields=[f"f{i}" for i in range(n)])
            ),
            16,
            "Search indexes may have up to 16 filter fields.",
        ),
    ),
    "MIN_VECTOR_DIMENSIONS": (
        Driven(
            lambda n: schema_of(table_of(1).vector_index("i", vector_field="f0", dimensions=4 - n)),
            2,
            "2 and 4096",
        ),
    ),
    "MAX_VECTOR_DIMENSIONS": (
        Driven(
            lambda n: schema_of(table_of(1).vector_index("i", vector_field="f0", dimensions=n)),
            4096,
            "2 and 4096",
        ),
    ),
    "MAX_DOCUMENTS_READ": (
        Driven(
            counted("count_read", 1),
            32_000,
            f"Too many documents read {IN_ONE} (limit: 32000). {READ_ADVICE}",
        ),
    ),
    "MAX_BYTES_READ": (
        Driven(
            at_once("count_read"),
            16 * MIB,
            f"Too many bytes read {IN_ONE} (limit: 16777216 bytes). {READ_ADVICE}",
        ),
    ),
    "MAX_INTERVALS_READ": (
        Driven(at_once("count_intervals"), 4096, f"Too many reads {IN_ONE} (limit: 4096). {READ_ADVICE}"),
    ),
    "MAX_DOCUMENTS_WRITTEN": (
        Driven(counted("count_write", 1, system=False), 16_000, f"Too many writes {IN_ONE} (limit: 16000)"),
    ),
    "MAX_BYTES_WRITTEN": (
        Driven(
            at_once("count_write", system=False),
            16 * MIB,
            f"Too many bytes written {IN_ONE} (limit: 16777216 bytes)",
        ),
    ),
    "MAX_SYSTEM_DOCUMENTS_WRITTEN": (
        Driven(
            counted("count_write", 1, system=True),
            40_000,
            f"Too many system documents written {IN_ONE} (limit: 40000)",
        ),
    ),
    "MAX_SYSTEM_BYTES_WRITTEN": (
        Driven(
            at_once("count_write", system=True),
            128 * MIB,
            f"Too many bytes written to system documents {IN_ONE} (limit: 134217728 bytes)",
        ),
    ),
    "MAX_FUNCTIONS_SCHEDULED": (
        Driven(
            counted("count_scheduled", 1), 1000, "Too many functions scheduled by this mutation (limit: 1000)"
        ),
    ),
    "MAX_SCHEDULED_ARGUMENT_BYTES": (
        Driven(
            at_once("count_scheduled"),
            16 * MIB,
            "Too large total size of the arguments of scheduled functions from this mutation"
            " (limit: 16777216 bytes)",
        ),
    ),
    "MAX_FILES_WRITTEN": (
        Driven(counted("count_file_write", 1, is_last=True), 1000, "Too many files stored by this mutation"),
    ),
    "MAX_FILE_BYTES_WRITTEN": (
        Driven(at_once("count_file_write", is_last=True), 256 * MIB, "(limit: 268435456 bytes)"),
    ),
    "MAX_FILES_READ": (
        Driven(counted("count_file_read", 1, is_first=True), 1000, "Too many files read by this mutation"),
    ),
    "MAX_FILE_BYTES_READ": (
        Driven(at_once("count_file_read", is_first=True), 256 * MIB, "(limit: 268435456 bytes)"),
    ),
    "LIMIT_WARNING_RATIO": (
        Driven(warned_of, 12_800, f"Many writes {IN_ONE} (actual: 12801, limit: 16000)."),
    ),
    "MAX_QUERY_OPERATORS": (
        Driven(
            query_with, 256, "Invalid argument `query` for `queryStream`: Query has too many operators: 257"
        ),
    ),
    "MAX_PAGE_SIZE": (
        Driven(lambda n: _check_bounds(n, None, None), 32_000, "Requested too many items: 32001"),
    ),
}


class Elsewhere(NamedTuple):
    """A test that drives a function to the limit, and a part of it that shows the number or its text."""

    file: str
    test: str
    shows: str


ELSEWHERE: Mapping[str, tuple[Elsewhere, ...]] = {
    "MAX_SEARCH_WORDS": (
        Elsewhere("database/derived/test_tokens.py", "test_a_query_has_sixteen_words_at_most", "range(16)"),
    ),
    "MAX_SEARCH_WORD_BYTES": (
        Elsewhere("database/derived/test_tokens.py", "test_a_word_has_thirty_one_bytes_at_most", "32"),
    ),
    "MAX_SEARCH_TERMS": (
        Elsewhere("database/derived/test_text_index.py", "test_a_search_looks_up_sixty_four_words", "64"),
    ),
    "MAX_SEARCH_CONDITIONS": (
        Elsewhere("database/query/test_search_query.py", "test_a_wrong_search_says_what_is_wrong", "Max: 8"),
    ),
    "MAX_SEARCH_RESULTS": (
        Elsewhere(
            "database/query/test_search_scan.py",
            "test_more_than_1024_results_are_too_many_and_1024_are_not",
            "1025",
        ),
    ),
    "MAX_VECTOR_RESULTS": (
        Elsewhere("database/query/test_vector_search.py", "test_a_wrong_search_says_what_is_wrong", "257"),
    ),
    "MAX_VECTOR_CONDITIONS": (
        Elsewhere("database/query/test_vector_search.py", "test_a_wrong_search_says_what_is_wrong", "65"),
    ),
    "MAX_ARGUMENTS_SIZE": (
        Elsewhere(
            "functions/calls/test_calling.py",
            "test_too_large_arguments_are_refused_with_their_size",
            "16 MiB",
        ),
    ),
    "MAX_RESULT_SIZE": (
        Elsewhere(
            "functions/calls/test_calling.py", "test_too_large_results_are_refused_with_their_size", "16 MiB"
        ),
        Elsewhere(
            "hosts/executions/test_limits.py", "test_what_a_function_returns_and_raises", "resultBytes"
        ),
    ),
    "MAX_NODE_ARGUMENTS_SIZE": (
        Elsewhere(
            "hosts_node/test_node_actions.py", "test_limits_of_arguments_and_of_operations_at_once", "5 MiB"
        ),
    ),
    "MAX_AUDIT_LINES": (
        Elsewhere("functions/outcomes/test_audit_lines.py", "test_there_are_only_so_many_lines", "500"),
    ),
    "MAX_AUDIT_LINE_BYTES": (
        Elsewhere("functions/outcomes/test_audit_lines.py", "test_a_line_is_only_so_long", "100000"),
    ),
    "MAX_AUDIT_BYTES": (
        Elsewhere("functions/outcomes/test_audit_lines.py", "test_all_lines_are_only_so_long", "4000000"),
    ),
    "MAX_TOKEN_SECONDS": (
        Elsewhere("services/sign_in/test_signing_keys.py", "test_a_token_ends_within_an_hour", "3600"),
    ),
    "MAX_NESTED_CALL_DEPTH": (
        Elsewhere("functions/calls/test_nested_calls.py", "test_depth_is_limited", "depth limit exceeded"),
    ),
    "MAX_LOG_LINES": (
        Elsewhere("functions/outcomes/test_log_lines.py", "test_255_lines_and_a_remark", "maximum 256"),
        Elsewhere("functions/outcomes/test_log_lines.py", "test_exactly_255_lines_need_no_remark", "255"),
        Elsewhere(
            "hosts/reports/test_console.py",
            "test_there_are_at_most_256_lines_of_at_most_32768_bytes",
            "maximum 256",
        ),
    ),
    "MAX_LOG_LINE_BYTES": (
        Elsewhere(
            "hosts/reports/test_console.py",
            "test_there_are_at_most_256_lines_of_at_most_32768_bytes",
            "32768, True",
        ),
    ),
    "MAX_USER_TIME": (
        Elsewhere(
            "test_backend.py", "test_a_function_that_never_ends_costs_only_its_own_call", "duration: 1s"
        ),
    ),
    "MAX_SYSTEM_TIME": (
        Elsewhere(
            "functions/calls/test_deadlines.py",
            "test_a_call_that_waits_too_long_fails_and_nested_ones_with_it",
            "system_seconds",
        ),
    ),
    "MAX_ACTION_TIME": (
        Elsewhere("functions/calls/test_actions.py", "test_an_action_has_the_time_of_its_runtime", "1800"),
    ),
    "MAX_NODE_ACTION_TIME": (
        Elsewhere("functions/calls/test_actions.py", "test_an_action_has_the_time_of_its_runtime", "600"),
    ),
    "MAX_MODULE_TIME": (
        Elsewhere("hosts_node/test_analysis.py", "test_modules_that_fail", "maximum duration: 4s"),
    ),
    "MAX_CONFIG_TIME": (
        Elsewhere(
            "hosts_node/test_time.py", "test_an_analysis_that_computes_for_ever_is_stopped", "duration: 1s"
        ),
    ),
    "MAX_ISOLATE_MEMORY": (
        Elsewhere(
            "hosts_node/test_memory.py",
            "test_a_call_that_holds_too_much_after_a_step_fails_and_costs_no_process",
            "run_with_neighbours",
        ),
    ),
    "MAX_SHARED_MEMORY": (
        Elsewhere(
            "functions/processes/test_host_zygote.py",
            "test_a_query_in_a_fork_has_its_bound_of_memory",
            "512 MB",
        ),
    ),
    "MAX_OPERATIONS_AT_ONCE": (
        Elsewhere("hosts_node/test_actions.py", "test_at_most_eight_operations_run_at_once", "8"),
    ),
    "MAX_OPERATIONS_PENDING": (
        Elsewhere(
            "hosts_node/test_node_actions.py",
            "test_limits_of_arguments_and_of_operations_at_once",
            "Too many concurrent",
        ),
    ),
    "MAX_RESPONSE_SIZE": (
        Elsewhere(
            "functions/http/test_http_bodies.py",
            "test_a_response_ends_before_the_chunk_that_is_too_much",
            "20",
        ),
        Elsewhere(
            "test_http_actions.py",
            "test_a_response_over_the_limit_is_cut_and_the_log_says_so",
            "up to 20 MiB",
        ),
    ),
    "MAX_WHOLE_BODY_SIZE": (
        Elsewhere("authoring/test_http.py", "test_a_body_that_is_too_large_is_only_read_in_pieces", "20 MiB"),
    ),
    "MAX_DATA_FILE_BYTES": (
        Elsewhere("cli/test_data_files.py", "test_what_is_too_large_is_said_to_stay", "may have 4 MiB"),
    ),
    "MAX_DATA_BYTES": (
        Elsewhere("cli/test_data_files.py", "test_what_is_too_large_is_said_to_stay", "16 MiB together"),
    ),
    "MAX_HOST_MESSAGE_BYTES": (
        Elsewhere(
            "functions/processes/test_host_process.py",
            "test_a_message_without_an_end_fails_its_run_and_is_passed_over",
            "longer than 64 MiB",
        ),
    ),
    "MAX_BODY_AHEAD": (
        Elsewhere(
            "functions/http/test_http_bodies.py",
            "test_a_request_is_read_no_faster_than_its_action_takes_it",
            "PIECE",
        ),
        Elsewhere("hosts/executions/test_limits.py", "test_a_response_that_nobody_takes", "bodyAhead"),
    ),
    "MAX_ERROR_MESSAGE_BYTES": (
        Elsewhere("values/test_limits.py", "test_a_message_is_cut_where_it_is_too_long", "65536"),
    ),
}
LIMITS = [name for name in vars(limits) if name.isupper() and name not in ("KIB", "MIB")]


@pytest.mark.parametrize(
    "driven",
    [one for each in DRIVEN.values() for one in each],
    ids=[name for name, each in DRIVEN.items() for _ in each],
)
def test_what_is_at_a_limit_passes_and_one_more_does_not(driven: Driven) -> None:
    driven.do(driven.most)
    with pytest.raises((ParabolaError, ValueError, OverflowError)) as refused:
        driven.do(driven.most + 1)
    assert driven.text in str(refused.value)


def test_a_message_is_cut_where_it_is_too_long() -> None:
    assert shortened("x" * 65536) == "x" * 65536
    assert shortened("x" * 65537) == "x" * 65536 + " ..."


def test_every_limit_is_driven_to() -> None:
    assert sorted([*DRIVEN, *ELSEWHERE]) == sorted(LIMITS)


@pytest.mark.parametrize(
    "there", [one for each in ELSEWHERE.values() for one in each], ids=lambda one: one.test
)
def test_the_test_that_drives_a_limit_is_there_and_shows_it(there: Elsewhere) -> None:
    text = (TESTS / there.file).read_text()
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == there.test
    ]
    assert len(functions) == 1
    first = min([functions[0].lineno, *(each.lineno for each in functions[0].decorator_list)])
    told = "\n".join(text.splitlines()[first - 1 : functions[0].end_lineno])
    assert there.shows in told


def test_every_limit_is_read_by_what_it_limits() -> None:
    source = Path(limits.__file__).parents[1]
    texts = [path.read_text() for path in source.rglob("*.py") if path != Path(limits.__file__)]
    for name in LIMITS:
        assert any(re.search(rf"\b{name}\b", text) for text in texts), f"{name} limits nothing"


def test_no_other_module_has_a_number_of_its_own_for_a_limit() -> None:
    source = Path(limits.__file__).parents[1]
    for path in source.rglob("*.py"):
        if path != Path(limits.__file__):
            for name in re.findall(r"(?m)^([A-Z_]+)(?:: Final)? = ", path.read_text()):
                assert not hasattr(limits, name), f"{name} stands in {path.name} too"
