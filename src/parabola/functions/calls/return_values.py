"""What functions return: decoded, validated, and written for their callers (semantics §4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parabola.functions.calls.refusals import refused
from parabola.values.encoding import decode, dumps
from parabola.values.errors import UnresolvedCommitTs, UserError, ValidationError
from parabola.values.limits import MAX_RESULT_SIZE
from parabola.values.sizes import humanize, size_by_json
from parabola.values.validators.returns import returns_value

if TYPE_CHECKING:
    from parabola.functions.deployed.deployment import FunctionSpec
    from parabola.values.validators.builder import TableNames

__all__ = ["check_result"]


def check_result(
    spec: FunctionSpec, encoded: Any, tables: TableNames, *, in_mutation: bool = False
) -> tuple[bytes, int]:
    """Decode and validate what a function returned; answers its canonical JSON and its size. What runs in a
    mutation may return the commit timestamp that is still to come. Raises `CallRefused`.
    """
    if encoded is None and spec.returns is None:
        return b"null", 1
    try:
        value = decode(encoded, check_size=False, allow_commit_ts=in_mutation)
    except UnresolvedCommitTs as error:
        text = "queries cannot return an unresolved commit timestamp"
        raise refused(
            f"Function {spec.path} return value invalid: {text if spec.kind == 'query' else error.message}"
        ) from None
    except UserError as error:
        raise refused(f"Function {spec.path} return value invalid: {error.message}") from None
    if spec.returns is not None:
        try:
            value = returns_value(spec.returns, value, tables)
        except ValidationError as error:
            raise refused(f"ReturnsValidationError: {error.message}") from None
    json = dumps(value)
    size = size_by_json(value, json)
    if size > MAX_RESULT_SIZE:
        raise refused(
            f"Function {spec.path} return value is too large "
            f"(actual: {humanize(size)}, limit: {humanize(MAX_RESULT_SIZE)})"
        )
    return json, size
