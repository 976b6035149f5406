"""Which environment variables can be set (semantics 10.2)."""

from __future__ import annotations

import pytest

from parabola.services.deploys.environment import check_changes
from parabola.values.errors import BadRequest


def refusal(current: dict[str, str], changes: dict[str, str | None]) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        check_changes(current, changes)
    return caught.value


def test_what_can_be_set() -> None:
    check_changes({}, {"A": "", "_b9": "line\nline", "N" * 256: "x" * 8192, "gone": None})
    full = {f"V{number}": "x" for number in range(512)}
    check_changes(full, {"V0": "y", "V1": None, "NEW": "z"})


@pytest.mark.parametrize("name", ["", "9A", "a-b", "a b", "ä", "A\n", "A=B"])
def test_a_name_is_an_identifier(name: str) -> None:
    assert refusal({}, {name: "x"}).code == "EnvironmentVariableNameInvalid"


@pytest.mark.parametrize("value", ["https://mine", None])
@pytest.mark.parametrize("name", ["CONVEX_CLOUD_URL", "CONVEX_SITE_URL"])
def test_the_addresses_are_not_for_the_taking(name: str, value: str | None) -> None:
    error = refusal({}, {name: value})
    assert error.code == "EnvVarNameForbidden"
    assert error.message == f'Environment variable with name "{name}" is built-in and cannot be overridden'


def test_limits() -> None:
    assert refusal({}, {"N" * 257: "x"}).code == "EnvironmentVariableNameTooLong"
    assert refusal({}, {"A": "ä" * 4097}).code == "EnvironmentVariableValueTooLarge"
    full = {f"V{number}": "x" for number in range(512)}
    assert refusal(full, {"NEW": "x"}).code == "EnvVarLimitMet"
    large = {f"V{number:03}": "x" * 8188 for number in range(64)}
    check_changes({}, large)
    assert refusal(large, {"A": ""}).code == "EnvVarTotalSizeLimitMet"
