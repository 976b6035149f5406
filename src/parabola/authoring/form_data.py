"""The fields of an HTML form, as browsers send them: URL-encoded, or in parts with files (RFC 7578)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from parabola.values.errors import BadRequest

__all__ = ["FormData", "FormFile", "parse_form"]

_PARAMETER: Final = re.compile(r';\s*([^\s=;]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))')
_ESCAPED: Final = re.compile(r"\\([\"\\])")


@dataclass(frozen=True)
class FormFile:
    """A file in a form."""

    filename: str
    content: bytes
    content_type: str = "application/octet-stream"

    def __len__(self) -> int:
        return len(self.content)


class FormData(Mapping[str, str | FormFile]):
    """The fields of a form by name; of one that is repeated the last. `pairs` has them all, in order."""

    def __init__(self, pairs: list[tuple[str, str | FormFile]]) -> None:
        self.pairs = pairs
        self._last = dict(pairs)

    def __getitem__(self, name: str) -> str | FormFile:
        return self._last[name]

    def get_all(self, name: str) -> list[str | FormFile]:
        """Every value of a field."""
        return [value for key, value in self.pairs if key == name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def __repr__(self) -> str:
        return f"FormData({self.pairs!r})"


def parse_form(content_type: str, body: bytes) -> FormData:
    """The form in a body of this type. Raises `BadRequest` when it is none."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        try:
            return FormData(list(parse_qsl(body.decode(), keep_blank_values=True)))
        except UnicodeDecodeError as error:
            raise BadRequest("The form is not encoded in UTF-8.") from error
    if kind != "multipart/form-data":
        raise BadRequest(
            f"The body of this request is not a form but {content_type or 'of no type'!r}: expected "
            "multipart/form-data or application/x-www-form-urlencoded."
        )
    boundary = _parameters(content_type).get("boundary")
    if not boundary:
        raise BadRequest("The form has no `boundary` between its parts.")
    parts = list(_parts(body, boundary.encode()))
    return FormData([_field(part) for part in parts])


def _parts(body: bytes, boundary: bytes) -> Iterator[bytes]:
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    for part in parts:
        if part.startswith(b"--"):
            return
        _, line_break, rest = part.partition(b"\r\n")
        if not line_break:
            break
        yield rest
    raise BadRequest("The form ends in the middle.")


def _field(part: bytes) -> tuple[str, str | FormFile]:
    head, gap, content = (b"\r\n" + part).partition(b"\r\n\r\n")
    headers = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    described = _parameters(headers.get("content-disposition", ""))
    if not gap or "name" not in described:
        raise BadRequest("A part of the form has no name.")
    filename = described.get("filename")
    if filename is None:
        return described["name"], content.decode("utf-8", "replace")
    kind = headers.get("content-type", FormFile.content_type)
    return described["name"], FormFile(filename, content, kind)


def _parameters(header: str) -> dict[str, str]:
    """`name=value` behind the semicolons. Browsers write quotes and line breaks in percent signs."""
    found = {}
    for name, quoted, bare in _PARAMETER.findall(header):
        value = _ESCAPED.sub(r"\1", quoted) if quoted else bare.strip()
        for escaped, character in (("%22", '"'), ("%0D", "\r"), ("%0A", "\n")):
            value = value.replace(escaped, character)
        found[name.lower()] = value
    return found
