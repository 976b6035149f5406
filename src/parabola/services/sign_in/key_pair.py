"""A key pair of elliptic curve P-256 that signs tokens. Loaded when the first one is to be signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

import orjson
from joserfc import jws
from joserfc.jwk import ECKey

__all__ = ["KeyPair"]

ALGORITHM: Final = "ES256"


class KeyPair:
    """Signs tokens, which name it by its id."""

    def __init__(self, key: ECKey) -> None:
        self._key = key

    @classmethod
    def stored(cls, key_id: str, private_key: bytes) -> Self:
        """The pair of a private key as PEM (PKCS 8)."""
        return cls(ECKey.import_key(private_key, {"kid": key_id, "use": "sig", "alg": ALGORITHM}))

    @staticmethod
    def made() -> tuple[str, bytes]:
        """The id of a new pair, and its private key as PEM (PKCS 8)."""
        key = ECKey.generate_key("P-256", private=True)
        return key.thumbprint(), key.as_pem(private=True)

    def public_half(self) -> dict[str, Any]:
        """The public key, as a JSON Web Key."""
        return dict(self._key.as_dict(private=False))

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims."""
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": self._key.kid}
        return jws.serialize_compact(header, orjson.dumps(dict(claims)), self._key, algorithms=[ALGORITHM])
