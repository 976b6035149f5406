"""The public keys of the deployment, where anyone fetches them."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from parabola.backend import Backend, BackendConfig
from parabola.functions.processes.host_set import HostConfig
from parabola.server.app import Server
from parabola.testing.in_process_host import InProcessHosts


async def test_the_keys_are_at_the_address_of_the_api_for_pages_of_any_origin(tmp_path: Path) -> None:
    """And a front end that is served there, which has a page for every path, does not hide them."""
    public = tmp_path / "public"
    public.mkdir()
    (public / "index.html").write_text("the app")
    hosts = HostConfig(in_process=InProcessHosts(tmp_path))
    backend = await Backend.open(BackendConfig(tmp_path / "data", hosts=hosts))
    server = Server(backend, port=0, site_port=0, public=public)
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            headers = {"Origin": "https://elsewhere.example", "Accept": "text/html"}
            url = f"http://127.0.0.1:{server.port}/.well-known/jwks.json"
            async with session.get(url, headers=headers) as response:
                assert response.status == 200
                assert response.content_type == "application/json"
                assert response.headers["Cache-Control"] == "public, max-age=300"
                assert response.headers["Access-Control-Allow-Origin"] == "https://elsewhere.example"
                assert await response.json() == await backend.signing_keys.key_set()
            site = f"http://127.0.0.1:{server.site_port}/.well-known/jwks.json"
            async with session.get(site) as response:
                assert response.status == 404, "that address belongs to the app's own HTTP actions"
    finally:
        await server.stop()
        await backend.close()
