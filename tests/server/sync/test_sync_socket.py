"""The sync protocol on real sockets (the numbers are those of sync-and-http 8)."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from parabola.functions.deployed.identity import Identity
from parabola.server.app import SYNC_SERVER, Server
from parabola.server.http.rules import ServerRules
from parabola.server.sync import server as sync_server
from parabola.server.sync import socket as sync_socket
from parabola.server.sync.messages import decode_ts, encode_ts
from parabola.server.sync.session import SyncSession
from parabola.values.errors import InternalServerError, Overloaded, Unauthenticated
from server.fake_backend import ADMIN_KEY, Context, FakeBackend
from server.session_driver import adding, removing
from server.wire_client import Dial

PYTHON = {"Convex-Client": "python-0.8.1"}


class TestHandshake:
    @pytest.mark.parametrize("compress", [0, 15])
    @pytest.mark.parametrize(
        ("path", "headers"), [("/api/sync", PYTHON), ("/api/1.48.0/sync", {}), ("/api/sync", {})]
    )
    async def test_clients_get_in_with_and_without_deflate(self, dial: Dial, path, headers, compress):  # 1
        client = await dial(path, headers=headers, compress=compress)
        assert client.socket.protocol is None
        assert await client.add(0) == []

    async def test_deflate_is_agreed_to_without_parameters(self, dial: Dial):
        client = await dial(compress=15)
        assert client.socket._response.headers["Sec-WebSocket-Extensions"] == "permessage-deflate"

    @pytest.mark.parametrize(
        ("path", "code"),
        [("/api/banana/sync", "InvalidClientVersion"), ("/api/0.19.1/sync", "ClientVersionUnsupported")],
    )
    async def test_a_client_that_is_too_old_or_strange_is_refused(self, http, path, code):
        async with http.get(path, headers={"Upgrade": "websocket", "Connection": "Upgrade"}) as response:
            assert response.status == 400
            assert (await response.json())["code"] == code

    async def test_a_request_that_is_no_handshake_is_a_bad_request(self, http):
        async with http.get("/api/sync") as response:
            assert response.status == 400

    async def test_an_address_with_a_slash_at_its_end_works(self, url: str, dial: Dial):
        client = await dial(url + "//api/1.48.0/sync")
        assert await client.add(0) == []

    async def test_a_message_in_pieces_and_keys_in_any_order_are_understood(self, dial: Dial):  # 3
        client = await dial()
        await client.socket.send_str(
            '{"modifications":[],"newVersion":1,"extra":{"a":1},"baseVersion":0,"type":"ModifyQuerySet"}'
        )
        assert (await client.transition())["endVersion"]["querySet"] == 1


class TestQueries:
    async def test_a_commit_reaches_every_subscriber(self, dial: Dial, backend: FakeBackend):  # 14
        clients = [await dial() for _ in range(3)]
        for client in clients:
            assert await client.add(0) == []
        await backend.write("messages", "hello")
        for client in clients:
            await client.until(0, ["hello"])

    async def test_a_commit_to_another_table_reaches_nobody(self, dial: Dial, backend: FakeBackend):
        client = await dial()
        await client.add(0)
        await backend.write("other", 1)
        await backend.write("messages", "hello")
        message = await client.transition()
        assert message["modifications"][0]["value"] == ["hello"]

    async def test_commits_while_a_transition_is_computed_are_not_lost(
        self, dial: Dial, backend: FakeBackend
    ):
        client = await dial()
        await client.add(0)
        backend.query_gate = asyncio.Event()
        for body in "abc":
            await backend.write("messages", body)
        backend.query_gate.set()
        await client.until(0, ["a", "b", "c"])

    async def test_many_queries_of_one_socket_stand_at_one_timestamp(
        self, dial: Dial, backend: FakeBackend
    ):  # 13
        client = await dial()
        await client.modify(*(adding(query_id, "messages:count") for query_id in range(50)))
        await client.transition()
        await backend.write("messages", "hello")
        changes = (await client.transition())["modifications"]
        assert [change["queryId"] for change in changes] == list(range(50))
        assert {change["value"] for change in changes} == {1.0}

    async def test_a_removed_query_is_let_go(self, dial: Dial, backend: FakeBackend):
        client = await dial()
        await client.add(0)
        await client.modify(removing(0))
        await client.transition()
        assert backend.live == set()

    async def test_everything_is_let_go_when_the_socket_closes(
        self, dial: Dial, backend: FakeBackend, server: Server
    ):
        client = await dial()
        await client.add(0)
        await client.socket.close()
        await asyncio.wait_for(backend.released.wait(), 5)

    async def test_a_query_that_cannot_be_answered_now_is_answered_later(
        self, dial: Dial, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("parabola.server.sync.session.FIRST_RETRY_SECONDS", 0.01)
        backend.query_faults = [Overloaded("busy"), Overloaded("busy")]
        client = await dial()
        await client.modify(adding(0))
        await client.until(0, [])

    async def test_a_fault_in_a_query_sends_the_client_away_to_come_back(
        self, dial: Dial, backend: FakeBackend
    ):  # 34
        backend.query_faults = [InternalServerError()]
        client = await dial()
        await client.modify(adding(0))
        assert await client.closed() == (1011, "InternalServerError")

    async def test_a_bug_costs_the_socket_and_no_more(self, dial: Dial, backend: FakeBackend, monkeypatch):
        other = await dial()
        await other.add(0)
        monkeypatch.setattr(backend, "live_query", None)
        client = await dial()
        await client.modify(adding(0))
        assert await client.closed() == (1011, "InternalServerError")
        assert (await other.mutate(0, body="x"))["success"]

    @pytest.mark.parametrize("kind", ["Mutation", "Action"])
    async def test_a_call_whose_end_cannot_be_told_costs_the_socket(self, dial: Dial, monkeypatch, kind):
        def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(SyncSession, f"{kind.lower()}_finished", broken)
        client = await dial()
        await client.connect()
        await client.say(kind, requestId=0, udfPath="messages:fail", args=[{}])
        assert await client.closed() == (1011, "InternalServerError")

    async def test_errors_of_functions_are_answers(self, dial: Dial):  # 33
        client = await dial()
        assert "Could not find public function for 'no:such'" in await client.add(0, "no:such")
        assert "Uncaught ValueError: boom\n    at handler" in await client.add(1, "messages:fail")


class TestMutations:
    async def test_response_first_then_the_transition_that_covers_it(self, dial: Dial):  # 22, 23
        client = await dial()
        await client.connect()
        await client.add(0)
        for request_id in range(20):
            response = await client.mutate(request_id, body="x")
            assert client.ts < decode_ts(response["ts"])
            await client.until(0, ["x"] * (request_id + 1))
            assert client.ts >= decode_ts(response["ts"])

    async def test_pipelined_mutations_run_in_order(self, dial: Dial, backend: FakeBackend):  # 20
        client = await dial()
        for request_id in range(10):
            await client.say(
                "Mutation", requestId=request_id, udfPath="messages:send", args=[{"body": str(request_id)}]
            )
        responses = [await client.expect("MutationResponse") for _ in range(10)]
        assert [response["result"] for response in responses] == [float(count) for count in range(1, 11)]
        assert list(backend.snapshot_at(backend.durable_ts)["messages"]) == list("0123456789")

    async def test_a_mutation_sent_again_takes_effect_once(self, dial: Dial, backend: FakeBackend):  # 25
        first = await dial()
        await first.connect()
        response = await first.mutate(0, body="once")
        second = await dial()
        await second.connect()
        assert await second.mutate(0, body="once") == response
        assert backend.mutation_runs == 1

    async def test_a_mutation_whose_socket_is_lost_is_answered_on_the_next(
        self, dial: Dial, backend: FakeBackend
    ):  # 25, 27
        started, gate = asyncio.Event(), asyncio.Event()

        async def slow(ctx: Context, args: object) -> str:
            started.set()
            await gate.wait()
            ctx.insert("messages", "once")
            return "done"

        backend.mutations["messages:slow"] = slow
        first = await dial()
        await first.connect()
        await first.say("Mutation", requestId=0, udfPath="messages:slow", args=[{}])
        await asyncio.wait_for(started.wait(), 5)
        await first.socket.close()
        second = await dial()
        await second.connect()
        await second.say("Mutation", requestId=0, udfPath="messages:slow", args=[{}])
        gate.set()
        assert (await second.expect("MutationResponse"))["result"] == "done"
        assert backend.mutation_runs == 1

    async def test_a_failed_mutation_runs_again_when_sent_again(self, dial: Dial, backend: FakeBackend):  # 26
        for _ in range(2):
            client = await dial()
            await client.connect()
            assert (await client.mutate(0, "messages:failSend"))["success"] is False
            await client.transition()  # 24
        assert backend.mutation_runs == 2

    async def test_a_slow_action_delays_nothing(self, dial: Dial, backend: FakeBackend):  # 28
        gate = asyncio.Event()

        async def slow(ctx: Context, args: object) -> str:
            await gate.wait()
            return "slow"

        backend.actions["messages:slow"] = slow
        client = await dial()
        await client.say("Action", requestId=0, udfPath="messages:slow", args=[{}])
        assert (await client.mutate(1, body="x"))["requestId"] == 1
        assert await client.add(0) == ["x"]
        gate.set()
        assert (await client.expect("ActionResponse"))["result"] == "slow"


class TestAuthentication:
    async def test_signing_in_and_out(self, dial: Dial):  # 9, 38
        client = await dial()
        assert await client.add(0, "users:me") is None
        await client.say("Authenticate", baseVersion=0, tokenType="User", value="alice")
        await client.transition()
        assert client.version["identity"] == 1
        assert client.values[0]["subject"] == "alice"
        await client.say("Authenticate", baseVersion=1, tokenType="None")
        await client.transition()
        assert (client.version["identity"], client.values[0]) == (2, None)

    async def test_a_bad_token_is_an_auth_error_and_a_close_without_a_code(self, dial: Dial):  # 36
        client = await dial()
        await client.say("Authenticate", baseVersion=0, tokenType="User", value="mallory")
        error = await client.expect("AuthError")
        assert (error["baseVersion"], error["authUpdateAttempted"]) == (0, True)
        assert await client.closed() == (None, "")

    @pytest.mark.parametrize("spelling", ["impersonating", "acting_as"])
    async def test_an_admin_may_act_as_a_user(self, dial: Dial, spelling: str):  # 39
        client = await dial()
        identity = {spelling: {"issuer": "i", "subject": "bob"}}
        await client.say("Authenticate", baseVersion=0, tokenType="Admin", value=ADMIN_KEY, **identity)
        assert (await client.add(0, "users:me"))["tokenIdentifier"] == "i|bob"
        assert await client.add(1, "users:secret") == "internal"

    async def test_a_bad_admin_key_is_an_auth_error(self, dial: Dial):
        client = await dial()
        await client.say("Authenticate", baseVersion=0, tokenType="Admin", value="nope")
        assert (await client.expect("AuthError"))["authUpdateAttempted"] is True

    async def test_an_issuer_that_is_down_sends_the_client_away_to_come_back(
        self, dial: Dial, backend: FakeBackend
    ):
        backend.tokens["late"] = Overloaded("down", code="AuthProviderDiscoveryFailed")
        client = await dial()
        await client.say("Authenticate", baseVersion=0, tokenType="User", value="late")
        assert await client.closed() == (1013, "AuthProviderDiscoveryFailed")

    async def test_an_expired_token_is_told_at_the_next_request(self, dial: Dial, backend: FakeBackend):  # 37
        payload = "eyJleHAiOjF9"  # {"exp":1}
        backend.tokens[f"h.{payload}.s"] = Identity.user({"subject": "old"})
        client = await dial()
        await client.say("Authenticate", baseVersion=0, tokenType="User", value=f"h.{payload}.s")
        error = await client.expect("AuthError")
        assert (error["error"], error["authUpdateAttempted"]) == ("Convex token identity expired", False)


class TestBadInput:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            '{"type":"Nope"}',
            '{"type":"Connect","sessionId":"not-a-uuid"}',
            '{"type":"Connect","sessionId":"1d6d6e3b-6d5a-4f3a-9e0a-0123456789ab","maxObservedTimestamp":"AA=="}',
            '{"type":"ModifyQuerySet","baseVersion":-1,"newVersion":0,"modifications":[]}',
            '{"type":"ModifyQuerySet","baseVersion":0,"newVersion":1,"modifications":[{"type":"Nope"}]}',
            '{"type":"Mutation","requestId":0,"udfPath":"a b:c","args":[{}]}',
            '{"type":"Mutation","requestId":0,"udfPath":"a:b","args":{}}',
            '{"type":"Authenticate","baseVersion":0,"tokenType":"User"}',
            "[" * 100_000,
        ],
    )
    async def test_what_is_no_message_is_fatal(self, dial: Dial, text: str):  # 35
        client = await dial()
        await client.socket.send_str(text)
        error = await client.expect("FatalError")
        assert error["error"].startswith("Received Invalid JSON on websocket: ")
        assert await client.closed() == (None, "")

    async def test_binary_frames_end_the_socket(self, dial: Dial):
        client = await dial()
        await client.socket.send_bytes(b"{}")
        assert await client.closed() == (1011, "InternalServerError")

    async def test_a_message_that_is_too_large_ends_the_socket(
        self, dial: Dial, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(sync_server, "MAX_MESSAGE_BYTES", 1000)
        client = await dial()
        await client.socket.send_str("x" * 1001)
        assert (await client.closed())[0] == 1009

    @pytest.mark.parametrize("compress", [0, 15])
    async def test_a_client_is_told_that_its_message_is_too_large(
        self, dial: Dial, monkeypatch: pytest.MonkeyPatch, compress: int
    ):
        """Or else it would come back with the same message, for ever."""
        monkeypatch.setattr(sync_server, "MAX_MESSAGE_BYTES", 1000)
        client = await dial(compress=compress)
        await client.socket.send_str("x" * 3_000_000)
        assert "The message is longer than" in (await client.expect("FatalError"))["error"]
        assert (await client.closed())[0] == 1009

    async def test_a_long_text_is_not_given_back(self, dial: Dial):
        client = await dial()
        await client.socket.send_str(
            json.dumps(
                {"type": "Mutation", "requestId": 0, "udfPath": "a b:" + "c" * 1_000_000, "args": [{}]}
            )
        )
        assert len((await client.expect("FatalError"))["error"]) < 70_000

    async def test_a_server_that_reads_too_much_sends_clients_away_to_come_back(
        self, backend: FakeBackend, server: Server, dial: Dial
    ):
        held = server.intake.lease()
        held.take(10**12)
        client = await dial()
        assert (await client.mutate(0, body="x"))["success"], "small messages have a share of their own"
        call = {"requestId": 1, "udfPath": "messages:send", "args": [{"body": ["x"] * 100_000}]}
        await client.say("Mutation", **call)
        assert await client.closed() == (1013, "TooManyConcurrentRequests")
        held.release()
        again = await dial()
        await again.say("Mutation", **call)
        assert (await again.expect("MutationResponse"))["requestId"] == 1
        assert server.intake.held == 0

    async def test_a_socket_is_not_read_while_many_of_its_calls_wait(
        self, backend: FakeBackend, server: Server, dial: Dial, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("parabola.server.sync.socket_intake.MAX_WAITING_BYTES", 100_000)
        started, gate = asyncio.Event(), asyncio.Event()
        ran = []

        async def slow(ctx: object, args: dict[str, object]) -> float:
            started.set()
            await gate.wait()
            ran.append(args["n"])
            return 1.0

        backend.mutations["messages:slow"] = slow
        client = await dial()
        for n in range(200):
            args = [{"n": float(n), "text": ["x"] * 100}]
            await client.say("Mutation", requestId=n, udfPath="messages:slow", args=args)
        await started.wait()
        await asyncio.sleep(0)
        assert server.intake.held < 1_000_000
        gate.set()
        for _ in range(200):
            assert (await client.expect("MutationResponse"))["success"]
        assert ran == [float(n) for n in range(200)]
        assert server.intake.held == 0

    async def test_arguments_that_are_no_values_are_the_functions_failure(self, dial: Dial):  # 33
        client = await dial()
        assert "Field name $x" in await client.add(0, "messages:echo", args=[{"$x": 1, "y": 2}])

    async def test_a_client_from_the_future_is_sent_away(self, dial: Dial, backend: FakeBackend):
        client = await dial()
        await client.connect(maxObservedTimestamp=encode_ts(backend.durable_ts + 1))
        assert await client.closed() == (1011, "InternalServerError")


class TestSizes:
    LARGE = "ö" * 4_000_000

    async def test_npm_gets_chunks(self, dial: Dial, backend: FakeBackend):  # 30
        client = await dial(compress=15)
        await backend.write("messages", self.LARGE)
        assert await client.add(0) == [self.LARGE]

    async def test_rust_clients_get_small_frames(self, dial: Dial, backend: FakeBackend, monkeypatch):  # 31
        frames = []
        original = sync_socket.text_frames

        def spy(parts, **options):
            buffers = original(parts, **options)
            frames.append(buffers)
            return buffers

        monkeypatch.setattr(sync_socket, "text_frames", spy)
        client = await dial("/api/sync", headers=PYTHON)
        await backend.write("messages", "x" * 17 * 1024 * 1024)
        value = await client.add(0)
        assert len(value[0]) == 17 * 1024 * 1024
        assert max(len(buffer) for buffer in frames[-1]) <= 16 * 1024 * 1024

    @pytest.mark.parametrize("size", [10, 1000, 20_000, 200_000])
    async def test_compressed_text_is_the_same_text(self, dial: Dial, backend: FakeBackend, size: int):
        client = await dial(compress=15)
        await backend.write("messages", "ab€" * size)
        await client.modify(*(adding(query_id) for query_id in range(3)))
        await client.transition()
        assert [client.values[query_id] for query_id in range(3)] == [["ab€" * size]] * 3

    async def test_a_client_that_does_not_read_gets_the_newest_state_when_it_does(
        self, dial: Dial, backend: FakeBackend, server: Server
    ):  # 32
        client = await dial()
        backend.queries["messages:big"] = lambda ctx, args: [len(ctx.table("messages")), "x" * 1_000_000]
        await client.add(0, "messages:big")
        client.socket._response.connection.transport.pause_reading()
        before = backend.evaluations
        for _ in range(50):
            await backend.write("messages", "")
        assert backend.evaluations - before < 25
        client.socket._response.connection.transport.resume_reading()
        while client.values[0][0] != 50:
            await client.transition()


class TestLiveness:
    async def test_an_idle_socket_is_pinged_by_message_and_by_frame(self, dial: Dial, monkeypatch):  # 29
        monkeypatch.setattr("parabola.server.sync.liveness.PING_MESSAGE_AFTER", 0.05)
        monkeypatch.setattr("parabola.server.sync.liveness.PING_FRAME_EVERY", 0.02)
        client = await dial(autoping=False)
        seen = set()
        while len(seen) < 2:
            frame = await asyncio.wait_for(client.socket.receive(), 5)
            seen.add(json.loads(frame.data)["type"] if frame.type is aiohttp.WSMsgType.TEXT else frame.type)
        assert seen == {"Ping", aiohttp.WSMsgType.PING}

    @pytest.mark.parametrize("rules", [ServerRules(silence_seconds=0.05)], indirect=True)
    async def test_a_silent_client_is_dropped(self, dial: Dial):
        client = await dial(autoping=False)
        frame = await asyncio.wait_for(client.socket.receive(), 5)
        assert frame.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)

    @pytest.mark.parametrize("rules", [ServerRules(silence_seconds=0.2)], indirect=True)
    async def test_a_client_that_answers_pings_is_kept(self, dial: Dial, monkeypatch):
        monkeypatch.setattr("parabola.server.sync.liveness.PING_FRAME_EVERY", 0.02)
        client = await dial()
        reading = asyncio.create_task(client.socket.receive())
        done, _ = await asyncio.wait({reading}, timeout=0.6)
        assert not done
        reading.cancel()

    async def test_pings_of_the_client_are_answered(self, dial: Dial):
        client = await dial(autoping=False)
        await client.socket.ping(b"hello")
        frame = await asyncio.wait_for(client.socket.receive(), 5)
        assert (frame.type, bytes(frame.data)) == (aiohttp.WSMsgType.PONG, b"hello")


class TestStopping:
    async def test_clients_are_told_to_come_back(self, dial: Dial, server: Server):
        client = await dial()
        await client.add(0)
        stopping = asyncio.create_task(server.stop())
        assert await client.closed() == (1001, "ServerShutdown")
        await stopping

    async def test_what_runs_is_answered_first(self, dial: Dial, server: Server, backend: FakeBackend):
        started, gate = asyncio.Event(), asyncio.Event()

        async def slow(ctx: Context, args: object) -> str:
            ctx.insert("messages", "late")
            started.set()
            await gate.wait()
            return "done"

        backend.mutations["messages:slow"] = slow
        client = await dial()
        await client.add(0)
        await client.say("Mutation", requestId=0, udfPath="messages:slow", args=[{}])
        await started.wait()
        sync = server._runners[0].app[SYNC_SERVER]
        stopping = asyncio.create_task(server.stop())
        await sync.leaving.wait()
        gate.set()
        assert (await client.expect("MutationResponse"))["result"] == "done"
        await client.until(0, ["late"])
        assert await client.closed() == (1001, "ServerShutdown")
        await stopping

    async def test_a_client_that_does_not_answer_does_not_hold_up_the_stop(
        self, dial: Dial, server: Server, monkeypatch
    ):
        monkeypatch.setattr(sync_socket, "CLOSE_TIMEOUT", 0.1)
        client = await dial(autoclose=False)
        await client.add(0)
        async with asyncio.timeout(5):
            await server.stop()

    async def test_an_unauthenticated_mutation_fault_is_an_answer(self, dial: Dial, backend: FakeBackend):
        def refuse(ctx: Context, args: object) -> None:
            raise Unauthenticated("sign in first")

        backend.mutations["messages:mine"] = refuse
        client = await dial()
        assert "sign in first" in (await client.mutate(0, "messages:mine"))["result"]
