"""What the dashboard asks of each kind of log stream is what the server takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from parabola.services.log_streams.stream_kinds import Config, Topic, kind_of

ASKED = (Path(__file__).parents[3] / "ui/src/pages/log_streams/kinds.ts").read_text()
KINDS = {kind.__struct_config__.tag: kind for kind in get_args(Config)}


def asked_of(kind: str) -> tuple[set[str], bool]:
    """The fields that the form of a kind has, and whether it asks for topics."""
    found = re.search(rf"\n  {kind}: \{{(.*?)\n  \}},\n", ASKED, re.DOTALL)
    assert found is not None, kind
    return set(re.findall(r'name: "(\w+)"', found.group(1))), "hasTopics: true" in found.group(1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_has_every_field(kind: str) -> None:
    assert kind_of(str(kind)) is KINDS[kind]
    fields = set(KINDS[kind].__struct_encode_fields__) - set(KINDS[kind].ours)
    assert asked_of(str(kind)) == (fields - {"topics"}, "topics" in fields)


def test_the_form_has_every_topic() -> None:
    assert set(re.findall(r'topic: "(\w+)"', ASKED)) == set(get_args(Topic))
