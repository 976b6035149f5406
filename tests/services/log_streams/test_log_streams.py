"""Log streams: what an administrator says, what becomes of it, and what arrives."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from backend_nodes import backend_nodes
from client_calls import client_call
from parabola.backend import Backend
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.execution_log import ExecutionEntry
from parabola.functions.outcomes.logs import LogLine
from parabola.services.deploys.push import Push
from parabola.services.log_streams import log_sink
from parabola.services.log_streams.log_events import deployment_metadata
from parabola.services.log_streams.log_sink import QUEUED, QUEUED_BYTES, LogSink
from parabola.services.log_streams.outlets import outlet_of
from parabola.services.log_streams.stream_kinds import Webhook
from parabola.services.log_streams.stream_rows import log_streams
from parabola.services.observability.exposition import exposition
from parabola.services.settings import ServiceSettings
from parabola.values.encoding import loads
from parabola.values.errors import UserError
from services.archive_driver import opened

CODE = """
from parabola import audit_vars, mutation, query

@query
async def count(ctx) -> float:
    return float(len(await ctx.db.query("notes").collect()))

@mutation
async def add(ctx) -> None:
    await ctx.db.insert("notes", {"text": "x" * 20})

@query
async def hello(ctx) -> str:
    print("hello", "you")
    return "x"

@mutation
async def plan(ctx) -> str:
    await ctx.audit({"action": "planned", "by": audit_vars.request_id})
    return await ctx.scheduler.run_after(0, "app:boom", {})

@mutation
async def boom(ctx) -> None:
    raise ValueError("no")
"""
PUSH = Push("python", (Module("app.py", "python", CODE),))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_sink, "FLUSH_SECONDS", 0.02)


class Receiver:
    """A server that keeps what it is sent, and answers with the statuses that it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.status = 200
        self._came = asyncio.Event()
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        self.server = TestServer(app, host="127.0.0.1")

    async def _take(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, dict(request.headers), await request.read()))
        self._came.set()
        return web.Response(status=self.statuses.pop(0) if self.statuses else self.status)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for _, _, body in self.requests for event in orjson.loads(body)]

    def topics(self) -> list[str]:
        return [event["topic"] for event in self.events]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self._came.clear()
                await self._came.wait()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.server.start_server()
    yield receiver
    await receiver.server.close()


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        backend.log_streams._sleep = no_sleep
        await backend.deploy(PUSH)
        yield backend


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


def webhook(receiver: Receiver, **options: Any) -> dict[str, Any]:
    url = str(receiver.server.make_url("/hook"))
    return {"logStreamType": "webhook", "url": url, "format": "json", **options}


async def status(backend: Backend, id: str, wanted: str) -> dict[str, Any]:
    """The stream, once it has a status."""
    changed = asyncio.Event()
    stop = backend.database.on_commit(lambda _writes, _ts: changed.set())
    try:
        async with asyncio.timeout(30):
            while True:
                changed.clear()
                stream = await backend.log_streams.get(id)
                if stream["status"]["type"] == wanted:
                    return stream
                await changed.wait()
    finally:
        stop()


async def followed(backend: Backend) -> None:
    """Returns when the streams are as the rows say now."""
    streams = backend.log_streams
    await streams._follow(await log_streams(backend.database.begin()))


async def until_gone(backend: Backend, id: str) -> None:
    changed = asyncio.Event()
    stop = backend.database.on_commit(lambda _writes, _ts: changed.set())
    async with asyncio.timeout(30):
        while await backend.log_streams.all():
            await changed.wait()
            changed.clear()
    stop()


async def started(backend: Backend, id: str) -> None:
    """Returns when what happens is sent to a stream."""
    await status(backend, id, "active")
    await followed(backend)
    assert id in backend.log_streams._sinks


async def refused(call: Any) -> str:
    with pytest.raises(UserError) as caught:
        await call
    return caught.value.code


