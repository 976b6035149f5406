"""What the `load` message says is what the host holds functions to. `test_process` has time and memory."""

from __future__ import annotations

import base64

import pytest

from hosts.driver import HostProcess, host_process

SITE = """
    from parabola import *
    http = http_router()
    @http.route(path="/whole", method="GET")
    async def whole(ctx, request):
        return Response("x" * int(request.query["size"]))
    @http.route(path="/pieces", method="GET")
    async def pieces(ctx, request):
        def each():
            yield b"1234"
            yield b"5678"
        return Response(each())
"""


def get(path: str, **fields: object) -> dict[str, object]:
    request = {"method": "GET", "url": f"http://h{path}", "headerPairs": [], "body": None, **fields}
    return {"request": request, "route": path.partition("?")[0]}


@pytest.mark.parametrize("size", [8, 9])
async def test_what_a_function_returns_and_raises(size: int) -> None:
    async with host_process(limits={"resultBytes": 10}) as host:
        await host.serve("""
            @query
            def f(ctx: QueryCtx, size: float):
                return "x" * int(size)
        """)
        outcome = await host.query("m.py:f", size=float(size))
        if size == 8:
            assert outcome.result == "x" * 8
        else:
            assert outcome.error == "Function m.py:f return value is too large (actual: 11 B, limit: 10 B)"


async def test_the_log() -> None:
    async with host_process(limits={"logLines": 3, "logLineBytes": 80}) as host:
        for kind in ("query", "action"):
            await host.serve(f"""
                @{kind}
                def f(ctx):
                    for n in range(5):
                        print("x" * (80 + n))
            """)
            outcome = await host.run("m.py:f", {}, kind)
            assert outcome.logs == [
                "[LOG] " + "x" * 80,
                "[LOG] " + "x" * 80,
                "[ERROR] Log overflow (maximum 3). Remaining log lines omitted.",
            ]
            assert [line["isTruncated"] for line in outcome.lines] == [False, True, False]


async def test_the_response_of_an_http_action() -> None:
    async with host_process(limits={"responseBytes": 7}) as host:
        await host.load({"http.py": SITE})
        for size, body in ((7, "x" * 7), (8, "")):
            outcome = await host.run("http.py:default", get(f"/whole?size={size}"), "httpAction")
            assert base64.b64decode(outcome.result["body"] or "").decode() == body
        assert outcome.logs == ["[ERROR] HttpResponseTooLarge: HTTP actions support responses up to 7 B"]
        cut = await host.run("http.py:default", get("/pieces", streamResponse=True), "httpAction")
        assert [sent["type"] for sent in cut.response] == ["responseHead", "responseChunk", "responseEnd"]


@pytest.mark.parametrize(("ahead", "chunks"), [(4, 1), (5, 2)])
async def test_a_response_that_nobody_takes(ahead: int, chunks: int) -> None:
    async with host_process(limits={"bodyAhead": ahead}) as host:
        await host.load({"http.py": SITE})
        host.takes_responses = False
        waiting = host.start("http.py:default", get("/pieces", streamResponse=True), "httpAction")
        outcome = host.runs[host.last_id][1]
        await _sent(host, outcome.response, 1 + chunks)
        assert (await host.run("http.py:default", get("/whole?size=1"), "httpAction")).ok
        assert len(outcome.response) == 1 + chunks
        assert not waiting.done()
        host.takes_responses = True
        for chunk in outcome.response[1:]:
            host.write({"type": "responseTaken", "id": chunk["id"], "bytes": 4})
        assert (await waiting).ok


async def _sent(host: HostProcess, response: list[object], count: int) -> None:
    while len(response) < count:
        host._news.clear()
        await host._news.wait()
