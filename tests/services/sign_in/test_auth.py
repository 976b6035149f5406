"""Which tokens are believed, and what they say about their bearer."""

import base64
import hashlib
import hmac
import json

import aiohttp
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from parabola.services.sign_in.auth import MAX_TOKEN_BYTES, TokenVerifier
from parabola.services.sign_in.auth_providers import CustomJwtProvider, OidcProvider, parse_auth_providers
from parabola.services.sign_in.key_sets import DocumentCache, Fetched
from parabola.values.errors import BadRequest, Overloaded, Unauthenticated

NOW = 1_800_000_000
ISSUER = "https://issuer.example.com"
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
OTHER_RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed-1"})
OIDC = OidcProvider(ISSUER, "app")


class Issuer:
    """The published documents of an issuer, and how often each was asked for."""

    def __init__(self, *keys):
        self.documents = {
            f"{ISSUER}/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"},
            f"{ISSUER}/keys": {"keys": [key.as_dict(private=False) for key in keys]},
        }
        self.cache_control = "max-age=60"
        self.content_type = "application/json"
        self.status = 200
        self.fetches = []
        self.seconds = 0.0

    async def fetch(self, url):
        self.fetches.append(url)
        if self.status is None:
            raise aiohttp.ClientConnectionError("refused")
        return Fetched(
            self.status, self.content_type, self.cache_control, json.dumps(self.documents[url]).encode()
        )

    def verifier(self, **options):
        return TokenVerifier(DocumentCache(self.fetch, lambda: self.seconds), lambda: NOW, **options)


