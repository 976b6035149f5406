"""What a host holds its functions to: the `limits` of a `load` message (docs/explanation/host-protocol.md).

A host has no number of its own for any of these. Those that an operator may set come from there; the others
are the limits of Convex, from `parabola.values.limits`.
"""

from __future__ import annotations

import msgspec

from parabola.values.limits import (
    MAX_ACTION_TIME,
    MAX_ARGUMENTS_SIZE,
    MAX_ARRAY_LENGTH,
    MAX_BODY_AHEAD,
    MAX_CONFIG_TIME,
    MAX_ERROR_MESSAGE_BYTES,
    MAX_HOST_MESSAGE_BYTES,
    MAX_ISOLATE_MEMORY,
    MAX_LOG_LINE_BYTES,
    MAX_LOG_LINES,
    MAX_MODULE_TIME,
    MAX_OBJECT_FIELDS,
    MAX_OPERATIONS_AT_ONCE,
    MAX_OPERATIONS_PENDING,
    MAX_RESPONSE_SIZE,
    MAX_RESULT_SIZE,
    MAX_SHARED_MEMORY,
    MAX_USER_TIME,
    MAX_VALUE_NESTING,
    MAX_VALUE_SIZE,
    MAX_WHOLE_BODY_SIZE,
)

__all__ = ["HostLimits"]


class HostLimits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The limits of one host. Sizes are bytes, times seconds; JSON has the names in camel case."""

    user_seconds: float = MAX_USER_TIME
    """Processor time of a query or mutation with all it calls."""
    action_seconds: float = MAX_ACTION_TIME
    """Time of an action."""
    module_seconds: float = MAX_MODULE_TIME
    """Processor time of the evaluation of a module at a push, in the default JavaScript runtime."""
    config_seconds: float = MAX_CONFIG_TIME
    """The same for a configuration file."""
    shared_memory: int = MAX_SHARED_MEMORY
    """Memory of the queries and mutations of a process together, where it can be limited."""
    call_memory: int = MAX_ISOLATE_MEMORY
    """What a call may hold when it waits or ends, where that can be told."""
    argument_bytes: int = MAX_ARGUMENTS_SIZE
    """Arguments of an action, and of what it calls."""
    result_bytes: int = MAX_RESULT_SIZE
    """What a function returns, and the data of a `ConvexError`."""
    value_bytes: int = MAX_VALUE_SIZE
    """Any value."""
    value_nesting: int = MAX_VALUE_NESTING
    array_length: int = MAX_ARRAY_LENGTH
    object_fields: int = MAX_OBJECT_FIELDS
    error_bytes: int = MAX_ERROR_MESSAGE_BYTES
    """The message of an error; the rest is cut off."""
    log_lines: int = MAX_LOG_LINES
    """Lines of an execution, the last of which says that the rest is missing."""
    log_line_bytes: int = MAX_LOG_LINE_BYTES
    """One line; the rest is cut off."""
    operations_at_once: int = MAX_OPERATIONS_AT_ONCE
    """Operations of an action of the default JavaScript runtime that run at a time; more wait."""
    operations_pending: int = MAX_OPERATIONS_PENDING
    """Operations of an action of full Node.js that are not answered yet."""
    response_bytes: int = MAX_RESPONSE_SIZE
    """The body of a response of an HTTP action."""
    whole_body_bytes: int = MAX_WHOLE_BODY_SIZE
    """A request's body that is read as a form."""
    body_ahead: int = MAX_BODY_AHEAD
    """Bytes of a response under way that the client has not taken yet."""
    message_bytes: int = MAX_HOST_MESSAGE_BYTES
    """One message, to the engine and from it."""
