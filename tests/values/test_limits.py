import re
from pathlib import Path

import pytest

from parabola.values import limits


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("MAX_DOCUMENT_SIZE", 2**20),
        ("MAX_VALUE_SIZE", 2**25),
        ("MAX_VALUE_NESTING", 64),
        ("MAX_DOCUMENT_NESTING", 16),
        ("MAX_OBJECT_FIELDS", 1024),
        ("MAX_ARRAY_LENGTH", 8192),
        ("MAX_FIELD_NAME_LENGTH", 1024),
        ("MAX_IDENTIFIER_LENGTH", 64),
        ("MAX_TABLES", 10_000),
        ("MAX_INDEXES_PER_TABLE", 64),
        ("MAX_INDEX_FIELDS", 16),
        ("MAX_FILTER_FIELDS", 16),
        ("MAX_ARGUMENTS_SIZE", 2**24),
        ("MAX_RESULT_SIZE", 2**24),
        ("MAX_DOCUMENTS_READ", 32_000),
        ("MAX_BYTES_READ", 2**24),
        ("MAX_INTERVALS_READ", 4096),
        ("MAX_DOCUMENTS_WRITTEN", 16_000),
        ("MAX_BYTES_WRITTEN", 2**24),
        ("MAX_QUERY_OPERATORS", 256),
        ("MAX_LOG_LINES", 256),
    ],
)
def test_the_numbers_of_the_reference(name, number):
    assert getattr(limits, name) == number


def test_every_limit_is_read_by_what_it_limits():
    source = Path(limits.__file__).parents[1]
    texts = [path.read_text() for path in source.rglob("*.py") if path != Path(limits.__file__)]
    for name in vars(limits):
        if name.isupper() and name not in ("KIB", "MIB"):
            assert any(re.search(rf"\b{name}\b", text) for text in texts), f"{name} limits nothing"


def test_no_other_module_has_a_number_of_its_own_for_a_limit():
    source = Path(limits.__file__).parents[1]
    for path in source.rglob("*.py"):
        if path != Path(limits.__file__):
            for name in re.findall(r"(?m)^([A-Z_]+)(?:: Final)? = ", path.read_text()):
                assert not hasattr(limits, name), f"{name} stands in {path.name} too"