def token(key=RSA, algorithm="RS256", header=None, **claims):
    payload = {"iss": ISSUER, "sub": "ann", "aud": "app", "iat": NOW - 5, "exp": NOW + 60} | claims
    payload = {name: value for name, value in payload.items() if value is not None}
    head = {"alg": algorithm, "kid": key.kid} | (header or {})
    head = {name: value for name, value in head.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    return jws.serialize_compact(head, json.dumps(payload), key, registry=registry)


def segment(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned():
    claims = {"iss": ISSUER, "sub": "ann", "aud": "app", "exp": NOW + 60}
    return f"{segment({'alg': 'none'})}.{segment(claims)}."


def signed_with_the_public_key():
    """The classic confusion: an RSA key that everyone knows, used as the secret of an HMAC."""
    claims = {"iss": ISSUER, "sub": "ann", "aud": "app", "exp": NOW + 60}
    text = f"{segment({'alg': 'HS256', 'kid': 'rsa-1'})}.{segment(claims)}"
    signature = hmac.digest(RSA.as_pem(private=False), text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_an_oidc_token_becomes_the_documented_identity():
    claims = {
        "name": "Ann",
        "given_name": "A",
        "email_verified": True,
        "phone_number": "1",
        "picture": "p",
        "profile": "q",
        "updated_at": 1_700_000_000,
        "address": {"formatted": "Main St 1"},
        "locale": "en",
        "zoneinfo": "UTC",
        "birthdate": "2000-01-01",
        "https://app/role": ["admin"],
        "nbf": 1,
        "jti": "x",
        "nonce": "n",
    }
    verified = await Issuer(RSA).verifier().verify(token(**claims), [OIDC])
    assert verified.attributes == {
        "tokenIdentifier": f"{ISSUER}|ann",
        "issuer": ISSUER,
        "subject": "ann",
        "name": "Ann",
        "givenName": "A",
        "emailVerified": True,
        "phoneNumber": "1",
        "pictureUrl": "p",
        "profileUrl": "q",
        "updatedAt": "2023-11-14T22:13:20+00:00",
        "address": "Main St 1",
        "language": "en",
        "timezone": "UTC",
        "birthday": "2000-01-01",
        "https://app/role": ["admin"],
    }
    assert verified.expires_at == NOW + 60


async def test_a_custom_token_keeps_raw_names_and_flattens_nested_claims():
    issuer = Issuer(EC)
    provider = CustomJwtProvider(ISSUER, f"{ISSUER}/keys", "ES256", None)
    jwt = token(EC, "ES256", aud=None, given_name="A", org={"id": 7, "unit": {"name": "x"}}, fva=1)
    verified = await issuer.verifier().verify(jwt, [provider])
    assert verified.attributes == {
        "tokenIdentifier": f"{ISSUER}|ann",
        "issuer": ISSUER,
        "subject": "ann",
        "given_name": "A",
        "org.id": 7,
        "org.unit.name": "x",
    }


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # of signing, in this test
async def test_ed25519_is_accepted_from_an_oidc_issuer():
    assert (await Issuer(ED).verifier().verify(token(ED, "EdDSA"), [OIDC])).attributes["subject"] == "ann"


async def test_a_custom_key_set_may_be_a_data_url():
    keys = base64.b64encode(json.dumps({"keys": [RSA.as_dict(private=False)]}).encode()).decode()
    provider = CustomJwtProvider(ISSUER, f"data:application/json;base64,{keys}", "RS256", "app")
    issuer = Issuer()
    assert (await issuer.verifier().verify(token(), [provider])).attributes["subject"] == "ann"
    assert issuer.fetches == []


@pytest.mark.parametrize(
    ("jwt", "why"),
    [
        ("nonsense", "not a JSON Web Token"),
        ("a.b.c", "not a JSON Web Token"),
        (unsigned(), "'none'"),
        (token(OTHER_RSA), "signature is not valid"),
        (token(RSA, "RS512"), "RS512"),
        (signed_with_the_public_key(), "HS256"),
        (token(RSA, header={"kid": "unknown"}), "is 'unknown', and names no RS256 key"),
        (token(exp=NOW), "expired"),
        (token(exp=None), "no expiry"),
        (token(nbf=NOW + 61), "not valid yet"),
        (token(nbf="soon"), "not valid yet"),
        (f"{segment({'alg': 'RS256', 'crit': ['b64']})}.{segment({})}.x", "crit"),
        (token() + ".more", "not a JSON Web Token"),
        (f"{segment([1])}.{segment({})}.x", "not a JSON Web Token"),
        ("\u00e4.\u00f6.\u00fc", "not a JSON Web Token"),
        (token(iss=None), "no `iss`"),
        (token(sub=None), "no `sub`"),
        (token(aud=["app", "other"]), "several audiences"),
        (token(name="x" * MAX_TOKEN_BYTES), "longer than"),
        (token(aud="someone-else"), "No auth provider found"),
        (token(iss="https://evil.example.com"), "No auth provider found"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else None,
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_a_hostile_token_is_refused(jwt, why):
    with pytest.raises(Unauthenticated, match=why):
        await Issuer(RSA).verifier().verify(jwt, [OIDC])


async def test_a_changed_claim_breaks_the_signature():
    head, body, signature = token().split(".")
    forged = json.loads(base64.urlsafe_b64decode(body + "==")) | {"sub": "root"}
    with pytest.raises(Unauthenticated, match="signature"):
        await Issuer(RSA).verifier().verify(f"{head}.{segment(forged)}.{signature}", [OIDC])


async def test_a_custom_provider_insists_on_its_algorithm():
    provider = CustomJwtProvider(ISSUER, f"{ISSUER}/keys", "ES256", "app")
    with pytest.raises(Unauthenticated, match="expected ES256"):
        await Issuer(RSA, EC).verifier().verify(token(), [provider])


async def test_custom_tokens_have_five_seconds_of_leeway_and_oidc_tokens_none():
    provider = CustomJwtProvider(ISSUER, f"{ISSUER}/keys", "RS256", "app")
    verifier = Issuer(RSA).verifier()
    await verifier.verify(token(exp=NOW - 4, nbf=NOW + 4), [provider])
    for late in (token(exp=NOW - 5), token(nbf=NOW + 6)):
        with pytest.raises(Unauthenticated):
            await verifier.verify(late, [provider])
    with pytest.raises(Unauthenticated, match="expired"):
        await verifier.verify(token(exp=NOW - 1), [OIDC])


async def test_without_providers_the_refusal_says_so():
    with pytest.raises(Unauthenticated, match="no providers configured") as caught:
        await Issuer(RSA).verifier().verify(token(), [])
    assert caught.value.code == "NoAuthProvider"


async def test_documents_are_fetched_once_while_they_are_fresh():
    issuer = Issuer(RSA)
    verifier = issuer.verifier()
    for _ in range(3):
        await verifier.verify(token(), [OIDC])
    assert len(issuer.fetches) == 2
    issuer.seconds = 61
    await verifier.verify(token(), [OIDC])
    assert len(issuer.fetches) == 4


async def test_a_rotated_key_is_found_but_unknown_keys_do_not_cause_a_fetch_each():
    issuer = Issuer(RSA)
    verifier = issuer.verifier()
    await verifier.verify(token(), [OIDC])
    fresh = RSAKey.generate_key(2048, {"kid": "rsa-2"})
    issuer.documents[f"{ISSUER}/keys"]["keys"].append(fresh.as_dict(private=False))
    issuer.seconds = 11
    await verifier.verify(token(fresh), [OIDC])
    before = len(issuer.fetches)
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await verifier.verify(token(header={"kid": "nope"}), [OIDC])
    assert len(issuer.fetches) == before


async def test_a_rotated_key_without_a_name_is_found_too():
    issuer = Issuer(RSAKey.generate_key(2048))
    verifier = issuer.verifier()
    fresh = RSAKey.generate_key(2048)
    with pytest.raises(Unauthenticated, match="signature is not valid"):
        await verifier.verify(token(fresh, header={"kid": None}), [OIDC])
    issuer.documents[f"{ISSUER}/keys"]["keys"] = [fresh.as_dict(private=False)]
    issuer.seconds = 11
    await verifier.verify(token(fresh, header={"kid": None}), [OIDC])


async def test_a_new_key_under_an_old_name_is_followed_at_a_bounded_rate():
    issuer = Issuer(RSA)
    verifier = issuer.verifier()
    await verifier.verify(token(), [OIDC])
    fresh = RSAKey.generate_key(2048, {"kid": RSA.kid})
    with pytest.raises(Unauthenticated, match="signature is not valid"):
        await verifier.verify(token(fresh), [OIDC])
    issuer.documents[f"{ISSUER}/keys"]["keys"] = [fresh.as_dict(private=False)]
    issuer.seconds = 11
    await verifier.verify(token(fresh), [OIDC])
    before = len(issuer.fetches)
    for _ in range(5):
        with pytest.raises(Unauthenticated, match="signature is not valid"):
            await verifier.verify(token(OTHER_RSA), [OIDC])
    assert len(issuer.fetches) == before


async def test_a_new_key_is_followed_at_once_however_young_the_known_ones_are():
    issuer = Issuer(RSA)
    verifier = issuer.verifier()
    with pytest.raises(Unauthenticated, match="signature is not valid"):
        await verifier.verify(token(OTHER_RSA), [OIDC])
    assert len(issuer.fetches) == 2, "what has just been fetched is not fetched again for the same token"
    for seconds in (1, 12):
        issuer.seconds = seconds
        fresh = RSAKey.generate_key(2048, {"kid": RSA.kid})
        issuer.documents[f"{ISSUER}/keys"]["keys"] = [fresh.as_dict(private=False)]
        await verifier.verify(token(fresh), [OIDC])
        before = len(issuer.fetches)
        for _ in range(5):
            with pytest.raises(Unauthenticated, match="signature is not valid"):
                await verifier.verify(token(OTHER_RSA), [OIDC])
        assert len(issuer.fetches) == before


async def test_an_issuer_that_is_down_is_not_asked_for_each_token_that_no_key_fits():
    issuer = Issuer(RSA)
    verifier = issuer.verifier()
    await verifier.verify(token(), [OIDC])
    issuer.status = 500
    issuer.seconds = 1
    before = len(issuer.fetches)
    for _ in range(5):
        with pytest.raises(Overloaded) as caught:
            await verifier.verify(token(OTHER_RSA), [OIDC])
        assert caught.value.code == "AuthProviderDiscoveryFailed"
        await verifier.verify(token(), [OIDC])
    assert len(issuer.fetches) == before + 1
    issuer.status, issuer.seconds = 200, 12
    with pytest.raises(Unauthenticated, match="signature is not valid"):
        await verifier.verify(token(OTHER_RSA), [OIDC])


CUSTOM = CustomJwtProvider(ISSUER, f"{ISSUER}/keys", "RS256", None)


@pytest.mark.parametrize(
    ("jwt", "providers", "code", "message"),
    [
        (
            "one",
            [OIDC],
            "InvalidAuthHeader",
            "Could not parse JWT payload: it is not a JSON Web Token, which has three base64-encoded parts "
            "separated by dots. This has one part.",
        ),
        (
            token(iss=None),
            [OIDC],
            "InvalidAuthHeader",
            "Missing issuer claim ('iss') in JWT payload: the token has no `iss` with a text.",
        ),
        (
            token(aud="x"),
            [OIDC, CustomJwtProvider("https://b.example.com", "data:", "ES256", None)],
            "NoAuthProvider",
            "No auth provider found matching the given token. Check that your JWT's issuer and audience "
            f"match one of your configured providers: [OIDC(domain={ISSUER}, app_id=app), "
            "CustomJWT(issuer=https://b.example.com, app_id=none)]",
        ),
        (
            token(exp=NOW - 8),
            [CUSTOM],
            "InvalidAuthHeader",
            "Could not validate token: Token expired 8 seconds ago",
        ),
        (
            token(exp=NOW - 8),
            [OIDC],
            "Unauthenticated",
            "Could not verify OIDC token claim: the token expired 8 seconds ago.",
        ),
        (
            token(iat=NOW + 6),
            [CUSTOM],
            "InvalidAuthHeader",
            "Could not validate token: it is not valid yet, `iat` is 6 seconds ahead.",
        ),
        (
            token(header={"kid": "other"}),
            [CUSTOM],
            "InvalidAuthHeader",
            "Could not decode token: no key fits it; the JWT's 'kid' (key ID) header is 'other', and names "
            "no RS256 key of the provider's JWKS.",
        ),
        (
            token(OTHER_RSA, header={"kid": None}),
            [CUSTOM],
            "InvalidAuthHeader",
            "Could not decode token: the signature is not valid; the JWT may be missing a 'kid' (key ID) "
            "header.",
        ),
    ],
    ids=["parts", "issuer", "provider", "expired", "expired oidc", "iat", "kid", "no kid"],
)
async def test_a_refusal_says_what_is_wrong_with_the_token(jwt, providers, code, message):
    with pytest.raises(Unauthenticated) as caught:
        await Issuer(RSA).verifier().verify(jwt, providers)
    assert (caught.value.code, caught.value.message) == (code, message)


async def test_a_custom_token_issued_in_the_near_future_is_accepted():
    await Issuer(RSA).verifier().verify(token(iat=NOW + 5), [CUSTOM])
    await Issuer(RSA).verifier().verify(token(iat=NOW + 600), [OIDC])


async def test_redacted_refusals_do_not_tell_what_is_configured():
    verifier = Issuer(RSA).verifier(redacted=True)
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token(aud="other"), [OIDC])
    assert caught.value.message == (
        "No auth provider found matching the given token. Check that your JWT's issuer and audience match "
        "one of your configured providers."
    )
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token(header={"kid": "secret"}), [OIDC])
    assert "secret" not in caught.value.message


async def test_claims_that_make_no_sense_are_no_fault():
    verified = await Issuer(RSA).verifier().verify(token(updated_at=1e300), [OIDC])
    assert "updatedAt" not in verified.attributes
    deep = json.loads('{"a":' * 300 + "1" + "}" * 300)
    with pytest.raises(Unauthenticated, match="nested too deeply"):
        await Issuer(RSA).verifier().verify(token(deep=deep), [OIDC])
    provider = CustomJwtProvider(ISSUER, f"{ISSUER}/keys", "RS256", None)
    verified = await Issuer(RSA).verifier().verify(token(deep=deep), [provider])
    assert verified.attributes["deep" + ".a" * 300] == 1


@pytest.mark.parametrize("status", [None, 503])
async def test_an_issuer_that_is_down_is_a_passing_fault(status):
    issuer = Issuer(RSA)
    issuer.status = status
    with pytest.raises(Overloaded) as caught:
        await issuer.verifier().verify(token(), [OIDC])
    assert caught.value.code == "AuthProviderDiscoveryFailed"
    issuer.status = 200
    await issuer.verifier().verify(token(), [OIDC])


async def test_unusable_answers_of_an_issuer_are_refused():
    issuer = Issuer(RSA)
    issuer.content_type = "text/html"
    with pytest.raises(Unauthenticated, match="content type"):
        await issuer.verifier().verify(token(), [CustomJwtProvider(ISSUER, f"{ISSUER}/keys", "RS256", None)])
    verifier = issuer.verifier()
    described = issuer.documents[f"{ISSUER}/.well-known/openid-configuration"]
    for field, unusable, why in (
        ("issuer", "https://evil.example.com", "says that its issuer is"),
        ("jwks_uri", "file:///etc/passwd", "names no usable `jwks_uri`"),
    ):
        good, described[field] = described[field], unusable
        with pytest.raises(Unauthenticated, match=why):
            await verifier.verify(token(), [OIDC])
        described[field] = good
    issuer.content_type = "application/json"
    await verifier.verify(token(), [OIDC])  # what was of no use is not kept


def test_a_config_reads_both_kinds_and_adds_the_scheme():
    providers = parse_auth_providers(
        {
            "providers": [
                {"domain": "auth.example.com", "applicationID": "convex"},
                {
                    "type": "customJwt",
                    "issuer": "http://localhost:1",
                    "jwks": "http://localhost:1/k",
                    "algorithm": "RS256",
                },
            ]
        }
    )
    assert providers == (
        OidcProvider("https://auth.example.com", "convex"),
        CustomJwtProvider("http://localhost:1", "http://localhost:1/k", "RS256", None),
    )
    assert providers[0].to_json() == {"applicationID": "convex", "domain": "https://auth.example.com"}


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (None, "InvalidAuthConfig"),
        ({"providers": {}}, "InvalidAuthConfig"),
        ({"providers": [{"domain": "ok.example.com"}]}, "InvalidAuthConfig"),
        ({"providers": [{"domain": "nohost", "applicationID": "a"}]}, "InvalidProviderDomainUrl"),
        (
            {"providers": [{"domain": "ftp://x.example.com", "applicationID": "a"}]},
            "InvalidProviderDomainUrl",
        ),
        (
            {"providers": [{"type": "customJwt", "issuer": ISSUER, "jwks": ISSUER, "algorithm": "HS256"}]},
            "InvalidAuthConfig",
        ),
    ],
)
def test_a_config_that_cannot_work_is_refused(config, code):
    with pytest.raises(BadRequest) as caught:
        parse_auth_providers(config)
    assert caught.value.code == code
