"""Verifying the tokens of signed-in users.

A token is accepted only when its issuer and audience name a configured provider, its signature is made with
one of that provider's keys under the algorithm expected of it, and it is in its time. The result is the
`UserIdentity` that functions see. Claim names and rules follow the public documentation of
`ctx.auth.getUserIdentity` and of custom JWT providers.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

import orjson
from msgspec import Struct

from parabola.services.sign_in.auth_providers import (
    AuthProvider,
    CustomJwtProvider,
    OidcProvider,
    normalize_issuer,
)
from parabola.services.sign_in.key_sets import DocumentCache
from parabola.services.threads import imported
from parabola.values.errors import Unauthenticated

__all__ = ["CUSTOM_JWT_LEEWAY_S", "MAX_TOKEN_BYTES", "NOT_BEFORE_LEEWAY_S", "TokenVerifier", "VerifiedToken"]

MAX_TOKEN_BYTES: Final = 32 * 1024
CUSTOM_JWT_LEEWAY_S: Final = 5
NOT_BEFORE_LEEWAY_S: Final = 60
"""How far an OIDC issuer's clock may be ahead; the official server does not look at `nbf` of its tokens."""
_OIDC_ALGORITHMS: Final = ("RS256", "EdDSA")

_OIDC_FIELDS: Final = {
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
_NO_TOKEN: Final = (
    "Could not parse JWT payload: it is not a JSON Web Token, which has three base64-encoded parts separated "
    "by dots."
)
_REGISTERED: Final = {"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "fva"}
_OIDC_PROTOCOL: Final = {
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


class VerifiedToken(Struct, frozen=True):
    """What a valid token says: the identity's JSON attributes, and when it ends (seconds since the epoch)."""

    attributes: dict[str, Any]
    expires_at: float


class TokenVerifier:
    """Checks bearer tokens against the configured providers.

    `clock` gives seconds since the epoch; `documents` is where discovery documents and key sets come from.
    `redacted` refusals do not tell a client what is configured.
    """

    def __init__(
        self,
        documents: DocumentCache,
        clock: Callable[[], float],
        *,
        redacted: bool = False,
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._redacted = redacted

    async def verify(self, token: str, providers: Sequence[AuthProvider]) -> VerifiedToken:
        """Verify `token`, or raise `Unauthenticated` saying what is wrong with it."""
        header, claims = _peek(token)
        provider = self._matching_provider(claims, providers)
        algorithm = header.get("alg")
        if isinstance(provider, CustomJwtProvider):
            self._check_algorithm(algorithm, (provider.algorithm,))
            await self._check_signature(token, provider.jwks, header, str(algorithm))
            expires_at = self._check_custom_times(claims)
            return VerifiedToken(_custom_identity(claims), expires_at)
        self._check_algorithm(algorithm, _OIDC_ALGORITHMS)
        await self._check_signature(token, await self._discover(provider), header, str(algorithm))
        audience = claims.get("aud")
        if isinstance(audience, list) and len(audience) > 1:
            raise _unverified("the token names several audiences; an OIDC token must name exactly one")
        expires_at = self._check_oidc_times(claims)
        return VerifiedToken(_checked(_oidc_identity(claims)), expires_at)

    async def _discover(self, provider: OidcProvider) -> str:
        base = provider.domain.rstrip("/")
        url = f"{base}/.well-known/openid-configuration"
        document = await self._documents.get(url)
        issuer, address = document.get("issuer"), document.get("jwks_uri")
        if not isinstance(issuer, str) or normalize_issuer(issuer) != normalize_issuer(provider.domain):
            self._documents.forget(url)
            raise Unauthenticated(
                f"Auth provider discovery failed: {base} says that its issuer is {issuer!r}.",
                code="AuthProviderDiscoveryFailed",
            )
        if not isinstance(address, str) or not address.startswith(("http://", "https://")):
            self._documents.forget(url)
            raise Unauthenticated(
                f"Auth provider discovery failed: {base} names no usable `jwks_uri`.",
                code="AuthProviderDiscoveryFailed",
            )
        return address

    async def _check_signature(self, token: str, url: str, header: dict[str, Any], algorithm: str) -> None:
        """Raise `Unauthenticated` unless a key of the set at `url` has made it.

        What is known of the set may be old: a key may be missing there, or be an older one of the same name.
        """
        key_id = header.get("kid")
        await imported("parabola.services.sign_in.token_signatures")
        from parabola.services.sign_in.token_signatures import is_signed, usable_keys

        has_keys = False
        for newer_than in (None, self._documents.now):
            document = await self._documents.get(url, key_set=True, newer_than=newer_than)
            keys = usable_keys(document, key_id, algorithm)
            if is_signed(token, keys, algorithm):
                return
            has_keys = bool(keys)
        if key_id is None:
            named = "the JWT may be missing a 'kid' (key ID) header"
        else:
            shown = "" if self._redacted else f" is '{key_id}', and"
            named = f"the JWT's 'kid' (key ID) header{shown} names "
            named += "a key of the provider" if has_keys else f"no {algorithm} key of the provider's JWKS"
        what = "the signature is not valid" if has_keys else "no key fits it"
        raise _refused(f"Could not decode token: {what}; {named}.")

    def _matching_provider(self, claims: dict[str, Any], providers: Sequence[AuthProvider]) -> AuthProvider:
        issuer = normalize_issuer(claims["iss"])
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        for provider in providers:
            if normalize_issuer(provider.issuer) != issuer:
                continue
            if provider.application_id is None or provider.application_id in audiences:
                return provider
        if self._redacted:
            configured = ""
        elif not providers:
            raise Unauthenticated(
                "No auth provider found matching the given token (no providers configured). Add the issuer "
                "of your tokens to the deployment's auth config file.",
                code="NoAuthProvider",
            )
        else:
            configured = f": [{', '.join(map(str, providers))}]"
        raise Unauthenticated(
            "No auth provider found matching the given token. Check that your JWT's issuer and audience "
            f"match one of your configured providers{configured or '.'}",
            code="NoAuthProvider",
        )

    @staticmethod
    def _check_algorithm(algorithm: object, allowed: Sequence[str]) -> None:
        if algorithm not in allowed:
            raise _refused(
                f"Could not decode token: it is signed with {algorithm!r}; expected {' or '.join(allowed)}."
            )

    def _check_custom_times(self, claims: dict[str, Any]) -> float:
        now, leeway = self._clock(), CUSTOM_JWT_LEEWAY_S
        expires_at = claims.get("exp")
        if not _is_number(expires_at):
            raise _refused("Could not validate token: it has no expiry (`exp`).")
        if now >= expires_at + leeway:
            raise _refused(f"Could not validate token: Token expired {now - expires_at:.0f} seconds ago")
        for claim in ("nbf", "iat"):
            starts_at = claims.get(claim)
            if starts_at is None:
                continue
            if not _is_number(starts_at):
                raise _refused(f"Could not validate token: `{claim}` is not a number.")
            if now + leeway < starts_at:
                ahead = f"`{claim}` is {starts_at - now:.0f} seconds ahead"
                raise _refused(f"Could not validate token: it is not valid yet, {ahead}.")
        return float(expires_at) + leeway

    def _check_oidc_times(self, claims: dict[str, Any]) -> float:
        now = self._clock()
        expires_at, starts_at = claims.get("exp"), claims.get("nbf")
        if not _is_number(expires_at):
            raise _unverified("the token has no expiry (`exp`)")
        if now >= expires_at:
            raise _unverified(f"the token expired {now - expires_at:.0f} seconds ago")
        if starts_at is not None and (not _is_number(starts_at) or now + NOT_BEFORE_LEEWAY_S < starts_at):
            raise _unverified("the token is not valid yet (`nbf`)")
        return float(expires_at)


def _peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if len(token) > MAX_TOKEN_BYTES:
        raise _refused(f"Could not parse JWT payload: the token is longer than {MAX_TOKEN_BYTES} bytes.")
    parts = token.split(".")
    if len(parts) != 3:
        found = "one part" if len(parts) == 1 else f"{len(parts)} parts"
        raise _refused(f"{_NO_TOKEN} This has {found}.")
    try:
        header, claims = (orjson.loads(_base64url(part)) for part in parts[:2])
    except (binascii.Error, ValueError) as error:
        raise _refused(f"{_NO_TOKEN} These parts cannot be decoded.") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise _refused(f"{_NO_TOKEN} These parts are not JSON objects.")
    if "crit" in header:
        raise _refused("Could not decode token: it demands extensions (`crit`) that are not supported.")
    for claim, name in (("iss", "issuer"), ("sub", "subject")):
        if not isinstance(claims.get(claim), str) or not claims[claim]:
            raise _refused(
                f"Missing {name} claim ('{claim}') in JWT payload: the token has no `{claim}` with a text."
            )
    return header, claims


def _base64url(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


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
        with suppress(OverflowError, ValueError):  # no year that there is
            identity["updatedAt"] = datetime.fromtimestamp(float(updated_at), UTC).isoformat()
    elif isinstance(updated_at, str):
        identity["updatedAt"] = updated_at
    return identity


def _custom_identity(claims: dict[str, Any]) -> dict[str, Any]:
    identity = _base_identity(claims)
    ahead = [(claim, value) for claim, value in reversed(claims.items()) if claim not in _REGISTERED]
    while ahead:
        name, value = ahead.pop()
        if isinstance(value, dict):
            ahead += [(f"{name}.{key}", inner) for key, inner in reversed(value.items())]
        else:
            identity.setdefault(name, value)
    return identity


def _checked(identity: dict[str, Any]) -> dict[str, Any]:
    """The identity, if it can be handed on."""
    try:
        orjson.dumps(identity)
    except TypeError as error:
        raise _unverified("its claims are nested too deeply") from error
    return identity


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refused(message: str) -> Unauthenticated:
    return Unauthenticated(message, code="InvalidAuthHeader")


def _unverified(why: str) -> Unauthenticated:
    """An OIDC token that can be read, and says what cannot be accepted."""
    return Unauthenticated(f"Could not verify OIDC token claim: {why}.", code="Unauthenticated")
