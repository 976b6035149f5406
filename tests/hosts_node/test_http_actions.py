"""HTTP actions: a request in, a response out (js-runtime 2.4, 7.4)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from hosts_node.driver import Host, error


def request(method: str, path: str, body: Any = None, **fields: Any) -> dict[str, Any]:
    pairs = [["x-in", "1"]]
    return {
        "request": {"method": method, "url": f"http://h{path}", "headerPairs": pairs, "body": body, **fields}
    }


def respond(
    host: Host, method: str, path: str, body: bytes | None = None, **fields: Any
) -> tuple[int, dict[str, str], bytes]:
    encoded = None if body is None else b64encode(body).decode()
    answer = host.run("httpAction", "http.js", request(method, path, encoded, **fields))["result"]
    return answer["status"], dict(answer["headerPairs"]), b64decode(answer["body"] or "")


def test_a_response_has_status_headers_and_body(host: Host) -> None:
    assert respond(host, "GET", "/hello") == (
        200,
        {"content-type": "text/plain;charset=UTF-8", "x-a": "b", "content-length": "2"},
        b"hi",
    )


def test_a_status_without_a_body_leaves_out_one_that_is_given(host: Host) -> None:
    for status in (204, 205, 304):
        answer = respond(host, "GET", f"/status/{status}")
        assert (answer[0], answer[2]) == (status, b"")
        assert "content-length" not in answer[1]
    assert respond(host, "GET", "/status/404")[2] == b"nothing"


def test_a_request_has_method_url_headers_and_body(host: Host) -> None:
    status, _, body = respond(host, "POST", "/echo", b"ping")
    assert (status, body) == (201, b'{"text":"ping","method":"POST","url":"http://h/echo","header":"1"}')


def test_head_is_routed_as_get(host: Host) -> None:
    assert respond(host, "HEAD", "/hello")[0] == 200


def test_an_unknown_route(host: Host) -> None:
    assert respond(host, "GET", "/nowhere")[::2] == (404, b"No matching routes found")


def test_a_prefix_may_have_been_stripped(host: Host) -> None:
    assert respond(host, "GET", "/api/hello", routePath="/hello")[0] == 200


def test_a_body_may_be_a_stream_that_calls_functions(host: Host) -> None:
    assert respond(host, "GET", "/stream/x")[2] == b"1:0;2:0;"


def test_a_response_can_be_sent_in_pieces(host: Host) -> None:
    message = host.run("httpAction", "http.js", request("GET", "/stream/x", streamResponse=True))
    assert message["result"] is None
    pieces = [sent for sent in host.messages if sent["type"].startswith("response")]
    assert [sent["type"] for sent in pieces] == [
        "responseHead",
        "responseChunk",
        "responseChunk",
        "responseEnd",
    ]
    assert pieces[0]["status"] == 200
    assert b"".join(b64decode(sent["data"]) for sent in pieces[1:3]) == b"1:0;2:0;"


def test_a_request_can_arrive_in_pieces(host: Host) -> None:
    run_id = host.start("httpAction", "http.js", request("POST", "/echo", True))
    for piece in (b"ab", b"cd"):
        host.send({"type": "requestChunk", "id": run_id, "data": b64encode(piece).decode()})
    host.send({"type": "requestEnd", "id": run_id})
    body = host.receive("done", "failed", run_id=run_id)["result"]["body"]
    assert b'"text":"abcd"' in b64decode(body)


def test_a_client_that_goes_away_aborts_the_request(host: Host) -> None:
    run_id = host.start("httpAction", "http.js", request("POST", "/gone", True))
    host.send({"type": "clientGone", "id": run_id})
    assert b64decode(host.receive("done", "failed", run_id=run_id)["result"]["body"]) == b"noticed"


def test_failures(host: Host) -> None:
    assert (
        error(host.run("httpAction", "http.js", request("GET", "/boom")))["message"] == "Uncaught Error: boom"
    )
    wrong = error(host.run("httpAction", "http.js", request("GET", "/wrong")))
    assert wrong["message"] == "Uncaught Error: HTTP actions must return a Response"


class Post:
    """A request under way, as the engine tells of it."""

    def __init__(self, host: Host, path: str, method: str = "POST") -> None:
        body = True if method == "POST" else None
        self.host = host
        self.id = host.start("httpAction", "http.js", request(method, path, body, streamResponse=True))

    def say(self, kind: str, **fields: Any) -> None:
        self.host.send({"type": kind, "id": self.id, **fields})

    def send(self, piece: bytes) -> None:
        self.say("requestChunk", data=b64encode(piece).decode())

    def piece(self) -> bytes:
        """The next piece of the response, as its client reads it."""
        message = self.host.receive("responseChunk", "done", "failed", run_id=self.id)
        self.host.take(message)
        return b64decode(message["data"])

    def end(self) -> Any:
        return self.host.receive("done", "failed", run_id=self.id)

    def said(self, kind: str) -> list[Any]:
        return [message for message in self.host.messages if message["type"] == kind]


def test_a_response_can_answer_each_piece_of_its_request(host: Host) -> None:
    post = Post(host, "/shout")
    for piece in (b"ab", b"cd"):
        post.send(piece)
        assert post.piece() == piece.upper()
    post.say("requestEnd")
    assert post.end()["type"] == "done"
    assert sum(message["bytes"] for message in post.said("requestTaken")) == 4


def test_the_engine_does_not_hear_of_what_nobody_reads(host: Host) -> None:
    post = Post(host, "/half")
    post.send(bytes(128 * 1024))
    assert post.piece() == b"half"
    assert post.end()["error"]["message"] == "Uncaught Error: no more"
    assert post.said("requestTaken") == []


def test_a_response_waits_for_its_client(host: Host) -> None:
    """Each piece is produced after a call: without a client that reads, there are as many calls as fit."""
    post = Post(host, "/many", "GET")
    first = [host.receive("responseChunk", run_id=post.id) for _ in range(4)]
    host.query("documents:list")
    ahead = len(post.said("responseChunk"))
    assert ahead == 4
    for message in first:
        host.take(message)
    pieces = [post.piece() for _ in range(96)]
    assert sum(map(len, pieces)) == 96 * 64 * 1024
    assert post.end()["type"] == "done"


def test_a_client_that_goes_away_cuts_the_body_that_is_read(host: Host) -> None:
    post = Post(host, "/cut")
    post.send(b"begun")
    post.say("clientGone")
    assert post.piece() == b"The client disconnected before the body of its request was complete. true"
    assert post.end()["type"] == "done"


ROUTER = """
export default {
  isRouter: true,
  getRoutes: () => [],
  lookup(path, method) {
    if (path === "/throws") throw new Error("lookup broke");
    return { "/promise": Promise.resolve(null), "/text": "yes", "/list": [1, 2], "/none": undefined }[path]
      ?? (path === "/none" ? null : [() => {}, method, path]);
  },
  async runRequest(text, path) {
    switch (path) {
      case "/plain": return JSON.stringify({ status: 201, headerPairs: [["x-a", "b"]] });
      case "/no-json": return "x";
      case "/nothing": return undefined;
      case "/null": return "null";
      case "/status": return JSON.stringify({ status: 9999, headerPairs: [] });
      case "/header": return JSON.stringify({ status: 200, headerPairs: [["x", "a\\r\\nb: c"]] });
      case "/stream": return JSON.stringify({ status: 200, headerPairs: [], streamId: "other" });
    }
  },
};
"""


@pytest.fixture(scope="module")
def own_router() -> Iterator[Host]:
    host = Host()
    host.load([{"path": "http.js", "source": ROUTER}])
    yield host
    host.close()


def test_a_router_may_write_its_response_itself(own_router: Host) -> None:
    assert respond(own_router, "GET", "/plain") == (201, {"x-a": "b"}, b"")
    assert respond(own_router, "GET", "/none")[::2] == (404, b"No matching routes found")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/throws", "Uncaught Error: lookup broke"),
        ("/promise", "or null where there is no route, at once. It returned a promise."),
        ("/text", "It returned a string."),
        ("/list", "It returned a list of something else."),
        ("/no-json", "Received invalid json"),
        ("/nothing", "The HTTP action's response is not JSON text"),
        ("/null", "The HTTP action's response has no status or no headers"),
        ("/status", "has the status 9999: it is from 200 to 599"),
        ("/header", "has headers that cannot be sent"),
        ("/stream", "names a body that there is not"),
    ],
)
def test_what_a_router_gets_wrong_is_said(own_router: Host, path: str, told: str) -> None:
    failed = own_router.run("httpAction", "http.js", request("GET", path, streamResponse=True))
    assert told in failed["error"]["message"]
