# ruff: noqa: E501  (literal error texts stand in one line)
import pytest

from parabola.values.errors import BadRequest, InvalidValue
from parabola.values.names import (
    check_field_name,
    check_identifier,
    is_identifier,
    known_names,
    remember_name,
)


@pytest.mark.parametrize("name", ["a", "_", "with space", "é"[:0], "~", "x" * 1024, "1", "a$"])
def test_fields_may_be_named_with_printable_ascii(name):
    check_field_name(name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("$a", "Field name $a starts with '$', which is reserved."),
        ("x" * 1025, "Field name is too long (1025 > maximum 1024)"),
        (
            "a\n",
            "Field name a\n has invalid character '\n': Field names can only contain non-control ASCII characters",
        ),
        (
            "é",
            "Field name é has invalid character 'é': Field names can only contain non-control ASCII characters",
        ),
    ],
)
def test_other_field_names_are_refused(name, text):
    with pytest.raises(InvalidValue) as info:
        check_field_name(name)
    assert str(info.value) == text


@pytest.mark.parametrize("name", ["a", "_a", "A9_", "x" * 64, "_1"])
def test_identifiers(name):
    assert is_identifier(name)
    check_identifier(name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "Identifier cannot be empty"),
        (
            "1a",
            "Invalid first character '1' in 1a: Identifiers must start with an alphabetic character or underscore",
        ),
        (
            "éa",
            "Invalid first character 'é' in éa: Identifiers must start with an alphabetic character or underscore",
        ),
        (
            "a-b",
            "Identifier a-b has invalid character '-': Identifiers can only contain alphanumeric characters or "
            "underscores",
        ),
        ("x" * 65, "Identifier is too long (65 > maximum 64)"),
        ("__", "Identifier __ cannot have exclusively underscores"),
    ],
)
def test_what_is_no_identifier(name, text):
    assert not is_identifier(name)
    with pytest.raises(BadRequest) as info:
        check_identifier(name)
    assert str(info.value) == text


def test_remembered_names_do_not_grow_without_bound():
    for number in range(25_000):
        remember_name(f"name{number}")
    assert len(known_names) <= 10_000
