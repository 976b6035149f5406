"""Routers, requests and responses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from parabola import FormFile, Headers, Request, Response, http_action, http_router, query
from parabola.values.errors import BadRequest


async def handler(ctx, request: Request) -> Response:
    return Response()


def test_routes_in_the_official_order() -> None:
    http = http_router()
    for path, method in (("/b", "GET"), ("/a", "POST"), ("/a", "GET")):
        http.route(path=path, method=method, handler=handler)
    for prefix, method in (("/z/", "GET"), ("/p/", "POST"), ("/p/", "GET")):
        http.route(path_prefix=prefix, method=method, handler=handler)
    assert [(route.path, route.method) for route in http.routes()] == [
        ("/a", "GET"),
        ("/a", "POST"),
        ("/b", "GET"),
        ("/p/*", "GET"),
        ("/z/*", "GET"),
        ("/p/*", "POST"),
    ]


def test_lookup_prefers_the_exact_path_then_the_longest_prefix() -> None:
    http = http_router()
    http.route(path="/a/b", method="GET", handler=handler)
    http.route(path_prefix="/a/", method="GET", handler=handler)
    http.route(path_prefix="/a/b/", method="GET", handler=handler)

    def found(path: str, method: str) -> str | None:
        route = http.lookup(path, method)
        return None if route is None else f"{route.method} {route.path}"

    assert found("/a/b", "HEAD") == "GET /a/b"
    assert found("/a/b/c", "GET") == "GET /a/b/*"
    assert found("/a/x", "GET") == "GET /a/*"
    assert found("/a/x", "POST") is None
    assert found("/nope", "GET") is None


def test_a_route_decorates_its_handler() -> None:
    http = http_router()

    @http.route(path="/x", method="GET")
    async def decorated(ctx, request):
        return Response()

    @http.route(path="/y", method="GET")
    @http_action
    async def twice(ctx, request):
        return Response()

    assert [route.handler for route in http.routes()] == [decorated, twice]
    assert decorated.kind == "httpAction"


@pytest.mark.parametrize(
    ("route", "text"),
    [
        ({"path": "/a", "method": "BREW"}, "'BREW' is not an allowed HTTP method"),
        ({"path": "/a", "path_prefix": "/a/", "method": "GET"}, "cannot contain both"),
        ({"method": "GET"}, "must contain either field 'path' or 'pathPrefix'"),
        ({"path": "a", "method": "GET"}, "path 'a' does not start with a /"),
        ({"path": "/.files/x", "method": "GET"}, "path '/.files/x' is reserved"),
        ({"path_prefix": "/a", "method": "GET"}, "pathPrefix /a must end with a /"),
    ],
)
def test_routes_that_make_no_sense(route: dict[str, str], text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        http_router().route(**route, handler=handler)  # type: ignore[arg-type]


def test_a_route_is_taken_once_and_by_an_http_action() -> None:
    http = http_router()
    http.route(path="/a", method="GET", handler=handler)
    with pytest.raises(BadRequest, match="Path '/a' for method GET already in use"):
        http.route(path="/a", method="GET", handler=handler)
    with pytest.raises(BadRequest, match="decorate it with @http_action"):
        http.route(path="/b", method="GET", handler=query(lambda ctx: None))


async def test_requests_and_headers() -> None:
    headers = Headers([("X-A", "1"), ("x-a", "2"), ("B", "3")])
    request = Request("POST", "http://h/p/q?a=1&b=&a=2", headers, b'{"x": 1}')
    assert (request.path, request.query) == ("/p/q", {"a": "2", "b": ""})
    assert request.query.get_all("a") == ["1", "2"]
    assert Request("GET", "http://h/", {"Cookie": 'a=1; b="x y";; nonsense; c=%20'}).cookies == {
        "a": "1",
        "b": "x y",
        "c": "%20",
    }
    assert await request.json() == {"x": 1}
    assert await request.text() == '{"x": 1}'
    assert [piece async for piece in request.stream()] == [b'{"x": 1}']
    assert not await request.is_disconnected()
    assert headers["x-A"] == "1, 2"
    assert headers.get_all("x-a") == ["1", "2"]
    assert (list(headers), len(headers), headers.get("nope")) == (["x-a", "b"], 2, None)


def test_responses() -> None:
    text = Response("hé", headers={"Content-Type": "text/html"})
    assert (text.status, text.body, text.headers.pairs) == (
        200,
        "hé".encode(),
        [("Content-Type", "text/html")],
    )
    assert Response("x").headers["content-type"] == "text/plain;charset=UTF-8"
    assert Response(b"x").headers.pairs == []
    assert Response(status=204).body == b""
    assert Response.json([1], headers={"content-type": "application/x"}).headers.pairs == [
        ("content-type", "application/x")
    ]
    moved = Response.redirect("/there")
    assert (moved.status, moved.headers["location"]) == (302, "/there")


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ({"status": 99}, "between 200 and 599"),
        ({"body": "x", "status": 204}, "A response with status 204 has no body"),
        ({"headers": {"x-a": "1\r\nset-cookie: a=b"}}, "value of the header x-a has a line break"),
        ({"headers": {"x a": "1"}}, "'x a' is not the name of an HTTP header"),
    ],
)
def test_responses_that_make_no_sense(response: dict[str, Any], text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        Response(**response)


async def test_a_body_that_is_too_large_is_only_read_in_pieces() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(21):
            yield bytes(2**20)

    with pytest.raises(BadRequest, match=r"larger than 20 MiB. Read it in pieces, with `request.stream\(\)`"):
        await Request("POST", "http://h/", {}, pieces()).body()
    assert (
        sum([len(piece) async for piece in Request("POST", "http://h/", {}, pieces()).stream()]) == 21 * 2**20
    )


MULTIPART = (
    b"preamble\r\n"
    b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nfirst\r\n'
    b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xc3\xa4\r\n'
    b'--B\r\ncontent-disposition: form-data; name="f"; filename="x \xc3\xb6%22.bin"\r\n'
    b"Content-Type: image/png\r\n\r\n\x00--B\r\n\xff\r\n"
    b'--B\r\nContent-Disposition: form-data; name=empty; filename=""\r\n\r\n\r\n'
    b"--B--\r\nepilogue"
)


async def test_forms() -> None:
    kind = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    form = await Request("POST", "http://h/", kind, b"a=1&b=x+y%C3%A4&a=2&c=").form()
    assert (dict(form), form.get_all("a")) == ({"a": "2", "b": "x yä", "c": ""}, ["1", "2"])

    kind = {"content-type": 'multipart/form-data; boundary="B"'}
    form = await Request("POST", "http://h/", kind, MULTIPART).form()
    assert form.get_all("a") == ["first", "ä"]
    assert form["f"] == FormFile('x ö".bin', b"\x00--B\r\n\xff", "image/png")
    assert form["empty"] == FormFile("", b"")


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("", b"a=1", "not a form but 'of no type'"),
        ("application/json", b"{}", "not a form but 'application/json'"),
        ("multipart/form-data", b"", "no `boundary`"),
        ("multipart/form-data; boundary=B", MULTIPART[:-20], "ends in the middle"),
        ("multipart/form-data; boundary=B", b"--B\r\n\r\nx\r\n--B--", "has no name"),
        ("application/x-www-form-urlencoded", b"\xff", "not encoded in UTF-8"),
    ],
)
async def test_bodies_that_are_no_forms(kind: str, body: bytes, text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        await Request("POST", "http://h/", {"content-type": kind}, body).form()
