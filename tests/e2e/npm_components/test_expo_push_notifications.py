"""Notifications to telephones, in batches that are tried again (`@convex-dev/expo-push-notifications`)."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from e2e.npm_components.internet import Answer, Asked, Internet

pytestmark = pytest.mark.e2e

APP = "expo_push_notifications"


class Expo:
    """The service: a notification that asks for it is refused once, and the whole request once."""

    def __init__(self) -> None:
        self.delivered: list[str] = []
        self.refused: set[str] = set()

    def __call__(self, asked: Asked) -> Answer:
        assert asked.path == "/--/api/v2/push/send"
        titles = [each["title"] for each in asked.json]
        if "down" in titles and "down" not in self.refused:
            self.refused.add("down")
            return Answer(503, {"errors": []})
        answers = []
        for each in asked.json:
            title = each["title"]
            if title == "again" and title not in self.refused:
                self.refused.add(title)
                answers.append({"status": "error", "message": "try again", "details": {}})
            else:
                self.delivered.append(title)
                answers.append({"status": "ok", "id": f"ticket {title}"})
        return Answer(200, {"data": answers})


@pytest.fixture(scope="module", autouse=True)
def service(app: ConvexProject, internet: Internet) -> Expo:
    internet.services["exp.host"] = expo = Expo()
    app.call("push:record", {"userId": "ann", "pushToken": "ExponentPushToken[ann]"})
    return expo


def send(app: ConvexProject, title: str, user: str = "ann") -> str | None:
    sent: Any = app.call("push:send", {"userId": user, "title": title, "allowUnregisteredTokens": True})
    return sent


def wait_for(app: ConvexProject, notification: str | None, state: str) -> None:
    def found() -> Any:
        return app.call("push:get", {"id": notification})["state"]

    app.server.wait_for(lambda: found() == state, f"{state}")


def test_a_notification_is_delivered(app: ConvexProject, service: Expo) -> None:
    first, second = send(app, "one"), send(app, "two")
    for each in (first, second):
        wait_for(app, each, "delivered")
    assert sorted(service.delivered) == ["one", "two"]
    assert app.call("push:get", {"id": first})["title"] == "one"


def test_one_that_was_refused_is_tried_again(app: ConvexProject, service: Expo) -> None:
    notification = send(app, "again")
    wait_for(app, notification, "delivered")
    assert service.delivered.count("again") == 1
    assert app.call("push:get", {"id": notification})["numPreviousFailures"] == 1


def test_nothing_is_known_of_what_the_service_did_not_answer(app: ConvexProject) -> None:
    wait_for(app, send(app, "down"), "maybe_delivered")


def test_a_user_who_has_paused_gets_nothing(app: ConvexProject, service: Expo) -> None:
    app.call("push:pause", {"userId": "ann"})
    assert app.call("push:status", {"userId": "ann"}) == {"hasToken": True, "paused": True}
    assert send(app, "paused") is None
    app.call("push:resume", {"userId": "ann"})
    wait_for(app, send(app, "resumed"), "delivered")
    assert "paused" not in service.delivered
    assert send(app, "nobody", "bob") is None


def test_a_sender_that_was_shut_down_goes_on_when_it_is_started(app: ConvexProject) -> None:
    notification = send(app, "later")
    app.call("push:shutdown")
    app.server.wait_for(lambda: app.call("push:restart") is True)
    wait_for(app, notification, "delivered")
