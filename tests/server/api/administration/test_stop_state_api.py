"""Pausing and resuming over HTTP."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.stop_state import PAUSED_TEXT
from parabola.services.deploys.push import Push
from parabola.services.sign_in.admin_keys import make_admin_key
from server.test_every_route import KEY, SECRET, serving

HTTP = """
from parabola import Response, http_router

http = http_router()

@http.route(path="/", method="POST")
async def root(ctx, request):
    return Response("here")
"""


async def test_a_deployment_is_paused_and_resumed(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as (backend, server),
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http,
    ):

        async def post(what: str, key: str = KEY) -> tuple[int, str]:
            headers = {"Authorization": f"Convex {key}"}
            async with http.post(f"/api/v1/{what}_deployment", headers=headers) as response:
                text = await response.text()
                return response.status, (await response.json())["code"] if text else ""

        async def answer() -> tuple[int, str]:
            async with http.post("/http/", data=b"x") as response:
                return response.status, await response.text()

        await backend.deploy(Push("python", (Module("http.py", "python", HTTP),)))
        reader = make_admin_key("every", SECRET, read_only=True)
        assert await post("pause", reader) == (403, "OperationNotPermitted")
        assert await post("unpause", reader) == (403, "OperationNotPermitted")
        assert await post("unpause") == (400, "UnpauseDeploymentFailed")
        assert await answer() == (200, "here")
        assert await post("pause") == (200, "")
        status, text = await answer()
        assert status == 500
        assert PAUSED_TEXT in text
        assert await post("pause") == (200, "")
        assert await post("unpause") == (200, "")
        assert await answer() == (200, "here")
