"""Headers that keep a stored file from being a page: whoever may upload must not speak for the app.

A file is served from where the app is, so a browser that ran its scripts would run them as the app's own.
"""

from __future__ import annotations

from typing import Final

__all__ = ["containment"]

_SANDBOX: Final = (
    "sandbox; default-src 'none'; img-src data:; media-src data:; font-src data:; style-src 'unsafe-inline'"
)
"""Opened as a page it has an origin of its own, and neither scripts nor forms nor anything from elsewhere."""
_PASSIVE_FAMILIES: Final = ("image/", "audio/", "video/", "font/")
_PASSIVE: Final = frozenset(
    (
        "text/plain",
        "text/csv",
        "text/markdown",
        "text/vtt",
        "text/calendar",
        "application/json",
        "application/pdf",
    )
)


def containment(content_type: str | None) -> dict[str, str]:
    """The headers for a file of this type.

    All are kept in a sandbox (Chromium shows PDFs in it), and their type is believed. One that a browser
    might run or render as a document (HTML, SVG and other XML, scripts, and whatever is not known to be
    harmless) is moreover offered as a download when somebody opens its URL; that changes nothing for `<img>`,
    `<video>` and `fetch`.
    """
    kind = (content_type or "application/octet-stream").partition(";")[0].strip().lower()
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": _SANDBOX,
    }
    if not is_passive(kind):
        headers["Content-Disposition"] = "attachment"
    return headers


def is_passive(kind: str) -> bool:
    """Whether a browser shows or plays a type and never runs anything in it."""
    if kind in _PASSIVE:
        return True
    return kind.startswith(_PASSIVE_FAMILIES) and not kind.endswith(("+xml", "/svg", "/xml"))
