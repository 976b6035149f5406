"""Actions of the default runtime (js-runtime 5.7, 7)."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from hosts_node.driver import PATIENCE_SECONDS, Host, error
from hosts_node.headers_server import telling_headers


class Handler(http.server.BaseHTTPRequestHandler):
    """Echoes what is posted; redirects what is got to itself for ever."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.end_headers()
        self.wfile.write(b"pong " + body + self.headers["x-a"].encode())

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("location", self.path)
        self.end_headers()

    def do_PUT(self) -> None:
        while size := int(self.rfile.readline(), 16):  # a body in chunks
            self.rfile.read(size + 2)
        self.rfile.readline()
        self.send_response(307)
        self.send_header("location", self.path)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_action_calls_functions(host: Host) -> None:
    assert host.action("actions:calls") == ["tasks0", 1]
    assert host.database.calls[0] == (
        "1.0/actions/mutation",
        {
            "name": "documents:create",
            "args": {"text": "from action"},
            "version": host.database.calls[0][1]["version"],
            "requestId": host.database.calls[0][1]["requestId"],
        },
    )


def test_errors_of_called_functions_keep_their_data(host: Host) -> None:
    assert host.action("actions:childError") == ["ConvexError", True]


def test_timers(host: Host) -> None:
    assert host.action("actions:timers") == [1, 2]
    assert error(host.run("action", "actions:timerError"))["message"] == "Uncaught Error: in a timer"


def test_timers_fire_in_the_context_in_which_they_were_set(host: Host) -> None:
    assert host.action("actions:contexts") == list(range(8))


def test_the_clock_goes_on_and_randomness_is_random(host: Host) -> None:
    assert host.action("actions:clocks") == [True, True, True]


def test_fetch(host: Host, url: str) -> None:
    assert host.action("actions:fetchText", {"url": url}) == [200, "pong pingb", True, "text/plain"]


def test_requests_say_which_trace_they_belong_to(host: Host) -> None:
    with telling_headers() as url:
        trace = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
        assert host.action("actions:askHeaders", {"url": url}, trace=trace) == [trace["traceparent"], None]
        assert host.action("actions:askHeaders", {"url": url}) == [None, None]


def test_nothing_of_the_hosts_realm_is_within_an_actions_reach(host: Host, url: str) -> None:
    assert host.action("crossings:inAction", {"url": url}) == []


def test_fetch_failures_name_their_cause(host: Host, url: str) -> None:
    def failure(target: str, how: str = "plain") -> list[object]:
        found: list[object] = host.action("actions:fetchFailure", {"url": target, "how": how})
        return found

    assert failure(url) == ["TypeError", True, "fetch too many redirects"]
    assert failure(url, "noRedirect") == ["TypeError", True, "fetch attempted redirect"]
    assert failure(url, "streamed") == ["TypeError", True, "fetch cannot redirect with streamed body"]
    assert failure(url, "abort")[:2] == ["AbortError", True]
    assert failure("file:///etc/passwd") == [
        "TypeError",
        True,
        "fetch only supports http and https, not file",
    ]
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_port
    assert "ECONNREFUSED" in str(failure(f"http://127.0.0.1:{port}/")[2])


def test_operations_left_behind_are_reported(host: Host) -> None:
    message = host.run("action", "actions:dangling")
    assert message["result"] == "done"
    assert message["usage"]["unawaited"] == ["1.0/actions/query", "1.0/actions/schedule"]


def test_what_is_left_behind_is_cancelled(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_SECONDS)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        run_id = host.start("action", "actions:leaves", {"url": url})
        requests = {}
        for _ in range(2):
            connection, _ = server.accept()
            connection.settimeout(PATIENCE_SECONDS)
            requests[connection.recv(1 << 16).split()[1]] = connection
        with requests[b"/left"] as left, requests[b"/awaited"] as awaited:
            awaited.sendall(b"HTTP/1.1 204 Done\r\nconnection: close\r\n\r\n")
            message = host.receive("done", "failed", run_id=run_id)
            assert (message["result"], message["usage"]["unawaited"]) == ("done", ["fetch"])
            with suppress(ConnectionResetError):
                assert left.recv(1) == b""
    # Nothing of it runs any more, whatever runs after it.
    assert host.action("actions:timers") == [1, 2]
    after = host.messages[host.messages.index(message) + 1 :]
    assert not [one for one in after if one["type"] == "log"]


def test_at_most_eight_operations_run_at_once(host: Host) -> None:
    in_flight = most = 0

    def count(message: dict[str, object]) -> None:
        nonlocal in_flight, most
        if message["type"] == "syscall" and message["id"] == run_id:
            in_flight += 1
            most = max(most, in_flight)
        elif message["type"] == "done" and message["id"] != run_id:
            in_flight -= 1

    run_id = host.start("action", "actions:many")
    host.on_message = count
    try:
        assert host.receive("done", "failed", run_id=run_id)["result"] == 20
    finally:
        host.on_message = lambda message: None
    assert most == 8


def test_an_action_that_waits_for_nothing_fails(host: Host) -> None:
    message = host.run("action", "actions:never")
    assert (error(message)["message"], message["kind"]) == ("Returned promise will never resolve", "stuck")


def test_files(host: Host) -> None:
    storage_id, *rest = host.action("actions:files")
    refused = (
        "store() expects a Blob. If you are trying to store a Request, `await request.blob()` will give you "
        "the correct input."
    )
    assert rest == [True, "text/plain", 7, "content", None, refused]
    assert host.database.files[storage_id]["contentType"] == "text/plain"
    assert host.database.calls[0][1]["sha256"] == "zz"


def test_modules_can_be_imported_dynamically(host: Host) -> None:
    assert host.action("actions:lazily") == "loaded lazily"


def test_there_is_no_database(host: Host) -> None:
    assert error(host.run("action", "actions:database"))["message"].startswith(
        "Uncaught TypeError: Cannot read properties of undefined"
    )


def test_log_lines_are_sent_as_they_appear(host: Host) -> None:
    message = host.run("action", "actions:logs")
    assert message["logs"] == []
    logged = [line["messages"] for sent in host.messages if sent["type"] == "log" for line in sent["lines"]]
    assert logged == [["'working'"], ["'still'"]]


def test_cryptography_with_randomness(host: Host) -> None:
    assert host.action("actions:cryptography") == "secret"


def test_a_cancelled_action_is_forgotten(host: Host) -> None:
    run_id = host.start("action", "actions:calls")
    host.receive("syscall", run_id=run_id)
    host.send({"type": "cancel", "id": run_id})
    assert host.query("documents:nothing") is None
    assert not any(
        message.get("id") == run_id and message["type"] in ("done", "failed") for message in host.messages
    )


def test_forms(host: Host) -> None:
    assert host.action("actions:form") == [True, "1", True, "f.txt", "text"]
