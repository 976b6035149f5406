"""The server as a whole: routes, errors, cross-origin headers, sockets, start and stop."""

from __future__ import annotations

import aiohttp
from fake_backend import messages_backend

from parabola.server.app import Server


async def test_thin():
    backend = messages_backend()
    server = Server(backend, port=0, site_port=0)
    await server.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http:
            async with http.post("/api/query", json={"path": "messages:list", "args": {}}) as response:
                print(response.status, await response.text(), response.headers)
            async with http.post(
                "/api/mutation", json={"path": "messages:send", "args": [{"body": "x"}]}
            ) as response:
                print(response.status, await response.text(), response.headers)
            async with http.post(
                f"http://127.0.0.1:{server.port}//api/query", json={"path": "messages:list", "args": {}}
            ) as response:
                print(response.status, await response.text(), response.headers)
            async with http.get("/nope") as response:
                print(response.status, await response.text(), response.headers)
            async with http.get("/api/query_ts") as response:
                print(response.status, await response.text(), response.headers)
            async with http.ws_connect("/api/1.48.0/sync", compress=15) as ws:
                print(ws._response.headers)
                await ws.send_str(
                    '{"type":"Connect","sessionId":"1d6d6e3b-6d5a-4f3a-9e0a-aaaaaaaaaaaa","connectionCount":0,"lastCloseReason":null}'
                )
                await ws.send_str(
                    '{"type":"ModifyQuerySet","baseVersion":0,"newVersion":1,"modifications":[{"type":"Add","queryId":0,"udfPath":"messages:list","args":[{}]}]}'
                )
                print(await ws.receive(timeout=2))
                await ws.send_str(
                    '{"type":"Mutation","requestId":0,"udfPath":"messages:send","args":[{"body":"x"}]}'
                )
                print(await ws.receive(timeout=2))
                print(await ws.receive(timeout=2))
                await ws.send_str('{"type":"Nope"}')
                print(await ws.receive(timeout=2))
                print(await ws.receive(timeout=2))
                print(await ws.receive(timeout=2))
    finally:
        await server.stop()
