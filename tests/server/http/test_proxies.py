"""What a client says of itself in `X-Forwarded-*` counts when it comes through a proxy that is trusted."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from parabola.server.api.calls.http_actions import public_url
from parabola.server.app import create_app
from parabola.server.http.request_context import request_context
from parabola.server.http.rules import ServerRules, host_of, trusted_networks
from parabola.values.errors import BadRequest


class Peer:
    def __init__(self, address: str) -> None:
        self.address = address

    def get_extra_info(self, name: str, default: object = None) -> object:
        return (self.address, 1) if name == "peername" else default


def asked_by(peer: str, proxies: str, **headers: str) -> tuple[str | None, str]:
    """The address and the scheme that functions are told."""
    from server.fake_backend import messages_backend

    rules = ServerRules(trusted_proxies=trusted_networks(tuple(proxies.split(","))))
    app = create_app(messages_backend(), rules=rules)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = make_mocked_request("GET", "/http/x", {"Host": "h", **named}, app=app, transport=Peer(peer))  # type: ignore[arg-type]
    return request_context(request).ip, public_url(request, "/x").partition(":")[0]


@pytest.mark.parametrize(
    ("peer", "proxies", "believed"),
    [
        ("127.0.0.1", "127.0.0.0/8,::1", True),
        ("::1", "127.0.0.0/8,::1", True),
        ("::ffff:127.0.0.1", "127.0.0.0/8,::1", True),
        ("10.1.2.3", "127.0.0.0/8,::1", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("fe80::1%eth0", "fe80::/10", True),
        ("127.0.0.1", "10.0.0.0/8", False),
        ("127.0.0.1", "", False),
        ("nowhere", "0.0.0.0/0", False),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, proxies: str, believed: bool):
    told = asked_by(peer, proxies, X_Forwarded_For="203.0.113.9, 10.0.0.1", X_Forwarded_Proto="https")
    assert told == (("203.0.113.9", "https") if believed else (peer, "http"))
    assert asked_by(peer, proxies, Forwarded='for=x;proto="https"')[1] == told[1]


@pytest.mark.parametrize("scheme", ["javascript", "file", "ftp", "", "https evil", "HTTP"])
def test_a_scheme_is_http_or_https(scheme: str):
    assert asked_by("127.0.0.1", "127.0.0.1", X_Forwarded_Proto=scheme)[1] == "http"


def test_what_is_no_network_or_origin_is_refused():
    with pytest.raises(BadRequest, match=r"such as 10\.0\.0\.0/8"):
        trusted_networks(("my-proxy",))
    for text in ("files.my-app.com", "ftp://a", "https://a/b", "https://"):
        with pytest.raises(BadRequest, match="not an origin"):
            host_of(text)
    assert host_of("https://Files.my-app.com:8443/") == "files.my-app.com:8443"
