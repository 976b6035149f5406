"""Calling functions over HTTP (the numbers are those of sync-and-http 8)."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from typing import Any

import aiohttp
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.server.api.calls.public_api import value_json
from parabola.server.app import Server
from parabola.server.sync.messages import encode_ts
from parabola.values.encoding import FORMATS, dumps, encode_as
from parabola.values.errors import ConvexError, InternalServerError, OptimisticConcurrencyControlFailure
from parabola.values.int64 import Int64
from server.fake_backend import ADMIN_KEY, FakeBackend
from values.value_strategies import values

ADMIN = {"Authorization": f"Convex {ADMIN_KEY}"}


async def call(
    http: aiohttp.ClientSession, path: str, body: Any, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    async with http.post(path, json=body, headers=headers) as response:
        text = await response.text()
        return response.status, json.loads(text) if text else None


class TestCalls:
    async def test_a_query(self, http, backend: FakeBackend):
        await backend.write("messages", "hello")
        assert await call(http, "/api/query", {"path": "messages:list", "args": {}}) == (
            200,
            {"status": "success", "value": ["hello"]},
        )

    async def test_a_mutation_and_an_action(self, http, backend: FakeBackend):
        body = {"path": "messages:send", "args": {"body": "x"}}
        assert await call(http, "/api/mutation", body) == (200, {"status": "success", "value": 1.0})
        body = {"path": "messages:act", "args": {"body": "x"}}
        assert await call(http, "/api/action", body) == (200, {"status": "success", "value": {"body": "x"}})

    @pytest.mark.parametrize("path", ["messages:list", "messages.js:list", "messages.py:list"])
    @pytest.mark.parametrize("args", [{}, [{}]])
    async def test_spellings_of_one_call(self, http, path, args):  # 49
        assert (await call(http, "/api/query", {"path": path, "args": args}))[1]["value"] == []

    async def test_a_compressed_body_is_refused_unread(self, http):
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        async with http.post("/api/query", data=b"{}", headers=headers) as response:
            assert response.status == 415
            assert (await response.json())["code"] == "UnsupportedContentEncoding"

    async def test_a_batch_has_a_bound(self, http, monkeypatch: pytest.MonkeyPatch):
        queries = [{"path": "messages:list", "args": {}}] * 1001
        status, answer = await call(http, "/api/query_batch", {"queries": queries})
        assert (status, answer["code"]) == (400, "BatchTooLarge")
        assert (await call(http, "/api/query_batch", {"queries": queries[:1000]}))[0] == 200
        monkeypatch.setattr("parabola.server.api.calls.public_api.MAX_BATCH_ANSWER_BYTES", 1000)
        status, answer = await call(http, "/api/query_batch", {"queries": queries[:1000]})
        assert (status, answer["code"]) == (400, "BatchTooLarge")
        assert "Send several batches" in answer["message"]

    async def test_a_long_text_is_not_given_back(self, http):
        body = {"path": "a b:" + "c" * 1_000_000, "args": {}}
        status, answer = await call(http, "/api/query", body)
        assert status == 400
        assert len(answer["message"]) < 70_000

    async def test_beyond_the_budget_one_is_told_to_come_again(self, http, server: Server):
        held = server.intake.lease()
        held.take(10**12)
        body = {"path": "messages:echo", "args": {"x": "y" * 100_000}}
        async with http.post("/api/query", json=body) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert (await response.json())["code"] == "TooManyConcurrentRequests"
        held.release()
        assert (await call(http, "/api/query", body))[0] == 200
        assert server.intake.held == 0

    async def test_a_query_in_the_url(self, http):
        url = "/api/query?path=messages:echo&args=%7B%22a%22%3A1%7D&format=json"
        async with http.get(url) as response:
            assert (await response.json())["value"] == {"a": 1.0}

    async def test_log_lines_are_there_when_there_are_any(self, http):  # 57
        _, answer = await call(http, "/api/query", {"path": "messages:log", "args": {}})
        assert answer["logLines"] == ["[LOG] 'seen'"]

    async def test_a_failed_function_answers_200(self, http):  # 43
        headers = {"convex-request-id": "0123456789abcdef"}
        status, answer = await call(http, "/api/query", {"path": "messages:fail", "args": {}}, headers)
        assert status == 200
        assert answer == {
            "status": "error",
            "errorMessage": "[Request ID: 0123456789abcdef] Server Error\nUncaught ValueError: boom\n"
            "    at handler (../convex/fake.ts:1:2)\n",
            "logLines": ["[LOG] 'about to fail'"],
        }

    async def test_a_request_id_is_made_up_where_there_is_none(self, http):
        _, answer = await call(http, "/api/query", {"path": "messages:fail", "args": {}})
        head = answer["errorMessage"].splitlines()[0]
        assert len(head) == len("[Request ID: 0123456789abcdef] Server Error")

    async def test_a_convex_error_has_data_in_the_format_asked_for(self, http):
        body = {"path": "messages:fail", "args": {"data": {"n": {"$integer": "AwAAAAAAAAA="}}}}
        assert (await call(http, "/api/query", {**body, "format": "json"}))[1]["errorData"] == {"n": "3"}
        _, answer = await call(http, "/api/query", {**body, "format": "convex_encoded_json"})
        assert answer["errorData"] == {"n": {"$integer": "AwAAAAAAAAA="}}

    async def test_redaction_leaves_the_head_and_the_data(self, http, backend: FakeBackend):  # 56
        backend.config.redact_logs_to_client = True
        _, answer = await call(http, "/api/query", {"path": "messages:fail", "args": {"data": "told"}})
        assert answer["errorMessage"].startswith("[Request ID: ")
        assert answer["errorMessage"].endswith("] Server Error")
        assert answer["errorData"] == "told"
        assert "logLines" not in answer

    async def test_a_fault_is_an_error_of_the_server(self, http, backend: FakeBackend):
        def conflict(ctx: object, args: object) -> None:
            raise OptimisticConcurrencyControlFailure("changed")

        backend.mutations["messages:busy"] = conflict
        assert await call(http, "/api/mutation", {"path": "messages:busy", "args": {}}) == (
            503,
            {"code": "OptimisticConcurrencyControlFailure", "message": "changed"},
        )

    async def test_a_bug_shows_nothing_of_itself(self, http, backend: FakeBackend, monkeypatch):
        async def broken(*args: object, **options: object) -> None:
            raise RuntimeError("secret")

        monkeypatch.setattr(backend, "query", broken)
        status, answer = await call(http, "/api/query", {"path": "messages:list", "args": {}})
        assert (status, answer["code"]) == (500, "InternalServerError")
        assert answer["message"] == InternalServerError().message


class TestFormats:
    async def test_floats_have_a_fraction(self, http, backend: FakeBackend):  # 44
        for format in ("json", "convex_encoded_json", "export_json"):
            body = {"path": "messages:count", "args": {}, "format": format}
            async with http.post("/api/query", json=body) as response:
                assert '"value":0.0' in await response.text()

    async def test_integers_and_bytes(self, http, backend: FakeBackend):  # 46
        backend.queries["values:all"] = lambda ctx, args: [Int64(3), b"ab", float("nan")]
        rendered = {
            "json": ["3", "YWI=", "NaN"],
            "convex_clean_json": ["3", "YWI=", "NaN"],
            "convex_encoded_json": [
                {"$integer": "AwAAAAAAAAA="},
                {"$bytes": "YWI="},
                {"$float": "AAAAAAAA+H8="},
            ],
            "convex_json": [{"$integer": "AwAAAAAAAAA="}, {"$bytes": "YWI="}, {"$float": "AAAAAAAA+H8="}],
            "export_json": [3, {"$bytes": "YWI="}, {"$float": "AAAAAAAA+H8="}],
        }
        for format, expected in rendered.items():
            body = {"path": "values:all", "args": {}, "format": format}
            assert (await call(http, "/api/query", body))[1]["value"] == expected

    async def test_an_unknown_format_is_refused(self, http):
        status, answer = await call(http, "/api/query", {"path": "a:b", "args": {}, "format": "xml"})
        assert (status, answer["code"]) == (400, "BadFormat")

    @pytest.mark.parametrize(
        ("client", "value"),
        [
            (None, "3"),
            ("npm-1.48.0", "3"),
            ("npm-1.4.0", {"$integer": "AwAAAAAAAAA="}),
            ("python-0.8.1", "3"),
            ("python-0.4.9", {"$integer": "AwAAAAAAAAA="}),
        ],
    )
    async def test_the_format_for_clients_that_name_none(self, http, backend: FakeBackend, client, value):
        backend.queries["values:one"] = lambda ctx, args: Int64(3)
        headers = {"Convex-Client": client} if client else None
        _, answer = await call(http, "/api/query", {"path": "values:one", "args": {}}, headers)
        assert answer["value"] == value

    async def test_a_malformed_client_header_is_refused(self, http):
        status, answer = await call(http, "/api/query", {"path": "a:b", "args": {}}, {"Convex-Client": "npm"})
        assert (status, answer["code"]) == (400, "InvalidClientVersion")


class TestTimestamps:
    async def test_queries_at_a_timestamp_see_no_later_write(self, http, backend: FakeBackend):  # 45
        async with http.post("/api/query_ts") as response:
            ts = (await response.json())["ts"]
        await backend.write("messages", "later")
        body = {"path": "messages:list", "args": {}, "ts": ts}
        assert (await call(http, "/api/query_at_ts", body))[1]["value"] == []

    async def test_a_timestamp_that_is_too_old(self, http, backend: FakeBackend):
        backend.oldest_ts = 500
        body = {"path": "messages:list", "args": {}, "ts": encode_ts(499)}
        status, answer = await call(http, "/api/query_at_ts", body)
        assert (status, answer["code"]) == (503, "OutOfRetention")

    @pytest.mark.parametrize("ts", ["", "AAAA", "//////////8=", encode_ts(10**18)])
    async def test_a_timestamp_that_is_none(self, http, ts: str):
        body = {"path": "messages:list", "args": {}, "ts": ts}
        assert (await call(http, "/api/query_at_ts", body))[0] == 400

    async def test_a_batch_stands_at_one_timestamp(self, http, backend: FakeBackend):
        await backend.write("messages", "x")
        queries = [{"path": "messages:count", "args": {}}, {"path": "messages:fail", "args": {}}]
        status, answer = await call(http, "/api/query_batch", {"queries": queries})
        assert status == 200
        assert [result["status"] for result in answer["results"]] == ["success", "error"]


class TestAnyFunction:
    async def test_only_an_admin_calls_it(self, http):  # 48
        body = {"path": "users:secret", "args": {}}
        assert (await call(http, "/api/function", body))[0] == 403
        assert (await call(http, "/api/function", body))[1]["code"] == "BadDeployKey"
        assert (await call(http, "/api/function", body, ADMIN))[1]["value"] == "internal"

    async def test_it_takes_any_kind(self, http):
        for path in ("messages:count", "messages:send", "messages:act"):
            status, answer = await call(http, "/api/function", {"path": path, "args": {}}, ADMIN)
            assert (status, answer["status"]) == (200, "success")

    async def test_by_url(self, http):
        status, answer = await call(http, "/api/run/messages/echo", {"args": {"a": 1}})
        assert (status, answer["value"]) == (200, {"a": 1.0})
        assert "Could not find" in (await call(http, "/api/run/users/secret", {}))[1]["errorMessage"]
        assert (await call(http, "/api/run/users/secret", {}, ADMIN))[1]["value"] == "internal"

    async def test_by_a_url_that_names_no_function(self, http):
        status, answer = await call(http, "/api/run/messages", {"args": {}})
        assert (status, answer["code"]) == (400, "MissingIdentifier")


class TestIdentity:
    async def ask(self, http, authorization: str | None) -> tuple[int, Any]:
        headers = None if authorization is None else {"Authorization": authorization}
        return await call(http, "/api/query", {"path": "users:me", "args": {}}, headers)

    async def test_nobody(self, http):
        assert (await self.ask(http, None))[1]["value"] is None

    async def test_a_user(self, http):
        assert (await self.ask(http, "Bearer alice"))[1]["value"]["subject"] == "alice"

    async def test_an_admin_is_no_user(self, http):
        assert (await self.ask(http, f"Convex {ADMIN_KEY}"))[1]["value"] is None

    async def test_an_admin_acting_as_a_user(self, http):
        acting_as = b64encode(json.dumps({"tokenIdentifier": "i|bob", "name": "Bob"}).encode()).decode()
        _, answer = await self.ask(http, f"Convex {ADMIN_KEY}:{acting_as}")
        assert answer["value"] == {"tokenIdentifier": "i|bob", "issuer": "i", "subject": "bob", "name": "Bob"}

    async def test_an_admin_key_in_the_url_is_no_key(self, http):
        body = {"path": "users:secret", "args": {}}
        assert (await call(http, f"/api/function?adminKey={ADMIN_KEY}", body))[0] == 403

    @pytest.mark.parametrize(
        ("authorization", "status", "code"),
        [
            ("Bearer mallory", 401, "NoAuthProvider"),
            ("Convex nobody|00", 401, "BadAdminKey"),
            ("Convex", 400, "InvalidHeaderFailure"),
            ("Basic YTpi", 400, "InvalidAdminKey"),
            (f"Convex {ADMIN_KEY}:!!", 400, "InvalidAdminKey"),
            (f"Convex {ADMIN_KEY}:e30=", 200, None),
            (f"Convex {ADMIN_KEY}:eyJhIjoxfQ==", 400, "InvalidAdminKey"),
        ],
    )
    async def test_what_is_refused(self, http, authorization, status, code):
        answer = await self.ask(http, authorization)
        assert (answer[0], answer[1].get("code")) == (status, code)


class TestBodies:
    @pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", ""])
    async def test_the_content_type_must_say_json(self, http, content_type):
        body = json.dumps({"path": "messages:list", "args": {}})
        async with http.post("/api/query", data=body, headers={"Content-Type": content_type}) as response:
            assert (response.status, (await response.json())["code"]) == (400, "BadJsonBody")

    @pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/vnd.x+json"])
    async def test_forms_of_json(self, http, content_type):
        body = json.dumps({"path": "messages:list", "args": {}})
        async with http.post("/api/query", data=body, headers={"Content-Type": content_type}) as response:
            assert response.status == 200

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "{",
            "[]",
            "3",
            "[" * 100_000,
            '{"path":"a:b"}',
            '{"args":{}}',
            '{"path":1,"args":{}}',
            '{"path":"a:b","args":3}',
            '{"path":"a:b","args":{},"format":3}',
        ],
    )
    async def test_what_is_no_call_is_refused(self, http, body: str):
        headers = {"Content-Type": "application/json"}
        async with http.post("/api/query", data=body, headers=headers) as response:
            assert (response.status, (await response.json())["code"]) == (400, "BadJsonBody")

    @pytest.mark.parametrize("path", ["", "a b:c", "a:1", "../a:b", "/a:b"])
    async def test_a_path_that_cannot_name_a_function(self, http, path: str):
        status, answer = await call(http, "/api/query", {"path": path, "args": {}})
        assert (status, answer["code"]) == (400, "BadConvexFunctionIdentifier")

    async def test_a_body_that_is_too_large(self, http):
        headers = {"Content-Type": "application/json"}
        body = io.BytesIO(b" " * (16 * 1024 * 1024 + 2001))
        async with http.post("/api/query", data=body, headers=headers) as response:
            assert (response.status, (await response.json())["code"]) == (400, "BadJsonBody")

    async def test_sixteen_megabytes_pass(self, http):
        text = "x" * (16 * 1024 * 1024 - 100)
        body = io.BytesIO(json.dumps({"path": "messages:echo", "args": {"t": text}}).encode())
        async with http.post(
            "/api/query", data=body, headers={"Content-Type": "application/json"}
        ) as response:
            assert (await response.json())["value"]["t"] == text


class TestRoutes:
    @pytest.mark.parametrize("path", ["/nope", "/api/nope", "/api"])
    async def test_what_is_not_there(self, http, path):
        async with http.get(path) as response:
            assert (response.status, await response.text()) == (404, "")

    async def test_another_method(self, http):
        async with http.get("/api/mutation") as response:
            assert (response.status, await response.text()) == (405, "")

    @pytest.mark.parametrize("path", ["//api/query", "/api//query", "///api/query?x=//"])
    async def test_repeated_slashes_do_not_matter(self, http, url: str, path: str):
        status, answer = await call(http, url + path, {"path": "messages:list", "args": {}})
        assert (status, answer["value"]) == (200, [])


class TestOrigins:
    async def test_a_preflight_mirrors_what_it_asks(self, http):  # 47
        headers = {
            "Origin": "http://app.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,convex-client",
        }
        async with http.options("/api/query", headers=headers) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "http://app.example"
            assert response.headers["Access-Control-Allow-Credentials"] == "true"
            assert response.headers["Access-Control-Allow-Headers"] == "content-type,convex-client"
            assert set(response.headers["Access-Control-Allow-Methods"].split(",")) >= {
                "GET",
                "POST",
                "PATCH",
            }
            assert response.headers["Access-Control-Max-Age"] == "86400"

    @pytest.mark.parametrize(
        "path", ["/", "/instance_name", "/instance_version", "/api/query_ts", "/api/nope"]
    )
    async def test_answers_may_be_read_from_anywhere_errors_too(self, http, path):
        async with http.get(path, headers={"Origin": "http://app.example"}) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "http://app.example"
            assert "origin" in response.headers["Vary"]

    @pytest.mark.parametrize("path", ["/version", "/http/x", "/nope"])
    async def test_not_these(self, http, path):  # 47
        async with http.get(path, headers={"Origin": "http://app.example"}) as response:
            assert "Access-Control-Allow-Origin" not in response.headers

    async def test_no_origin_no_permission(self, http):
        async with http.get("/instance_name") as response:
            assert "Access-Control-Allow-Origin" not in response.headers


class TestPlainEndpoints:
    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("/", "This Convex deployment is running. See https://docs.convex.dev/."),
            ("/instance_name", "fake"),
        ],
    )
    async def test_texts(self, http, path, text):
        async with http.get(path) as response:
            assert (response.status, await response.text()) == (200, text)

    async def test_version(self, http):
        async with http.get("/version") as one, http.get("/instance_version") as other:
            assert await one.text() == await other.text() != ""

    async def test_echo(self, http):
        body = bytes(range(256)) * 1000
        async with http.post("/echo", data=body) as response:
            assert await response.read() == body

    async def test_check_admin_key(self, http):
        async with http.get("/api/check_admin_key", headers=ADMIN) as response:
            assert await response.json() == {"success": True, "allowedOps": [], "isReadOnly": False}
        async with http.get("/api/check_admin_key") as response:
            assert response.status == 403

    async def test_http_actions_are_not_enabled(self, http, server):  # 55
        text = "This Convex deployment does not have HTTP actions enabled."
        for url in ("/http/x", f"http://127.0.0.1:{server.site_port}/x"):
            async with http.get(url) as response:
                assert (response.status, await response.text()) == (404, text)
                assert response.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_a_convex_error_in_these_tests_has_data():
    assert ConvexError({"a": 1}).data == {"a": 1}


@given(values, st.sampled_from(FORMATS))
def test_a_value_is_written_as_its_format_wants_it(value: Any, format: str) -> None:
    encoded = dumps(value)
    assert value_json(encoded, format) == (
        encoded if "encoded" in format or format == "convex_json" else orjson.dumps(encode_as(value, format))
    )
