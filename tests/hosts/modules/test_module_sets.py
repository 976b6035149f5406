"""Which modules a component has in a host: those of its definition, once for all that read the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from parabola.hosts.python.host import Host

READS = """
from parabola import env, query

LEVEL = env.get("LEVEL")
calls = []

@query
async def level(ctx) -> str:
    return LEVEL
"""
PLAIN = "from parabola import query\n\n@query\nasync def level(ctx) -> str:\n    return 'plain'\n"
Json = dict[str, Any]


def component(id: str, env: dict[str, str], source: str | None = None) -> Json:
    fields: Json = {"component": id, "definition": "../kit", "env": env}
    if source is not None:
        fields["modules"] = [{"path": "lib.py", "source": source}]
    return fields


@pytest.fixture
def host() -> Iterator[Host]:
    said: list[Json] = []

    def call(do: Callable[[], None]) -> None:
        do()

    made = Host(said.append, call)
    made.receive({"type": "load", "modules": []})
    yield made
    made.close()


def served(host: Host, id: str) -> Any:
    return host._served(id).loaded


def test_components_share_modules_that_read_no_variable(host: Host) -> None:
    host.receive({"type": "component", **component("a", {"LEVEL": "high"}, PLAIN)})
    host.receive({"type": "component", **component("b", {"LEVEL": "low"})})
    assert served(host, "a") is served(host, "b")
    assert host._served("b").environment == {"LEVEL": "low"}


def test_components_that_differ_in_what_their_modules_have_read_have_their_own(host: Host) -> None:
    for id, level in (("a", "high"), ("b", "low"), ("c", "high")):
        sent = READS if id == "a" else None
        host.receive({"type": "component", **component(id, {"LEVEL": level}, sent)})
    levels = [served(host, id).modules["lib.py"].LEVEL for id in ("a", "b", "c")]
    assert levels == ["high", "low", "high"]
    assert served(host, "a") is served(host, "c")


def test_what_is_told_with_the_modules_of_the_app_is_loaded_before_a_fork(host: Host) -> None:
    told = [component("a", {"LEVEL": "high"}), component("b", {"LEVEL": "low"}, READS)]
    host.receive({"type": "load", "modules": [], "components": told})
    host.preload()
    copy = Host(lambda message: None, lambda call: call())
    copy.begin_as(host)
    assert served(copy, "a") is served(host, "a")
    # Whoever is told again, of the same code, goes on with what there is.
    copy.receive({"type": "component", **component("a", {"LEVEL": "high"}, READS)})
    assert served(copy, "a") is served(host, "a")
    copy.receive({"type": "component", **component("a", {"LEVEL": "high"}, READS + "\nNEW = 1\n")})
    assert served(copy, "a").modules["lib.py"].NEW == 1


def test_a_component_that_cannot_be_loaded_fails_its_own_calls(host: Host) -> None:
    said: list[Json] = []
    host._carrier = said.append
    host.receive({"type": "load", "modules": [], "components": [component("a", {}, "1 / 0\n")]})
    host.preload()
    run = {"type": "run", "id": 1, "kind": "query", "path": "lib.py:level", "args": {}}
    for id in ("a", "unknown"):
        host.receive({**run, "component": id})
    texts = [each["error"]["message"] for each in said if each["type"] == "failed"]
    assert texts[0].startswith("ZeroDivisionError: division by zero\n    at <module> (kit/lib.py:1)")
    assert texts[1] == "The component of this function has not been loaded."


def test_a_new_deployment_forgets_the_components_of_the_last(host: Host) -> None:
    host.receive({"type": "component", **component("a", {}, PLAIN)})
    served(host, "a")
    host.receive({"type": "load", "modules": []})
    with pytest.raises(LookupError):
        served(host, "a")
