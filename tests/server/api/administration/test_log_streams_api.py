"""Log streams over HTTP: who may do what, and how it is answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from parabola.services.sign_in.admin_keys import make_admin_key
from server.test_every_route import KEY, SECRET, serving

READER = make_admin_key("every", SECRET, read_only=True)


async def test_streams_are_made_shown_changed_and_removed(tmp_path: Path) -> None:
    async with (
        serving(tmp_path) as (_, server),
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http,
    ):

        async def asked(method: str, path: str, body: Any = None, key: str = KEY) -> tuple[int, Any]:
            headers = {"Authorization": f"Convex {key}"}
            async with http.request(method, f"/api/v1/{path}", json=body, headers=headers) as response:
                text = await response.text()
                answer = await response.json() if text else None
                return response.status, answer["code"] if response.status >= 400 else answer

        url = f"http://127.0.0.1:{server.port}/echo"
        webhook = {"logStreamType": "webhook", "url": url, "format": "json"}
        assert await asked("POST", "create_log_stream", webhook, READER) == (403, "OperationNotPermitted")
        status, made = await asked("POST", "create_log_stream", webhook)
        assert status == 200
        id, secret = made["id"], made["hmacSecret"]
        assert await asked("POST", "create_log_stream", webhook) == (409, "LogStreamAlreadyExists")
        assert await asked("POST", "create_log_stream", {}) == (400, "BadJsonBody")
        status, [listed] = await asked("GET", "list_log_streams")
        assert {name: listed[name] for name in listed if name != "status"} == {
            **webhook,
            "id": id,
            "hmacSecret": secret,
            "topics": None,
        }
        assert (await asked("GET", f"get_log_stream/{id}", key=READER))[1]["hmacSecret"] == ""
        assert (await asked("GET", "list_log_streams", key=READER))[1][0]["hmacSecret"] == ""
        assert await asked("GET", "get_log_stream/x") == (400, "InvalidLogStreamId")
        changed = {"logStreamType": "webhook", "format": "jsonl", "topics": ["console"]}
        assert await asked("POST", f"update_log_stream/{id}", changed, READER) == (
            403,
            "OperationNotPermitted",
        )
        assert await asked("POST", f"update_log_stream/{id}", changed) == (200, None)
        assert (await asked("GET", f"get_log_stream/{id}"))[1]["topics"] == ["console"]
        status, rotated = await asked("POST", f"rotate_webhook_secret/{id}")
        assert (status, rotated["logStreamType"]) == (200, "webhook")
        assert rotated["hmacSecret"] != secret
        datadog = {"logStreamType": "datadog", "siteLocation": "EU", "ddApiKey": "k", "ddTags": []}
        assert await asked("POST", f"update_log_stream/{id}", datadog) == (400, "LogStreamTypeMismatch")
        assert await asked("POST", f"delete_log_stream/{id}") == (200, None)
