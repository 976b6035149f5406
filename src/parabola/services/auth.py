"""Verifying the tokens of signed-in users.

A token is accepted only when its issuer and audience name a configured provider, its signature is made with
one of that provider's keys under the algorithm expected of it, and it is in its time. The result is the
`UserIdentity` that functions see. Claim names and rules follow the public documentation of
`ctx.auth.getUserIdentity` and of custom JWT providers.
"""

from __future__ import annotations

import base64
import binascii
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

import orjson
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key

from parabola.services.auth_providers import AuthProvider, CustomJwtProvider, OidcProvider, normalize_issuer
from parabola.services.key_sets import DocumentCache
from parabola.values.errors import Unauthenticated

MAX_TOKEN_BYTES = 32 * 1024
CUSTOM_JWT_LEEWAY_S = 5
_OIDC_ALGORITHMS = ("RS256", "EdDSA")
_NATURAL_KEY_TYPE = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}

_OIDC_FIELDS = {
    "name": "name",
    "gender": "gender",
    "email": "email",
    "given_name": "givenName",
    "family_name": "familyName",
    "nickname": "nickname",
    "preferred_username": "preferredUsername",
    "profile": "profileUrl",
    "picture": "pictureUrl",
    "website": "websiteUrl",
    "email_verified": "emailVerified",
    "birthdate": "birthday",
    "zoneinfo": "timezone",
    "locale": "language",
    "phone_number": "phoneNumber",
    "phone_number_verified": "phoneNumberVerified",
}
_REGISTERED = {"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "fva"}
_OIDC_PROTOCOL = {
    "nonce",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "address",
    "updated_at",
    "middle_name",
}


@dataclass(frozen=True)
class VerifiedToken:
    """What a valid token says: the identity's JSON attributes, and when it ends (seconds since the epoch)."""

    attributes: dict[str, Any]
    expires_at: float


class TokenVerifier:
    """Checks bearer tokens against the configured providers.

    `clock` gives seconds since the epoch; `documents` is where discovery documents and key sets come from.
    """

    def __init__(
        self, documents: DocumentCache | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._documents = documents or DocumentCache()
        self._clock = clock

    async def verify(self, token: str, providers: Sequence[AuthProvider]) -> VerifiedToken:
        """Verify `token`, or raise `Unauthenticated` saying what is wrong with it."""
        header, claims = _peek(token)
        provider = _matching_provider(claims, providers)
        algorithm = header.get("alg")
        if isinstance(provider, CustomJwtProvider):
            self._check_algorithm(algorithm, (provider.algorithm,))
            keys = await self._keys(provider.jwks, header, str(algorithm))
            self._check_signature(token, keys, str(algorithm))
            expires_at = self._check_times(claims, leeway=CUSTOM_JWT_LEEWAY_S, not_before=True)
            return VerifiedToken(_custom_identity(claims), expires_at)
        self._check_algorithm(algorithm, _OIDC_ALGORITHMS)
        keys = await self._keys(await self._discover(provider), header, str(algorithm))
        self._check_signature(token, keys, str(algorithm))
        audience = claims.get("aud")
        if isinstance(audience, list) and len(audience) > 1:
            raise _invalid("the token names several audiences; an OIDC token must name exactly one")
        expires_at = self._check_times(claims, leeway=0, not_before=False)
        return VerifiedToken(_oidc_identity(claims), expires_at)

    async def _discover(self, provider: OidcProvider) -> str:
        base = provider.domain.rstrip("/")
        document = await self._documents.get(f"{base}/.well-known/openid-configuration")
        issuer, address = document.get("issuer"), document.get("jwks_uri")
        if not isinstance(issuer, str) or normalize_issuer(issuer) != normalize_issuer(provider.domain):
            raise Unauthenticated(
                f"Auth provider discovery failed: {base} says that its issuer is {issuer!r}.",
                code="AuthProviderDiscoveryFailed",
            )
        if not isinstance(address, str) or not address.startswith(("http://", "https://")):
            raise Unauthenticated(
                f"Auth provider discovery failed: {base} names no usable `jwks_uri`.",
                code="AuthProviderDiscoveryFailed",
            )
        return address

    async def _keys(self, url: str, header: dict[str, Any], algorithm: str) -> list[Key]:
        key_id = header.get("kid")
        for newer in (False, True):
            document = await self._documents.get(url, key_set=True, newer=newer)
            keys = _usable_keys(document, key_id, algorithm)
            if keys:
                return keys
        raise _invalid(f"no key of the provider's key set fits the token (kid {key_id!r}, {algorithm})")

    @staticmethod
    def _check_algorithm(algorithm: object, allowed: Sequence[str]) -> None:
        if algorithm not in allowed:
            raise _invalid(f"the token is signed with {algorithm!r}; expected {' or '.join(allowed)}")

    @staticmethod
    def _check_signature(token: str, keys: Sequence[Key], algorithm: str) -> None:
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        registry.max_header_length = registry.max_payload_length = registry.max_signature_length = (
            MAX_TOKEN_BYTES
        )
        with warnings.catch_warnings():
            # The name EdDSA is deprecated in favour of Ed25519, but it is what issuers still write.
            warnings.simplefilter("ignore", SecurityWarning)
            for key in keys:
                try:
                    jws.deserialize_compact(token, key, registry=registry)
                except (JoseError, ValueError):
                    continue
                return
        raise _invalid("the token's signature is not valid")

    def _check_times(self, claims: dict[str, Any], *, leeway: int, not_before: bool) -> float:
        now = self._clock()
        expires_at = claims.get("exp")
        if not _is_number(expires_at):
            raise _invalid("the token has no expiry (`exp`)")
        if now >= expires_at + leeway:
            raise Unauthenticated("Convex token identity expired", code="Unauthenticated")
        starts_at = claims.get("nbf")
        if not_before and starts_at is not None and (not _is_number(starts_at) or now + leeway < starts_at):
            raise _invalid("the token is not valid yet (`nbf`)")
        return float(expires_at) + leeway


def _peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if len(token) > MAX_TOKEN_BYTES:
        raise _invalid(f"the token is longer than {MAX_TOKEN_BYTES} bytes")
    parts = token.split(".")
    if len(parts) != 3:
        raise _invalid("it is not a JSON Web Token")
    try:
        header, claims = (orjson.loads(_base64url(part)) for part in parts[:2])
    except (binascii.Error, ValueError) as error:
        raise _invalid("it is not a JSON Web Token") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise _invalid("it is not a JSON Web Token")
    if "crit" in header:
        raise _invalid("the token demands extensions (`crit`) that are not supported")
    for claim in ("iss", "sub"):
        if not isinstance(claims.get(claim), str) or not claims[claim]:
            raise _invalid(f"the token has no `{claim}`")
    return header, claims


def _base64url(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _matching_provider(claims: dict[str, Any], providers: Sequence[AuthProvider]) -> AuthProvider:
    issuer = normalize_issuer(claims["iss"])
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    for provider in providers:
        if normalize_issuer(provider.issuer) != issuer:
            continue
        if provider.application_id is None or provider.application_id in audiences:
            return provider
    if not providers:
        raise Unauthenticated(
            "No auth provider found matching the given token (no providers configured). Add the issuer of "
            "your tokens to the deployment's auth config file.",
            code="NoAuthProvider",
        )
    listed = ", ".join(f"{type(p).__name__}({p.issuer}, app_id={p.application_id})" for p in providers)
    raise Unauthenticated(
        "No auth provider found matching the given token. Check that your JWT's issuer and audience match "
        f"one of your configured providers: [{listed}]",
        code="NoAuthProvider",
    )


def _usable_keys(document: dict[str, Any], key_id: object, algorithm: str) -> list[Key]:
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


def _base_identity(claims: dict[str, Any]) -> dict[str, Any]:
    issuer, subject = claims["iss"], claims["sub"]
    return {"tokenIdentifier": f"{issuer}|{subject}", "issuer": issuer, "subject": subject}


def _oidc_identity(claims: dict[str, Any]) -> dict[str, Any]:
    identity = _base_identity(claims)
    for claim, value in claims.items():
        if value is None or claim in _REGISTERED or claim in _OIDC_PROTOCOL:
            continue
        identity.setdefault(_OIDC_FIELDS.get(claim, claim), value)
    address = claims.get("address")
    if isinstance(address, dict) and isinstance(address.get("formatted"), str):
        identity["address"] = address["formatted"]
    updated_at = claims.get("updated_at")
    if _is_number(updated_at):
        identity["updatedAt"] = datetime.fromtimestamp(float(updated_at), UTC).isoformat()
    elif isinstance(updated_at, str):
        identity["updatedAt"] = updated_at
    return identity


def _custom_identity(claims: dict[str, Any]) -> dict[str, Any]:
    identity = _base_identity(claims)

    def flatten(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                flatten(f"{prefix}.{key}", inner)
        else:
            identity.setdefault(prefix, value)

    for claim, value in claims.items():
        if claim not in _REGISTERED:
            flatten(claim, value)
    return identity


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _invalid(why: str) -> Unauthenticated:
    return Unauthenticated(f"Could not verify the token: {why}.", code="InvalidAuthHeader")
