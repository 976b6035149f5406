"""Rules for environment variables: names, sizes, numbers (semantics 10.2, deploy-api 11)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from parabola.functions.deployed.built_in_variables import BUILT_IN_VARIABLES
from parabola.values.errors import BadRequest

__all__ = ["check_changes"]

MAX_NAME_LENGTH: Final = 256
MAX_VALUE_BYTES: Final = 8192
MAX_VARIABLES: Final = 512
MAX_TOTAL_BYTES: Final = 512 * 1024

_NAME: Final = re.compile(r"[a-zA-Z_]+[a-zA-Z0-9_]*\Z")


def check_changes(current: Mapping[str, str], changes: Mapping[str, str | None]) -> None:
    """Raise `BadRequest` unless `changes` (None removes) may be made to `current`."""
    for name, value in changes.items():
        if not _NAME.match(name):
            raise BadRequest(
                f'Environment variable name "{name}" is invalid: it must begin with a letter or underscore '
                "and contain only letters, digits and underscores.",
                code="EnvironmentVariableNameInvalid",
            )
        if len(name) > MAX_NAME_LENGTH:
            raise BadRequest(
                f"Environment variable names may be at most {MAX_NAME_LENGTH} characters long; "
                f'"{name[:40]}…" has {len(name)}.',
                code="EnvironmentVariableNameTooLong",
            )
        if name in BUILT_IN_VARIABLES:
            raise BadRequest(
                f'Environment variable with name "{name}" is built-in and cannot be overridden',
                code="EnvVarNameForbidden",
            )
        if value is not None and len(value.encode()) > MAX_VALUE_BYTES:
            raise BadRequest(
                f'The value of environment variable "{name}" is larger than {MAX_VALUE_BYTES} bytes.',
                code="EnvironmentVariableValueTooLarge",
            )
    after = {name: value for name, value in {**current, **changes}.items() if value is not None}
    if len(after) > MAX_VARIABLES:
        raise BadRequest(
            f"There would be {len(after)} environment variables; at most {MAX_VARIABLES} are allowed.",
            code="EnvVarLimitMet",
        )
    total = sum(len(name) + len(value.encode()) for name, value in after.items())
    if total > MAX_TOTAL_BYTES:
        raise BadRequest(
            f"All environment variables together would take {total} bytes; at most {MAX_TOTAL_BYTES} are "
            "allowed.",
            code="EnvVarTotalSizeLimitMet",
        )
