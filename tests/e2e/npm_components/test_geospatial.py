"""Points on the Earth, found near others and within rectangles (`@convex-dev/geospatial`)."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.convex_cli import ConvexProject

pytestmark = pytest.mark.e2e

APP = "geospatial"
MUSEUM = {"latitude": 40.7813, "longitude": -73.9737}
CITY = {"west": -74.2, "south": 40.5, "east": -73.7, "north": 41.0}


@pytest.fixture(scope="module", autouse=True)
def places(app: ConvexProject) -> None:
    """A dozen places to the north of a museum, each a kilometre or so from the last, and one far away."""
    for n in range(12):
        point = {**MUSEUM, "latitude": MUSEUM["latitude"] + n / 100}
        kind = "coffee" if n % 2 else "museum"
        # The package orders keys by bytes, the low ones first: from 2 to 13 that is their own order.
        app.call("places:add", {"key": f"p{n}", "point": point, "category": kind, "price": 13 - n})
    far = {"latitude": -33.86, "longitude": 151.2}
    app.call("places:add", {"key": "far", "point": far, "category": "coffee", "price": 1})


def keys(found: Any) -> list[str]:
    return [each["key"] for each in found]


def test_a_query_finds_the_nearest_points(app: ConvexProject) -> None:
    found = app.call("places:nearest", {"point": MUSEUM, "limit": 3})
    assert keys(found) == ["p0", "p1", "p2"]
    assert found[0]["distance"] < 1
    assert found[1]["distance"] == pytest.approx(1112, rel=0.01)
    near = app.call("places:nearest", {"point": MUSEUM, "limit": 20, "maxDistance": 3500})
    assert keys(near) == ["p0", "p1", "p2", "p3"]
    coffee = app.call("places:nearest", {"point": MUSEUM, "limit": 2, "category": "coffee"})
    assert keys(coffee) == ["p1", "p3"]


def test_a_rectangle_is_read_page_by_page_in_the_order_of_the_key(app: ConvexProject) -> None:
    seen: list[str] = []
    page: Any = {"nextCursor": None}
    while True:
        cursor = {} if page["nextCursor"] is None else {"cursor": page["nextCursor"]}
        page = app.call("places:within", {"rectangle": CITY, "limit": 5, **cursor})
        seen += keys(page["results"])
        if page.get("nextCursor") is None:
            break
    assert seen == [f"p{n}" for n in reversed(range(12))]
    cheap = app.call("places:within", {"rectangle": CITY, "below": 4})
    assert keys(cheap["results"]) == ["p11", "p10"]


def test_a_point_is_known_until_it_is_removed(app: ConvexProject) -> None:
    assert app.call("places:get", {"key": "far"})["sortKey"] == 1
    assert app.call("places:remove", {"key": "far"}) is True
    assert app.call("places:get", {"key": "far"}) is None
