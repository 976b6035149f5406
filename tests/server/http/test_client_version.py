"""Who is speaking, and what that changes."""

from __future__ import annotations

import pytest

from parabola.server.http.client_version import ClientVersion, parse_client_header, parse_npm_version
from parabola.values.errors import BadRequest


@pytest.mark.parametrize(
    ("header", "family", "release"),
    [
        ("npm-1.48.0", "npm", (1, 48, 0)),
        ("npm-cli-1.48.0", "npm-cli", (1, 48, 0)),
        ("python-0.8.1", "python", (0, 8, 1)),
        ("rust-0.10.4-alpha.1", "rust", (0, 10, 4)),
        ("my-own-client-2.0.0", "my-own-client", (2, 0, 0)),
    ],
)
def test_headers(header: str, family: str, release: tuple[int, int, int]):
    client = parse_client_header(header)
    assert (client.family, client.release) == (family, release)


def test_no_header_is_an_unknown_client():
    assert parse_client_header(None).family == "unknown"


@pytest.mark.parametrize("header", ["", "npm", "npm-", "npm-1", "npm-1.2", "1.2.3", "-1.2.3", "npm-1.2.3.4"])
def test_malformed_headers_are_refused(header: str):
    with pytest.raises(BadRequest) as caught:
        parse_client_header(header)
    assert caught.value.code == "InvalidClientVersion"


@pytest.mark.parametrize("header", ["npm-0.19.1", "npm-0.1.0", "python-0.0.2", "rust-0.0.1"])
def test_clients_that_are_too_old_are_refused(header: str):
    with pytest.raises(BadRequest) as caught:
        parse_client_header(header)
    assert caught.value.code == "ClientVersionUnsupported"


@pytest.mark.parametrize("header", ["npm-0.19.2", "python-0.0.3", "rust-0.0.2", "unknown-0.0.0"])
def test_the_first_that_are_not(header: str):
    assert not parse_client_header(header).is_refused


@pytest.mark.parametrize(
    ("version", "takes"),
    [
        ("1.48.0", True),
        ("1.28.0", True),
        ("1.28.0-alpha.3", False),
        ("1.28.1-alpha.1", True),
        ("1.27.5", False),
    ],
)
def test_chunks_are_for_npm_from_1_28_0_on(version: str, takes: bool):
    assert parse_npm_version(version).takes_chunks is takes
    assert not parse_client_header(f"rust-{version}").takes_chunks


def test_only_npm_takes_frames_of_any_size():
    assert parse_npm_version("1.48.0").max_frame_bytes is None
    assert parse_client_header("python-0.8.1").max_frame_bytes == 16 * 1024 * 1024
    assert ClientVersion().max_frame_bytes == 16 * 1024 * 1024
