"""Agents with threads, tools, streams and searches in what was said (`@convex-dev/agent`)."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from e2e.npm_components.internet import Internet
from e2e.npm_components.model import Model, text_of

pytestmark = pytest.mark.e2e

APP = "agent"


@pytest.fixture(scope="module", autouse=True)
def model(app: ConvexProject, internet: Internet) -> Model:
    internet.services[internet.url.removeprefix("http://")] = model = Model()
    changes = [{"name": "MODEL_URL", "value": internet.url}]
    app.post("/api/update_environment_variables", {"changes": changes})
    return model


def begin(app: ConvexProject, title: str = "t") -> str:
    thread: str = app.call("chat:begin", {"userId": "ann", "title": title})
    return thread


def ask(app: ConvexProject, thread: str, prompt: str) -> str:
    answer: str = app.call("chat:ask", {"threadId": thread, "prompt": prompt})
    return answer


def texts(app: ConvexProject, thread: str, **more: Any) -> Any:
    page = {"paginationOpts": {"numItems": 20, "cursor": None}}
    return app.call("chat:messages", {"threadId": thread, **page, **more})


def test_a_thread_remembers_what_was_said(app: ConvexProject, model: Model) -> None:
    thread = begin(app)
    assert ask(app, thread, "hello") == "You said: hello"
    assert ask(app, thread, "and again") == "You said: and again"
    assert [text_of(each) for each in model.asked[-1]] == [
        "You are a helper.",
        "hello",
        "You said: hello",
        "and again",
    ]
    assert texts(app, thread)["texts"] == [
        "user: hello",
        "assistant: You said: hello",
        "user: and again",
        "assistant: You said: and again",
    ]
    assert app.call("chat:notes").count("used 12") == 2


def test_a_tool_runs_in_the_app(app: ConvexProject) -> None:
    thread = begin(app)
    assert "sunny in Rome" in ask(app, thread, "what is the weather?")
    assert "weather of Rome" in app.call("chat:notes")
    roles = [each.split(":")[0] for each in texts(app, thread)["texts"]]
    assert roles == ["user", "assistant", "tool", "assistant"]


def test_what_was_said_is_found_by_words_and_by_meaning(app: ConvexProject) -> None:
    thread, other = begin(app), begin(app)
    for prompt in ("cats like fish", "the sky is blue", "dogs chase cats"):
        ask(app, thread, prompt)
    ask(app, other, "cats of another thread")

    def search(prompt: str, **how: bool) -> set[str]:
        return set(app.call("chat:search", {"threadId": thread, "prompt": prompt, **how}))

    by_words = search("sky", textSearch=True, vectorSearch=False)
    assert by_words == {"the sky is blue", "You said: the sky is blue"}
    by_meaning = search("blue sky", textSearch=False, vectorSearch=True)
    assert by_meaning == {"the sky is blue", "You said: the sky is blue"}
    assert all("cats" in each for each in search("cats", textSearch=True, vectorSearch=True))
    assert "cats of another thread" not in search("cats", textSearch=True, vectorSearch=True)


def test_an_answer_is_streamed_to_all_and_kept(app: ConvexProject) -> None:
    thread = begin(app)
    app.call("chat:send", {"threadId": thread, "prompt": "one two three"})
    app.server.wait_for(lambda: len(texts(app, thread)["texts"]) == 2)
    app.server.wait_for(lambda: texts(app, thread)["texts"][1] == "assistant: You said: one two three")
    listed = texts(app, thread, streamArgs={"kind": "list", "startOrder": 0})["streams"]
    assert listed["kind"] == "list"


def test_a_thread_is_deleted_with_its_messages(app: ConvexProject) -> None:
    thread = begin(app, "to be forgotten")
    ask(app, thread, "a secret phrase")
    app.call("chat:forget", {"threadId": thread})
    assert (
        "a secret phrase" not in app.ok("data", "messages", "--component", "agent", "--limit", "100").screen
    )
    assert "to be forgotten" not in app.ok("data", "threads", "--component", "agent").screen
