"""Admin keys: made from the instance's name and secret, and read with these (`deploy-api.md` 3). Which of
them were revoked is another matter (`known_admin_keys`).

A key is `<instance name>|<hex>`. The hex holds a version byte, a nonce and the claims, encrypted; whoever
knows the instance's secret can make one. Keys made by the official generator for the same name and secret are
accepted, in its present format (AES-128-GCM-SIV under a derived key) and in the older one (secretbox under
the secret itself). What a server makes for commands beside it is signed and not encrypted: for that a server
that nobody administers loads no library.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from parabola.values.errors import BadRequest, Unauthenticated
from parabola.values.sealing import NONCE_BYTES, NotSealed, Seal

__all__ = ["AdminClaims", "check_admin_key", "derive_key", "make_admin_key", "make_signed_key"]

_VERSION: Final = b"\x01"
_SIGNED: Final = b"\x70"
"""A version of our own, which the official generator does not make."""
_SIGNATURE_BYTES: Final = 32
_PURPOSE: Final = "admin key"
_SIGNED_PURPOSE: Final = "signed admin key"
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
    claims = _claims(issued_at, system=system)
    claims += b"\x28\x01" if read_only else b""
    claims += _NAME_TAG + bytes([len(name.encode())]) + name.encode() if name else b""
    nonce = os.urandom(NONCE_BYTES)
    key = derive_key(bytes.fromhex(instance_secret), _PURPOSE)
    return f"{instance_name}|{(_VERSION + nonce + Seal(key).seal(nonce, claims, _VERSION)).hex()}"


def make_signed_key(instance_name: str, instance_secret: str) -> str:
    """A new key that may do everything, whose claims can be read by whoever has it."""
    text = _SIGNED + os.urandom(NONCE_BYTES) + _claims()
    return f"{instance_name}|{(text + _signature(text, bytes.fromhex(instance_secret))).hex()}"


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
        plain = _claims_in(sealed, bytes.fromhex(instance_secret))
        fields = dict(_fields(plain))
    except (ValueError, IndexError):
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
    return hmac.digest(secret, (1).to_bytes(4, "big") + purpose.encode(), "sha256")[:16]


def _claims(issued_at: float | None = None, *, system: bool = False) -> bytes:
    """What every key says: when it was made, by the machine's clock if that is not given, and whose it is."""
    made = _varint(int(time.time() if issued_at is None else issued_at))
    return b"\x10" + made + (b"\x22\x00" if system else b"\x18\x00")


def _signature(text: bytes, secret: bytes) -> bytes:
    return hmac.digest(derive_key(secret, _SIGNED_PURPOSE), text, "sha256")


def _claims_in(sealed: bytes, secret: bytes) -> bytes:
    """The claims inside. Both official formats begin with the same version byte, so the present one is tried
    first. Raises `ValueError` unless they were made with the secret.
    """
    version, rest = sealed[:1], sealed[1:]
    if version == _SIGNED:
        text, signature = sealed[:-_SIGNATURE_BYTES], sealed[-_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, _signature(text, secret)):
            raise ValueError("the signature is another one")
        return text[1 + NONCE_BYTES :]
    if version != _VERSION:
        raise ValueError("unknown version")
    try:
        return Seal(derive_key(secret, _PURPOSE)).open(rest[:NONCE_BYTES], rest[NONCE_BYTES:], version)
    except NotSealed:
        from parabola.services.sign_in import secretbox

        nonce, box = rest[: secretbox.NONCE_BYTES], rest[secretbox.NONCE_BYTES :]
        return secretbox.open_secretbox(box, nonce, secret)


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