async def test_a_webhook_is_asked_first_and_then_sent_what_happens(
    backend: Backend, receiver: Receiver
) -> None:
    answer = await backend.log_streams.create(webhook(receiver))
    id, secret = answer["id"], answer["hmacSecret"]
    assert answer == {"logStreamType": "webhook", "id": id, "hmacSecret": secret}
    assert len(bytes.fromhex(secret)) == 16
    await started(backend, id)
    assert receiver.topics() == ["verification"]
    await backend.query(client_call("app:hello", {}))
    await backend.mutation(client_call("app:boom", {}))
    await receiver.until(lambda: receiver.topics().count("function_execution") == 2)
    first, console, ran, failed = receiver.events
    metadata = deployment_metadata("parabola")
    assert {event["convex"]["deployment_name"] for event in receiver.events} == {"parabola"}
    assert first["convex"] == metadata
    assert "hello" in console["message"]
    assert console["function"]["path"] == "app:hello"
    assert console["function"]["type"] == "query"
    assert console["function"]["cached"] is False
    assert (ran["status"], ran["error_message"], ran["run_reason"]) == (
        "success",
        None,
        "initialSubscription",
    )
    assert failed["status"] == "failure"
    assert failed["error_message"].startswith("Uncaught ValueError: no")
    assert failed["usage"]["database_write_documents"] == 0
    assert failed["usage"]["function_args_bytes"] > 0
    assert (failed["function"]["mutation_retry_count"], ran["function"]["mutation_retry_count"]) == (0, None)
    assert (failed["run_reason"], failed["scheduler_info"]) == ("webSocket", None)
    for path, headers, body in receiver.requests:
        assert path == "/hook"
        signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
        assert headers["x-webhook-signature"] == f"sha256={signature}"


async def test_it_gets_the_topics_that_it_wants(backend: Backend, receiver: Receiver) -> None:
    answer = await backend.log_streams.create(webhook(receiver, topics=["console"], format="jsonl"))
    await started(backend, answer["id"])
    await backend.mutation(client_call("app:boom", {}))
    await backend.query(client_call("app:hello", {}))
    await receiver.until(lambda: len(receiver.requests) == 2)
    assert orjson.loads(receiver.requests[1][2])["topic"] == "console"


async def test_what_fails_is_sent_again(backend: Backend, receiver: Receiver) -> None:
    answer = await backend.log_streams.create(webhook(receiver))
    await started(backend, answer["id"])
    receiver.statuses = [503, 429, 500, 408, 502]
    await backend.mutation(client_call("app:boom", {}))
    await receiver.until(lambda: len(receiver.requests) == 7)
    assert len({body for _, _, body in receiver.requests[1:]}) == 1
    assert backend.log_streams.dropped == 0


async def test_what_is_refused_is_not_sent_again(backend: Backend, receiver: Receiver) -> None:
    answer = await backend.log_streams.create(webhook(receiver))
    await started(backend, answer["id"])
    receiver.statuses = [400]
    await backend.mutation(client_call("app:boom", {}))
    await receiver.until(lambda: len(receiver.requests) == 2)
    await backend.query(client_call("app:hello", {}))
    await receiver.until(lambda: len(receiver.requests) == 3)
    assert backend.log_streams.dropped == 1


async def test_one_that_takes_no_first_event_has_failed_until_it_is_changed(
    backend: Backend, receiver: Receiver
) -> None:
    receiver.statuses = [404]
    id = (await backend.log_streams.create(webhook(receiver)))["id"]
    failed = await status(backend, id, "failed")
    assert failed["status"]["reason"] == "endpoint rejected the request with status 404"
    receiver.statuses = [500, 500, 500]
    await backend.log_streams.update(id, {"logStreamType": "webhook", "format": "jsonl"})
    failed = await status(backend, id, "failed")
    assert failed["format"] == "jsonl"
    assert "gave up after 3 attempts" in failed["status"]["reason"]
    await backend.log_streams.update(id, {"logStreamType": "webhook"})
    await status(backend, id, "active")


async def test_a_secret_is_rotated_and_used(backend: Backend, receiver: Receiver) -> None:
    answer = await backend.log_streams.create(webhook(receiver))
    await started(backend, answer["id"])
    rotated = await backend.log_streams.rotate_secret(answer["id"])
    assert rotated["hmacSecret"] != answer["hmacSecret"]
    assert (await backend.log_streams.get(answer["id"]))["hmacSecret"] == rotated["hmacSecret"]


async def test_a_stream_goes_and_nothing_listens_any_more(backend: Backend, receiver: Receiver) -> None:
    listeners = len(backend.runner.log._listeners)
    id = (await backend.log_streams.create(webhook(receiver)))["id"]
    await started(backend, id)
    assert len(backend.runner.log._listeners) == listeners + 1
    assert await refused(backend.log_streams.create(webhook(receiver))) == "LogStreamAlreadyExists"
    await backend.log_streams.delete(id)
    await until_gone(backend, id)
    await followed(backend)
    assert len(backend.runner.log._listeners) == listeners
    assert await refused(backend.log_streams.get(id)) == "InvalidLogStreamId"


