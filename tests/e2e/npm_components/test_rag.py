"""Texts that are found by what they mean, and put before a question (`@convex-dev/rag`)."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from e2e.npm_components.internet import Internet
from e2e.npm_components.model import Model

pytestmark = pytest.mark.e2e

APP = "rag"
ANIMALS = "cats like fish\n\ndogs chase cats\n\nfish swim in water"
WEATHER = "the sky is blue today\n\nrain falls from clouds"


@pytest.fixture(scope="module", autouse=True)
def model(app: ConvexProject, internet: Internet) -> Model:
    internet.services[internet.url.removeprefix("http://")] = model = Model()
    changes = [{"name": "MODEL_URL", "value": internet.url}]
    app.post("/api/update_environment_variables", {"changes": changes})
    for key, text, category in (("animals", ANIMALS, "nature"), ("weather", WEATHER, "news")):
        added = app.call("knowledge:add", {"key": key, "text": text, "category": category})
        assert added["status"] == "ready"
    return model


def search(app: ConvexProject, query: str, **options: Any) -> Any:
    return app.call("knowledge:search", {"query": query, **options})


def test_chunks_are_found_by_meaning_nearest_first(app: ConvexProject) -> None:
    found = search(app, "fish like cats")
    assert found["chunks"][0] == ["cats like fish"]
    assert found["titles"] == ["animals"]
    assert search(app, "entirely unrelated")["chunks"] == []


def test_filters_and_words_narrow_a_search(app: ConvexProject) -> None:
    assert search(app, "the blue fish", categories=["news"])["titles"] == ["weather"]
    assert search(app, "the blue fish", categories=["news", "nature"])["titles"] != ["weather"]
    assert search(app, "clouds", searchType="text")["chunks"][0] == ["rain falls from clouds"]
    assert search(app, "rain from clouds", searchType="hybrid")["chunks"][0] == ["rain falls from clouds"]


def test_a_chunk_comes_with_those_around_it(app: ConvexProject) -> None:
    found = search(app, "fish swim in water", context=1, categories=["nature"])
    assert ["dogs chase cats", "fish swim in water"] in found["chunks"]


def test_what_is_found_is_put_before_a_question(app: ConvexProject, model: Model) -> None:
    app.call("knowledge:answer", {"prompt": "rain clouds?"})
    assert "rain falls from clouds" in str(model.asked[-1])


def test_an_entry_is_replaced_by_its_key_and_removed(app: ConvexProject) -> None:
    first = app.call("knowledge:add", {"key": "k", "text": "purple elephants", "category": "x"})
    assert search(app, "purple elephants")["chunks"] == [["purple elephants"]]
    second = app.call("knowledge:add", {"key": "k", "text": "green elephants", "category": "x"})
    assert second["replaced"] == first["entryId"]
    app.server.wait_for(lambda: app.call("knowledge:entry", {"entryId": first["entryId"]}) is None)
    assert search(app, "purple elephants", categories=["x"])["chunks"] == [["green elephants"]]
    app.call("knowledge:remove", {"entryId": second["entryId"]})
    app.server.wait_for(lambda: search(app, "green elephants", categories=["x"])["chunks"] == [])


def test_a_file_is_taken_up_in_the_background_and_its_end_is_told(app: ConvexProject) -> None:
    entry = app.call("knowledge:addFile", {"text": "volcanoes spit lava\n\nglaciers are made of ice"})
    app.server.wait_for(lambda: [entry, "ready"] in app.call("knowledge:finished"))
    assert search(app, "lava of volcanoes")["chunks"][0] == ["volcanoes spit lava"]
    broken = app.call("knowledge:addFile", {"text": "broken"})
    app.server.wait_for(lambda: [broken, "failed"] in app.call("knowledge:finished"))
