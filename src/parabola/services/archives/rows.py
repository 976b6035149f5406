"""Reading rows to import: CSV, JSON lines, a JSON array. Files are streamed; memory holds a row at a time.

Rules and texts: semantics 10.6. Every refusal is an `ImportRefused`, whose text begins as the CLI shows it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator
from typing import IO, Any, Final

import orjson

from parabola.services.archives.inferred_shape import InferredShape
from parabola.values.encoding import Int64, decode, encode
from parabola.values.errors import BadRequest, InvalidValue
from parabola.values.limits import MAX_DOCUMENT_SIZE
from parabola.values.names import field_name_problem
from parabola.values.text_files import UTF_16_MARKS

__all__ = [
    "MAX_JSON_ARRAY_BYTES",
    "MAX_LINE_BYTES",
    "ImportRefused",
    "Row",
    "Rows",
    "read_csv",
    "read_json_array",
    "read_json_lines",
]

MAX_JSON_ARRAY_BYTES: Final = 16 * 1024 * 1024
"""A JSON array is parsed as a whole (semantics 13; the documentation says 8 MiB)."""
# A document of 1 MiB can be written with every character escaped.
MAX_LINE_BYTES: Final = 8 * MAX_DOCUMENT_SIZE

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_NUMBER: Final = re.compile(r"[+-]?(?:inf|infinity|nan|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)", re.IGNORECASE)

Row = dict[str, Any]
Rows = Generator[Row, None, None]
"""Rows as they are read; to be closed before the file they come from."""


class ImportRefused(BadRequest):
    """The input of an import cannot be taken. Nothing has been changed."""

    default_code = "InvalidImport"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(f"Hit an error while importing:\n{message}", code)


def read_csv(file: IO[bytes], optional_fields: frozenset[str] = frozenset()) -> Rows:
    """Rows of a CSV file: a cell that reads as a number is a Float64, any other cell a string.

    An empty cell of one of `optional_fields` (top-level optional fields of the table's schema) is left out.
    """
    _refuse_byte_order_mark(file)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        lines = csv.reader(text, strict=True)
        header = [name.strip() for name in next(lines, [])]
        if not any(header):
            raise ImportRefused("CSV file doesn't have headers")
        for name in header:
            problem = field_name_problem(name)
            if problem is not None:
                raise ImportRefused(f"CSV header {name} isn't a valid field name: {problem}")
        for number, cells in enumerate(lines, start=1):
            if not cells:
                continue
            if len(cells) != len(header):
                raise ImportRefused(f"CSV row {number} doesn't have all of the fields in the header")
            yield {
                name: float(cell) if _NUMBER.fullmatch(cell) else cell
                for name, cell in zip(header, cells, strict=True)
                if cell or name not in optional_fields
            }
    except (csv.Error, UnicodeDecodeError) as error:
        raise ImportRefused(f"Not valid CSV: {error}") from error
    finally:
        text.detach()


def read_json_lines(file: IO[bytes], *, lossless: bool = False, shape: InferredShape | None = None) -> Rows:
    """One document a line, in encoded form. Blank lines are skipped.

    `lossless` reads the form of exports, where a number without fraction or exponent is an Int64; `shape`
    tells how to read the plain JSON of older exports.
    """
    _refuse_byte_order_mark(file)
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        if line.isspace():
            continue
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise ImportRefused(f"Row {number} is longer than {MAX_LINE_BYTES} bytes")
        try:
            json = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ImportRefused(f"Row {number} wasn't valid JSON: {error}") from error
        yield _row(number, json, lossless, shape)


def read_json_array(file: IO[bytes]) -> Rows:
    """The elements of one JSON array of documents in encoded form."""
    _refuse_byte_order_mark(file)
    body = file.read(MAX_JSON_ARRAY_BYTES + 1)
    if len(body) > MAX_JSON_ARRAY_BYTES:
        size = len(body) + sum(len(rest) for rest in iter(lambda: file.read(1 << 20), b""))
        raise ImportRefused(
            f"Import is too large for JSON ({size} bytes > maximum {MAX_JSON_ARRAY_BYTES}). "
            "Consider converting data to JSONLines"
        )
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ImportRefused(f"Not valid JSON: {error}") from error
    if not isinstance(rows, list):
        raise ImportRefused("Not a JSON array")
    for number, json in enumerate(rows, start=1):
        yield _row(number, json)


def _row(number: int, json: Any, lossless: bool = False, shape: InferredShape | None = None) -> Row:
    try:
        if shape is not None:
            json = encode(shape.decode(json))
        value = decode(_marked_integers(json) if lossless else json)
    except InvalidValue as error:
        raise ImportRefused(f"Row {number} wasn't a valid Convex value: {error}") from error
    except RecursionError:
        raise ImportRefused(f"Row {number} wasn't a valid Convex value: it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ImportRefused(f"Row {number} wasn't an object")
    return value


def _marked_integers(json: Any) -> Any:
    """The same JSON with every integer literal in the encoded form of an Int64."""
    kind = type(json)
    if kind is dict:
        return {name: _marked_integers(item) for name, item in json.items()}
    if kind is list:
        return [_marked_integers(item) for item in json]
    if kind is int:
        try:
            return encode(Int64(json))
        except OverflowError as error:
            raise InvalidValue(f"{json} does not fit into an Int64") from error
    return json


def _refuse_byte_order_mark(file: IO[bytes]) -> None:
    start = file.read(len(_BYTE_ORDER_MARK))
    if start == _BYTE_ORDER_MARK:
        raise ImportRefused("UTF-8 BOM is not supported. Please save your file without BOM.")
    if start.startswith(UTF_16_MARKS):
        raise ImportRefused("The file is UTF-16, not UTF-8. Save it as UTF-8.")
    file.seek(-len(start), io.SEEK_CUR)
