"""The signatures of tokens, checked with the keys of a provider. Loaded with the first token that comes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key

__all__ = ["is_signed", "usable_keys"]

_NATURAL_KEY_TYPE: Final = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}


def is_signed(token: str, keys: Sequence[Key], algorithm: str) -> bool:
    """Whether one of the keys has made the token's signature."""
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = registry.max_payload_length = registry.max_signature_length = len(token)
    with warnings.catch_warnings():
        # The name EdDSA is deprecated in favour of Ed25519, but it is what issuers still write.
        warnings.simplefilter("ignore", SecurityWarning)
        for key in keys:
            try:
                jws.deserialize_compact(token, key, registry=registry)
            except (JoseError, ValueError):
                continue
            return True
    return False


def usable_keys(document: dict[str, Any], key_id: object, algorithm: str) -> list[Key]:
    """The keys of a key set that may have signed a token that names `key_id` with `algorithm`."""
    entries = document.get("keys")
    keys: list[Key] = []
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or entry.get("kty") != _NATURAL_KEY_TYPE[algorithm]:
            continue
        if key_id is not None and entry.get("kid") is not None and entry["kid"] != key_id:
            continue
        if entry.get("use") not in (None, "sig") or entry.get("alg") not in (None, algorithm, "Ed25519"):
            continue
        try:
            keys.append(JWKRegistry.import_key({k: v for k, v in entry.items() if k != "alg"}))
        except (JoseError, ValueError, TypeError):
            continue
    return keys
