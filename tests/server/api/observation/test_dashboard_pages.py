"""The dashboard's files: found below one path, kept by browsers as long as may be, and framed by nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from parabola.server.api.observation import dashboard_pages
from parabola.server.http.public_files import serve_public
from server.fake_backend import messages_backend

Client = TestClient[web.Request, web.Application]
HASHED = "assets/index-DRU6QspL.js"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>Parabola</title>")
    (folder / HASHED).write_text("console.log(1)")
    (folder / "mark.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
async def client(built: Path) -> AsyncIterator[Client]:
    app = web.Application()
    app.add_routes(dashboard_pages.routes(messages_backend(), built))
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize("path", ["", "/", "/data", "/data/notes?component=a", "/assets", "/nothing.js"])
async def test_each_address_of_the_dashboard_is_its_page(client: Client, path: str) -> None:
    answer = await client.get(f"/dashboard{path}")
    assert (answer.status, await answer.text()) == (200, "<title>Parabola</title>")
    assert answer.headers["Cache-Control"] == "no-cache"


async def test_what_has_its_content_in_its_name_is_kept_for_ever(client: Client) -> None:
    answer = await client.get(f"/dashboard/{HASHED}")
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.content_type.endswith("/javascript")
    assert (await client.get("/dashboard/mark.svg")).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["", "/data", f"/{HASHED}", "/mark.svg"])
async def test_nothing_comes_from_elsewhere_and_nobody_frames_it(client: Client, path: str) -> None:
    headers = (await client.get(f"/dashboard{path}")).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")


@pytest.mark.parametrize("path", ["/../secret.txt", "/..%2fsecret.txt", "/assets/..%2f..%2fsecret.txt"])
async def test_files_beside_it_are_out_of_reach(client: Client, path: str) -> None:
    from yarl import URL

    answer = await client.get(URL(f"/dashboard{path}", encoded=True))
    assert "secret" not in await answer.text()


async def test_a_checkout_says_how_to_build_it(tmp_path: Path) -> None:
    app = web.Application()
    app.add_routes(dashboard_pages.routes(messages_backend(), tmp_path / "none"))
    async with TestClient(TestServer(app)) as client:
        answer = await client.get("/dashboard/data")
        assert answer.status == 503
        assert "make dashboard" in await answer.text()


async def test_a_front_end_on_the_same_origin_does_not_hide_it(client: Client, built: Path) -> None:
    public = built.parent / "public"
    public.mkdir()
    (public / "index.html").write_text("the app")
    app = web.Application(middlewares=[serve_public(public)])
    app.add_routes(dashboard_pages.routes(messages_backend(), built))
    async with TestClient(TestServer(app)) as both:
        for path, text in (
            ("/", "the app"),
            ("/dashboard", "<title>Parabola</title>"),
            ("/dashboard/data", "<title>Parabola</title>"),
            ("/dashboards", "the app"),
        ):
            assert await (await both.get(path, headers={"Accept": "text/html"})).text() == text
