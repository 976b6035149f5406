"""Every limit on values, documents, names and schemas, with where its number comes from.

A number stands here once; the code and the error texts read it from here. "semantics n" is section n
of `specification/semantics.md`. Where Convex's documentation and its server disagree the server's number
is used, and the other one is named.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# Values (semantics 1.4)

MAX_VALUE_SIZE: Final = 32 * MIB
"""Size in bytes of any value, and of a system document."""

MAX_VALUE_NESTING: Final = 64
"""Levels of arrays and objects in any value; a scalar has none."""

MAX_ARRAY_LENGTH: Final = 8192
"""Elements of one array."""

MAX_OBJECT_FIELDS: Final = 1024
"""Fields of one object."""

MAX_FIELD_NAME_LENGTH: Final = 1024
"""Characters of one field name; the documentation says 64 for the names of a document's own fields."""

MAX_IDENTIFIER_LENGTH: Final = 64
"""Characters of a table, index, function or declared field name (semantics 1.5)."""

INT64_MIN: Final = -(2**63)
"""The least `Int64`."""
INT64_MAX: Final = 2**63 - 1
"""The greatest `Int64`."""

# Documents (semantics 1.4)

MAX_DOCUMENT_SIZE: Final = 1 * MIB
"""Size in bytes of one user document, `_id` and `_creationTime` included."""

MAX_DOCUMENT_NESTING: Final = 16
"""Levels of a stored document, the document itself being the first."""

# Ids (semantics 2.1)

INTERNAL_ID_LENGTH: Final = 16
"""Bytes of the part of an id that is unique within its table."""

MAX_TABLE_NUMBER: Final = 2**32 - 1

# Schema (semantics 3.1)

MAX_TABLES: Final = 10_000
"""User tables of a deployment."""

MAX_INDEXES_PER_TABLE: Final = 64
"""Database, search and vector indexes together, staged or not; the documentation says 32."""

MAX_INDEX_FIELDS: Final = 16
"""Fields of an index with the `_creationTime` that is appended, so one less can be declared."""

MAX_FILTER_FIELDS: Final = 16
"""Filter fields of one search or vector index."""

MIN_VECTOR_DIMENSIONS: Final = 2
"""Dimensions that a vector index has at least (semantics 13)."""
MAX_VECTOR_DIMENSIONS: Final = 4096
"""Dimensions that it has at most."""

# Calls (semantics 5.3 and 13)

MAX_ARGUMENTS_SIZE: Final = 16 * MIB
"""Size in bytes of a function's arguments."""

MAX_NODE_ARGUMENTS_SIZE: Final = 5 * MIB
"""Size in bytes of the arguments of an action that runs in the full Node.js environment."""

MAX_RESULT_SIZE: Final = 16 * MIB
"""Size in bytes of a function's result."""

MAX_NESTED_CALL_DEPTH: Final = 8
"""Functions calling functions in one execution (semantics 4.3)."""

# One transaction: the function and everything it calls in it (semantics 5.3)

MAX_DOCUMENTS_READ: Final = 32_000
"""Documents read; a write reads the document that it changes, too."""
MAX_BYTES_READ: Final = 16 * MIB
"""Bytes of the documents read."""
MAX_INTERVALS_READ: Final = 4096
"""Ranges of indexes read: each query and each `get` is one."""
MAX_DOCUMENTS_WRITTEN: Final = 16_000
"""Documents inserted, changed and deleted."""
MAX_BYTES_WRITTEN: Final = 16 * MIB
"""Bytes of the documents written."""
MAX_SYSTEM_DOCUMENTS_WRITTEN: Final = 40_000
MAX_SYSTEM_BYTES_WRITTEN: Final = 128 * MIB
MAX_FUNCTIONS_SCHEDULED: Final = 1000
"""Functions scheduled."""
MAX_SCHEDULED_ARGUMENT_BYTES: Final = 16 * MIB
"""Bytes of the arguments of the functions scheduled, together."""
MAX_FILES_WRITTEN: Final = 1000
"""Files that one mutation stores with `ctx.storage.store` (semantics 8; the four numbers are chosen)."""
MAX_FILE_BYTES_WRITTEN: Final = 256 * MIB
"""Bytes of the files that one mutation stores."""
MAX_FILES_READ: Final = 1000
"""Files that one mutation reads."""
MAX_FILE_BYTES_READ: Final = 256 * MIB
"""Bytes of the files that one mutation reads."""
LIMIT_WARNING_RATIO: Final = 0.8
"""The share of a limit above which a warning is logged."""

