"""Admin keys: made from the instance's name and secret, and read with these (`deploy-api.md` 3). Which of
them were revoked is another matter (`known_admin_keys`).

A key is `<instance name>|<hex>`. The hex holds a version byte, a nonce and the encrypted claims; whoever
knows the instance's secret can make one. Keys made by the official generator for the same name and secret are
accepted, in its present format (AES-128-GCM-SIV under a derived key) and in the older one (secretbox under
the secret itself).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from msgspec import Struct

from parabola.services.sign_in.secretbox import NONCE_BYTES as SECRETBOX_NONCE_BYTES
from parabola.services.sign_in.secretbox import open_secretbox
from parabola.values.errors import BadRequest, Unauthenticated

__all__ = ["AdminClaims", "check_admin_key", "derive_key", "make_admin_key"]

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_PURPOSE: Final = "admin key"
_LONGEST_KEY: Final = 1024
_LONGEST_NAME: Final = 64
_NAME_FIELD: Final = 15
_NAME_TAG: Final = b"\x7a"
"""A field of our own, which others pass over."""
_ID_BYTES: Final = 8


class AdminClaims(Struct, frozen=True):
    """What a key says about its holder. `issued_at`: seconds since the epoch; `key_id` is no secret."""

    issued_at: int
    key_id: str
    name: str = ""
    is_system: bool = False
    is_read_only: bool = False


def make_admin_key(
    instance_name: str,
    instance_secret: str,
    *,
    name: str = "",
    read_only: bool = False,
    system: bool = False,
    issued_at: float | None = None,
) -> str:
    """A new key for the instance. `instance_secret`: 32 bytes in hex; `name` says in lists whose it is;
    `issued_at` is in seconds since the epoch, by the machine's clock if it is not given.

    Raises `BadRequest` for a name that is longer than 64 bytes.
    """
    if len(name.encode()) > _LONGEST_NAME:
        raise BadRequest(f"The name of a key may have {_LONGEST_NAME} bytes, not {len(name.encode())}.")
    claims = (
        b"\x10"
        + _varint(int(time.time() if issued_at is None else issued_at))
        + (b"\x22\x00" if system else b"\x18\x00")
    )
    claims += b"\x28\x01" if read_only else b""
    claims += _NAME_TAG + bytes([len(name.encode())]) + name.encode() if name else b""
    nonce = os.urandom(_NONCE_BYTES)
    key = derive_key(bytes.fromhex(instance_secret), _PURPOSE)
    return f"{instance_name}|{(_VERSION + nonce + AESGCMSIV(key).encrypt(nonce, claims, _VERSION)).hex()}"


def check_admin_key(key: str, instance_name: str, instance_secret: str) -> AdminClaims:
    """What `key` says; raises `Unauthenticated` (code `BadAdminKey`) unless it was made for this very
    instance.

    A deploy key's prefix (`prod:`, `dev:`) is passed over. The name may be missing: some tools keep keys
    without it (deploy-api 3).
    """
    refusal = Unauthenticated(
        "The provided admin key was invalid for this instance. "
        "Make one with `parabola admin-key` on the machine that holds the instance's secret.",
        code="BadAdminKey",
    )
    name, bar, encrypted = key[:_LONGEST_KEY].rpartition("|")
    if bar and name.rpartition(":")[2] != instance_name:
        raise refusal
    try:
        sealed = bytes.fromhex(encrypted)
        plain = _decrypt(sealed, bytes.fromhex(instance_secret))
        fields = dict(_fields(plain))
    except (ValueError, IndexError, InvalidTag, InvalidSignature):
        raise refusal from None
    if fields.get(1, instance_name.encode()) != instance_name.encode():
        raise refusal
    issued_at, own_name = fields.get(2), fields.get(_NAME_FIELD)
    return AdminClaims(
        issued_at if isinstance(issued_at, int) else 0,
        sealed[1 : 1 + _ID_BYTES].hex(),  # a part of the nonce, which no two keys share
        own_name.decode("utf-8", "replace") if isinstance(own_name, bytes) else "",
        4 in fields,
        bool(fields.get(5)),
    )


def derive_key(secret: bytes, purpose: str) -> bytes:
    """A 16-byte key for one purpose: KBKDF in counter mode over HMAC-SHA256, one block."""
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update((1).to_bytes(4, "big") + purpose.encode())
    return mac.finalize()[:16]


def _decrypt(sealed: bytes, secret: bytes) -> bytes:
    """The claims inside. Both formats begin with the same version byte, so the present one is tried first."""
    version, rest = sealed[:1], sealed[1:]
    if version != _VERSION:
        raise ValueError("unknown version")
    try:
        return AESGCMSIV(derive_key(secret, _PURPOSE)).decrypt(
            rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], version
        )
    except InvalidTag:
        return open_secretbox(rest[SECRETBOX_NONCE_BYTES:], rest[:SECRETBOX_NONCE_BYTES], secret)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer message that has only numbers, strings and messages."""
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = number()
        if tag & 7 == 0:
            yield tag >> 3, number()
        elif tag & 7 == 2:
            length = number()
            yield tag >> 3, message[at : at + length]
            at += length
        else:
            raise ValueError("unexpected wire type")