async def test_it_outlives_the_server(tmp_path: Path, receiver: Receiver) -> None:
    async with opened(tmp_path) as backend:
        await backend.deploy(PUSH)
        id = (await backend.log_streams.create(webhook(receiver)))["id"]
        await started(backend, id)
    async with opened(tmp_path) as backend:
        await started(backend, id)
        await backend.query(client_call("app:hello", {}))
        await receiver.until(lambda: "function_execution" in receiver.topics())
    assert receiver.topics().count("verification") == 1


async def test_every_node_sends_its_own(tmp_path: Path, receiver: Receiver) -> None:
    async with backend_nodes(tmp_path, "a", "b") as (a, b):
        await a.deploy(PUSH)
        id = (await b.log_streams.create(webhook(receiver)))["id"]
        for node in (a, b):
            await started(node, id)
        for node in (a, b):
            await node.mutation(client_call("app:boom", {}))
        await receiver.until(lambda: receiver.topics().count("function_execution") == 2)
        requests = {event["function"]["request_id"] for event in receiver.events if "function" in event}
        assert len(requests) == 2
        assert receiver.topics().count("verification") == 1


async def test_what_administrators_do_is_told_once(tmp_path: Path, receiver: Receiver) -> None:
    async with backend_nodes(tmp_path, "a", "b") as (a, b):
        id = (await a.log_streams.create(webhook(receiver, topics=["audit_log"])))["id"]
        for node in (a, b):
            await started(node, id)
        await b.change_environment({"A": "1"})
        await b.pause()
        await receiver.until(lambda: len(receiver.events) == 3)
        _, variable, pause = receiver.events
        assert variable["audit_log_action"] == "create_environment_variable"
        assert orjson.loads(variable["audit_log_metadata"])["variable_name"] == "A"
        assert pause["topic"] == "audit_log"
        assert orjson.loads(pause["audit_log_metadata"])["new_state"] == "paused"


async def test_dashboards_are_told_and_readers_get_no_secrets(backend: Backend, receiver: Receiver) -> None:
    answer = await backend.log_streams.create(webhook(receiver))
    await status(backend, answer["id"], "active")

    async def rows(identity: Identity) -> Any:
        call = client_call("_system/frontend/listConfiguredSinks", {}, identity)
        return loads((await backend.query(call)).value_json)

    [row] = await rows(Identity.admin())
    assert row["status"] == {"type": "active"}
    assert row["config"]["hmacSecret"] == answer["hmacSecret"]
    assert row["config"]["type"] == "webhook"
    assert (await rows(Identity.admin(read_only=True)))[0]["config"]["hmacSecret"] == ""


