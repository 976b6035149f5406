"""The rules that every request is held to: the settings, proxies, and the host of files."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit

from parabola.server.settings import ServerSettings
from parabola.values.errors import BadRequest

__all__ = ["LOOPBACK", "Networks", "ServerRules", "host_of", "trusted_networks"]

LOOPBACK: Final = ("127.0.0.0/8", "::1/128")

Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


def trusted_networks(texts: tuple[str, ...]) -> Networks:
    """Addresses and networks such as `10.0.0.0/8`. Raises `BadRequest` for anything else."""
    try:
        return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts if text.strip())
    except ValueError as error:
        raise BadRequest(
            f"A trusted proxy must be an address or a network such as 10.0.0.0/8: {error}.",
            code="InvalidTrustedProxy",
        ) from None


def host_of(origin: str) -> str | None:
    """What a browser says in `Host` for an origin such as `https://files.my-app.com`; None for no origin.

    Raises `BadRequest` for what is neither.
    """
    if not origin:
        return None
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
        raise BadRequest(
            f"{origin} is not an origin. Write scheme and host alone, such as https://files.my-app.com.",
            code="InvalidOrigin",
        )
    return parts.netloc.lower()


@dataclass(frozen=True)
class ServerRules(ServerSettings):
    """The rules of one server: its settings, whom it believes, and where it serves files."""

    trusted_proxies: Networks = field(default_factory=lambda: trusted_networks(LOOPBACK))
    """Whose `X-Forwarded-*` headers are believed."""
    files_origin: str | None = None
    """Where stored files are served, and nothing else; None: everywhere, with all else."""

    @cached_property
    def files_host(self) -> str | None:
        """What a browser says in `Host` for a file. Raises `BadRequest` when that is no origin."""
        return None if self.files_origin is None else host_of(self.files_origin)

    def trusts(self, address: str | None) -> bool:
        """Whether a peer may say for whom it speaks."""
        if address is None:
            return False
        try:
            peer = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
            peer = peer.ipv4_mapped
        return any(peer in network for network in self.trusted_proxies)
