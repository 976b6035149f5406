"""aiohttp without the certificates that its client trusts, which it reads while it is imported.

They take a third of its import and 2 MB, and a server asks nobody over HTTPS but identity providers, with
certificates that are read then (`services/sign_in/key_sets`). Who used the client's own here would trust
nobody.
"""

from __future__ import annotations

import os
from typing import Final

__all__ = ["import_http_library"]

_PLACES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where OpenSSL is told to look."""


def import_http_library() -> None:
    """Import aiohttp; where it is already, nothing changes."""
    before = {name: os.environ.get(name) for name in _PLACES}
    os.environ.update(dict.fromkeys(_PLACES, os.devnull))
    try:
        import aiohttp  # noqa: F401
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
