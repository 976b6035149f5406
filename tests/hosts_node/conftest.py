"""Hosts for the tests: one process a module, with the functions of `convex/` loaded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hosts_node.driver import FOLDER, Database, Host, Json, bundle


@pytest.fixture(scope="session")
def modules() -> list[Json]:
    """The functions of `convex/`."""
    return bundle(FOLDER, "convex")


@pytest.fixture(scope="module")
def shared_host(modules: list[Json]) -> Iterator[Host]:
    host = Host()
    host.load(
        modules,
        {"GREETING": "hello", "AUTH_DOMAIN": "https://auth"},
        importPhase={"now": 1_600_000_000_000, "seed": "07" * 32},
    )
    yield host
    host.close()


@pytest.fixture
def host(shared_host: Host) -> Host:
    """A running host with an empty database."""
    shared_host.database = Database()
    shared_host.messages.clear()
    return shared_host
