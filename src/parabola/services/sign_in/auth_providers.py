"""The identity providers a deployment trusts, as its auth config file declares them.

Source of the shapes and rules: the public guide to `auth.config` files, and the deploy protocol's
`AuthInfo` objects, which carry the same fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from parabola.values.errors import BadRequest

__all__ = ["AuthProvider", "CustomJwtProvider", "OidcProvider", "normalize_issuer", "parse_auth_providers"]

_HOST_WITH_TLD: Final = re.compile(r"^([a-z0-9_-]+\.)+[a-z][a-z0-9-]*[a-z0-9]$", re.IGNORECASE)
_CUSTOM_ALGORITHMS: Final = ("RS256", "ES256")


class OidcProvider(Struct, frozen=True):
    """An OpenID Connect issuer whose keys are found through its discovery document.

    `domain` is the issuer URL, `application_id` the audience its tokens must name.
    """

    domain: str
    application_id: str

    @property
    def issuer(self) -> str:
        return self.domain

    def to_json(self) -> dict[str, Any]:
        return {"applicationID": self.application_id, "domain": self.domain}

    def __str__(self) -> str:
        """As refusals of tokens list it."""
        return f"OIDC(domain={self.domain}, app_id={self.application_id})"


class CustomJwtProvider(Struct, frozen=True):
    """An issuer whose key set is named directly. `jwks` is an http(s) or `data:` URL."""

    issuer: str
    jwks: str
    algorithm: str
    application_id: str | None

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "customJwt",
            "applicationID": self.application_id,
            "issuer": self.issuer,
            "jwks": self.jwks,
            "algorithm": self.algorithm,
        }

    def __str__(self) -> str:
        """As refusals of tokens list it."""
        return f"CustomJWT(issuer={self.issuer}, app_id={self.application_id or 'none'})"


AuthProvider = OidcProvider | CustomJwtProvider


def parse_auth_providers(config: object) -> tuple[AuthProvider, ...]:
    """Read the default export of an auth config file.

    Raises `BadRequest` with code `InvalidAuthConfig`, or `InvalidProviderDomainUrl` for an address that
    cannot be an issuer, naming the entry that is wrong.
    """
    if not isinstance(config, Mapping) or not isinstance(config.get("providers"), list):
        raise BadRequest(
            'auth config file must include a list of provider credentials: {"providers": [...]}',
            code="InvalidAuthConfig",
        )
    return tuple(_parse_provider(index, entry) for index, entry in enumerate(config["providers"]))


def normalize_issuer(issuer: str) -> str:
    """The form in which two spellings of one issuer are equal: with a scheme, without a trailing slash."""
    with_scheme = issuer if "://" in issuer else f"https://{issuer}"
    return with_scheme.rstrip("/")


def _parse_provider(index: int, entry: object) -> AuthProvider:
    if not isinstance(entry, Mapping):
        raise _invalid(index, "is not an object")
    kind = entry.get("type")
    if kind == "customJwt":
        algorithm = entry.get("algorithm")
        if algorithm not in _CUSTOM_ALGORITHMS:
            raise _invalid(index, f"`algorithm` must be one of {', '.join(_CUSTOM_ALGORITHMS)}")
        application_id = entry.get("applicationID")
        if application_id is not None and not isinstance(application_id, str):
            raise _invalid(index, "`applicationID` must be a string")
        jwks = _text(index, entry, "jwks")
        if not jwks.startswith("data:"):
            jwks = _checked_url(jwks)
        return CustomJwtProvider(_checked_url(_text(index, entry, "issuer")), jwks, algorithm, application_id)
    if kind not in (None, "oidc"):
        raise _invalid(index, f"has the unknown type {kind!r}; use `customJwt`, or leave `type` out for OIDC")
    return OidcProvider(
        _checked_url(_text(index, entry, "domain")), _text(index, entry, "applicationID", maybe_empty=False)
    )


def _text(index: int, entry: Mapping[str, Any], field: str, *, maybe_empty: bool = False) -> str:
    value = entry.get(field)
    if not isinstance(value, str) or (not value and not maybe_empty):
        raise _invalid(index, f"`{field}` must be a non-empty string")
    return value


def _invalid(index: int, what: str) -> BadRequest:
    return BadRequest(f"auth config provider {index}: {what}.", code="InvalidAuthConfig")


def _checked_url(text: str) -> str:
    url = text if "://" in text else f"https://{text}"
    parts = urlsplit(url)
    host = parts.hostname or ""
    explicit_scheme = "://" in text
    plausible = bool(host) if explicit_scheme else host == "localhost" or bool(_HOST_WITH_TLD.match(host))
    if parts.scheme not in ("http", "https") or not plausible:
        raise BadRequest(
            f"Invalid provider domain URL {text!r}: expected an http or https address of an issuer, "
            "such as https://auth.example.com.",
            code="InvalidProviderDomainUrl",
        )
    return url