# Queries (semantics 3.3 and 6.5)

MAX_QUERY_OPERATORS: Final = 256
"""Filters and limits of one query."""
MAX_PAGE_SIZE: Final = 32_000
"""Documents of one page of `paginate`."""

# Search (semantics 9.1)

MAX_SEARCH_WORDS: Final = 16
"""Words of a search that are used, repetitions included; more have no effect."""
MAX_SEARCH_WORD_BYTES: Final = 31
"""Bytes of a word in UTF-8; longer ones are not found."""
MAX_SEARCH_TERMS: Final = 64
"""Different words that one search looks up, those that begin like its last one and its filters included."""
MAX_SEARCH_CONDITIONS: Final = 8
"""Equality filters of one text search."""
MAX_SEARCH_RESULTS: Final = 1024
"""Results of one text search, but for pages."""
MAX_VECTOR_RESULTS: Final = 256
"""Results of a vector search in an action (semantics 9.2)."""
MAX_VECTOR_CONDITIONS: Final = 64
"""Conditions in the filter of a vector search."""

# Logs (semantics 5.3)

MAX_LOG_LINES: Final = 256
"""Lines of one execution: 255 of the user, then one that says the rest is missing (js-runtime 5.9)."""

MAX_LOG_LINE_BYTES: Final = 32_768
"""Bytes of one log line; longer ones are cut at a character boundary. The documentation says 4 KiB."""

# The audit log of functions (js-runtime 9): what one call may write

MAX_AUDIT_LINES: Final = 500
"""Lines."""
MAX_AUDIT_LINE_BYTES: Final = 100_000
"""Bytes of one line as JSON."""
MAX_AUDIT_BYTES: Final = 4_000_000
"""Bytes of all lines together, as JSON."""

# Time (semantics 4.3 and 13), in seconds

MAX_USER_TIME: Final = 1.0
"""User code of one query or mutation, database time excluded."""

MAX_SYSTEM_TIME: Final = 15.0
"""Database time of one query or mutation."""

MAX_ACTION_TIME: Final = 1800.0
"""One action in the default environment; the documentation says 600."""

MAX_NODE_ACTION_TIME: Final = 600.0
"""One action in the full Node.js environment."""

MAX_MODULE_TIME: Final = 4.0
"""Processor time of the evaluation of a module of the default JavaScript runtime at a push."""

MAX_CONFIG_TIME: Final = 1.0
"""The same for its configuration files: schema.js, auth.config.js, convex.config.js."""

MAX_TOKEN_SECONDS: Final = 3600
"""How long a token of `ctx.auth.signJwt` may be valid (js-runtime 1.7)."""

# Memory (js-runtime 5.5)

MAX_ISOLATE_MEMORY: Final = 64 * MIB
"""What a JavaScript query, mutation or action of the default runtime may hold."""

MAX_SHARED_MEMORY: Final = 512 * MIB
"""What the queries and mutations of one Python process may hold together."""

# Actions and HTTP actions (js-runtime 7)

MAX_OPERATIONS_AT_ONCE: Final = 8
"""Operations of an action of the default JavaScript runtime that run at a time; more wait."""

MAX_OPERATIONS_PENDING: Final = 1000
"""Operations of an action of full Node.js that have not been answered yet."""

MAX_RESPONSE_SIZE: Final = 20 * MIB
"""Size in bytes of the body of an HTTP action's response (semantics 10.3)."""

MAX_WHOLE_BODY_SIZE: Final = 20 * MIB
"""Size in bytes of a request's body that is read as a form, or in Python as a whole; streams have none."""

# Between the engine and its hosts (docs/explanation/host-protocol.md)

MAX_HOST_MESSAGE_BYTES: Final = 64 * MIB
"""One message, in either direction."""

MAX_BODY_AHEAD: Final = 256 * KIB
"""Bytes of a body that are under way to whoever has not taken them yet."""

# Data files beside Python modules

MAX_DATA_FILE_BYTES: Final = 4 * MIB
"""One data file; a larger one is left out of a push, which says so."""

MAX_DATA_BYTES: Final = 16 * MIB
"""All data files of a push. Every host holds them in memory."""

# Error texts

MAX_ERROR_MESSAGE_BYTES: Final = 64 * KIB
"""A longer message of a user error is cut."""