async def test_the_queue_never_grows_and_what_is_lost_is_counted(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = asyncio.Event()

    async def hold(_: float) -> None:
        await held.wait()

    receiver.statuses = [500]
    config = Webhook(url=str(receiver.server.make_url("/")), format="json", hmac_secret="00")
    sink = LogSink(config, outlet_of(config, deployment_metadata("d"), Path(), hold))

    def entry(number: int) -> ExecutionEntry:
        lines = (LogLine("LOG", ("x",), 1),)
        return ExecutionEntry("Completion", "Query", "m:f", 1.0, lines, str(number), "e")

    sink.put(entry(0))
    await receiver.until(lambda: len(receiver.requests) == 1)  # now it waits before it tries again
    for number in range(1, QUEUED):
        sink.put(entry(number))
    assert sink._waiting == QUEUED
    assert sink.dropped == 2 * (QUEUED - 1) - QUEUED
    held.set()
    await receiver.until(lambda: len(receiver.requests) == 2 + QUEUED // 128)
    assert all(len(orjson.loads(body)) <= 128 for _, _, body in receiver.requests)
    assert receiver.events[-1]["function"]["request_id"] == str(QUEUED - 1)
    await sink.close()


async def test_a_stream_that_is_down_for_an_hour_takes_no_more_memory_and_counts_what_it_misses(
    receiver: Receiver,
) -> None:
    clock, put = 0.0, 0
    lines = (LogLine("LOG", ("x",), 1),)

    async def sleep(seconds: float) -> None:
        nonlocal clock, put
        for _ in range(50 * int(seconds)):  # fifty calls a second go on meanwhile
            sink.put(ExecutionEntry("Completion", "Query", "m:f", clock, lines, str(put), "e"))
            put += 2
        clock += seconds
        waits.append(sink._waiting)
        if clock >= 3600:
            hour_over.set()
        await asyncio.sleep(0)

    hour_over = asyncio.Event()
    waits: list[int] = []
    config = Webhook(url=str(receiver.server.make_url("/")), format="json", hmac_secret="00")
    sink = LogSink(config, outlet_of(config, deployment_metadata("d"), Path(), sleep))
    receiver.status = 503
    await sleep(1)
    async with asyncio.timeout(60):
        await hour_over.wait()
    assert put > 300_000
    assert max(waits) <= QUEUED
    assert sink.failure.startswith("gave up after 6 attempts, last failure: endpoint returned status 503")
    receiver.status = 200
    await receiver.until(lambda: sink.sent > 0)
    await sink.close(send_rest=True)
    assert sink.sent + sink.dropped == put
    assert sink.failure == ""


async def test_nothing_is_lost_uncounted_at_whatever_moment_a_stream_is_closed(receiver: Receiver) -> None:
    config = Webhook(url=str(receiver.server.make_url("/")), format="json", hmac_secret="00")
    for steps in range(30):
        sink = LogSink(config, outlet_of(config, deployment_metadata("d"), Path()))
        for number in range(200):
            sink.put(ExecutionEntry("Completion", "Query", "m:f", 1.0, (), str(number), "e"))
        for _ in range(steps * 3):
            await asyncio.sleep(0)
        await sink.close(send_rest=steps % 2 == 0)
        assert sink.sent + sink.dropped == 200
        assert steps % 2 or sink.dropped == 0


async def test_long_texts_take_no_more_memory_than_allowed(receiver: Receiver) -> None:
    config = Webhook(url=str(receiver.server.make_url("/")), format="json", hmac_secret="00")
    sink = LogSink(config, outlet_of(config, deployment_metadata("d"), Path()))
    lines = tuple(LogLine("LOG", ("x" * 30_000,), 1) for _ in range(20))
    for number in range(60):
        sink.put(ExecutionEntry("Completion", "Query", "m:f", 1.0, lines, str(number), "e"))
    assert QUEUED_BYTES - 700_000 < sink._waiting_bytes <= QUEUED_BYTES
    assert sink.dropped == 60 * 21 - sink._waiting > 0
    await sink.close()


async def test_events_go_into_files(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.deploy(PUSH)
        answer = await backend.log_streams.create({"logStreamType": "file", "topics": ["console"]})
        await started(backend, answer["id"])
        await backend.query(client_call("app:hello", {}))
    # The end of a server waits for what is to be written.
    file = tmp_path / "events" / "events.jsonl"
    first, console = map(orjson.loads, file.read_bytes().splitlines())
    assert (first["topic"], console["topic"]) == ("verification", "console")
    assert console["message"].startswith("hello")
    assert console["convex"]["deployment_name"] == "parabola"
    assert file.stat().st_mode & 0o777 == 0o600


async def test_an_operator_says_where_files_are(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    async with opened(tmp_path / "data", services=ServiceSettings(event_files=elsewhere)) as backend:
        id = (await backend.log_streams.create({"logStreamType": "file"}))["id"]
        await status(backend, id, "active")
    assert (elsewhere / "events.jsonl").exists()


async def test_files_that_cannot_be_written_are_a_failed_stream(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    settings = ServiceSettings(event_files=tmp_path / "taken")
    async with opened(tmp_path / "data", services=settings) as backend:
        id = (await backend.log_streams.create({"logStreamType": "file"}))["id"]
        failed = await status(backend, id, "failed")
        assert failed["status"]["reason"].startswith("the file cannot be written: ")


async def test_jobs_and_lines_of_the_audit_log_are_told_of(backend: Backend, receiver: Receiver) -> None:
    topics = ["custom_audit", "function_execution"]
    answer = await backend.log_streams.create(webhook(receiver, topics=topics))
    await started(backend, answer["id"])
    planned = await backend.mutation(client_call("app:plan", {}))
    await receiver.until(lambda: receiver.topics().count("function_execution") == 2)
    await receiver.until(lambda: "custom_audit" in receiver.topics())
    events = {event["topic"]: event for event in receiver.events}
    assert events["custom_audit"]["body"] == {"action": "planned", "by": planned.request_id}
    job = next(event for event in receiver.events if event.get("run_reason") == "scheduler")
    assert job["scheduler_info"] == {"job_id": planned.value}
    assert job["error_message"].startswith("Uncaught ValueError: no")


async def test_a_query_runs_again_because_of_data(backend: Backend, receiver: Receiver) -> None:
    answer = await backend.log_streams.create(webhook(receiver, topics=["function_execution"]))
    await started(backend, answer["id"])
    changed = asyncio.Event()
    live = backend.live_query(client_call("app:count", {}), on_invalid=changed.set)
    for _ in range(2):
        told = asyncio.get_running_loop().create_future()
        live.tell_at(backend.durable_ts, told.set_result)
        await told
        await backend.mutation(client_call("app:add", {}))
        await changed.wait()
        changed.clear()
    live.close()
    await receiver.until(lambda: receiver.topics().count("function_execution") == 4)
    reasons = [event["run_reason"] for event in receiver.events[1:] if event["function"]["type"] == "query"]
    assert reasons == ["initialSubscription", "dataChange"]


async def test_statistics_are_told_from_time_to_time(backend: Backend, receiver: Receiver) -> None:
    answer = await backend.log_streams.create(webhook(receiver))
    await started(backend, answer["id"])
    await backend.mutation(client_call("app:add", {}))
    await receiver.until(lambda: "function_execution" in receiver.topics())
    backend.files.on_sent("some-file", 17)
    await backend.log_streams.tell_statistics()
    await receiver.until(lambda: "current_storage_usage" in receiver.topics())
    await backend.mutation(client_call("app:add", {}))
    await receiver.until(lambda: receiver.topics().count("function_execution") == 2)
    await backend.log_streams.tell_statistics()
    await receiver.until(lambda: "log_stream_egress" in receiver.topics())
    events = {event["topic"]: event for event in receiver.events}
    idle = {"num_running": 0, "num_queued": 0}
    stats = events["concurrency_stats"]
    kinds = ("query", "mutation", "action", "node_action", "http_action")
    assert [stats[kind] for kind in kinds] == [idle] * 5
    stored = events["current_storage_usage"]
    assert stored["total_document_size_bytes"] > 20
    assert stored["total_file_storage_bytes"] == 0
    assert stored["total_system_table_document_size_bytes"]["_tables"] > 0
    download = events["storage_api_bandwidth"]
    assert (download["storage_id"], download["egress_bytes"]) == ("some-file", 17)
    bodies = [body for _, _, body in receiver.requests[1:] if b"log_stream_egress" not in body]
    sent = events["log_stream_egress"]["egress_bytes"]
    assert 0 < sent <= sum(map(len, bodies))


async def test_what_is_late_is_told(backend: Backend, receiver: Receiver) -> None:
    answer = await backend.log_streams.create(webhook(receiver))
    await started(backend, answer["id"])
    backend.scheduler.hold()
    await backend.mutation(client_call("app:plan", {}))
    now = backend.database.now_ts
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend.database, "now_ts", lambda: now() + 90 * 10**9)
        await backend.log_streams.tell_statistics()
    await receiver.until(lambda: "scheduler_stats" in receiver.topics())
    events = {event["topic"]: event for event in receiver.events}
    assert 90 <= events["scheduled_job_lag"]["lag_seconds"] <= 120
    assert events["scheduler_stats"]["num_running_jobs"] == 0


async def test_deliveries_are_counted_for_people_and_for_prometheus(
    backend: Backend, receiver: Receiver
) -> None:
    id = (await backend.log_streams.create(webhook(receiver)))["id"]
    await started(backend, id)
    receiver.statuses = [400]
    await backend.mutation(client_call("app:boom", {}))
    await receiver.until(lambda: len(receiver.requests) == 2)
    receiver.statuses = [503] * 6
    await backend.mutation(client_call("app:boom", {}))
    await receiver.until(lambda: len(receiver.requests) == 3)
    [shown] = await backend.log_streams.all()
    failure = "endpoint rejected the request with status 400"
    assert shown["delivery"] == {"sent": 0, "dropped": 1, "failure": failure}
    await receiver.until(lambda: len(receiver.requests) == 8)
    await backend.log_streams.update(id, {"logStreamType": "webhook", "format": "json"})
    await started(backend, id)
    seen = len(receiver.requests)
    for number in (1, 2):
        await backend.mutation(client_call("app:boom", {}))
        await receiver.until(lambda: len(receiver.requests) == seen + number)  # noqa: B023
    sent, dropped = backend.log_streams.counts["webhook"]
    assert (sent >= 1, dropped >= 1) == (True, True)  # counts go on over a change
    text = (await exposition(backend.observations)).decode()
    assert f'parabola_log_stream_dropped_events_total{{type="webhook"}} {dropped}.0' in text
    assert 'parabola_log_stream_events_total{type="webhook"}' in text


async def test_the_official_dashboard_is_told_of_its_own_kinds_alone(backend: Backend) -> None:
    await backend.log_streams.create({"logStreamType": "file"})
    call = client_call("_system/frontend/listConfiguredSinks", {}, Identity.admin())
    assert loads((await backend.query(call)).value_json) == []
