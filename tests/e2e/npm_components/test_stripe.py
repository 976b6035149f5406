"""Customers, subscriptions and payments as the service tells of them (`@convex-dev/stripe`)."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from e2e.npm_components.internet import Answer, Asked, Internet

pytestmark = pytest.mark.e2e

APP = "stripe"
SECRET = "whsec_test"
VARIABLES = {"STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRET": SECRET}
ANN = '{"name": "Ann", "issuer": "i", "subject": "ann"}'


def subscription(status: str = "active", **fields: Any) -> dict[str, Any]:
    item = {"id": "si_1", "quantity": 2, "current_period_end": 1_900_000_000, "price": {"id": "price_1"}}
    return {
        "id": "sub_1",
        "object": "subscription",
        "customer": "cus_1",
        "status": status,
        "cancel_at_period_end": False,
        "items": {"data": [item]},
        "metadata": {"userId": "ann"},
        **fields,
    }


def service(asked: Asked) -> Answer:
    """What the service answers to what the SDK asks."""
    assert asked.headers["authorization"] == "Bearer sk_test_1"
    match asked.method, asked.path.partition("?")[0]:
        case "GET", "/v1/customers" | "/v1/customers/search":
            return Answer(200, {"object": "list", "data": [], "has_more": False})
        case "POST", "/v1/customers":
            return Answer(200, {"id": "cus_1", "object": "customer", "metadata": {}})
        case "POST", "/v1/checkout/sessions":
            assert asked.form["subscription_data[metadata][userId]"] == "ann"
            return Answer(
                200, {"id": "cs_1", "object": "checkout.session", "url": "https://pay.example.com/cs_1"}
            )
        case "POST", "/v1/subscriptions/sub_1":
            return Answer(200, subscription(cancel_at_period_end=True))
        case "DELETE", "/v1/subscriptions/sub_1":
            return Answer(200, subscription("canceled"))
    return Answer(404, {"error": {"message": asked.path}})


@pytest.fixture(scope="module", autouse=True)
def stripe(internet: Internet) -> None:
    internet.services["api.stripe.com"] = service


def tell(app: ConvexProject, kind: str, of: dict[str, Any], secret: str = SECRET) -> int:
    """What the service tells the webhook, signed."""
    body = json.dumps({"id": "evt_1", "object": "event", "type": kind, "data": {"object": of}})
    stamp = str(int(time.time()))
    signed = hmac.new(secret.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"stripe-signature": f"t={stamp},v1={signed}"}
    request = urllib.request.Request(f"{app.server.url}/http/stripe/webhook", body.encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def subscriptions(app: ConvexProject) -> Any:
    return app.call("billing:subscriptions", {"userId": "ann"})


def test_who_checks_out_is_a_customer_from_then_on(app: ConvexProject, internet: Internet) -> None:
    for _ in range(2):
        done = app.ok("run", "billing:checkout", '{"priceId": "price_1"}', "--identity", ANN)
        assert "https://pay.example.com/cs_1" in done.output
    made = [
        each
        for each in internet.to("api.stripe.com")
        if (each.method, each.path) == ("POST", "/v1/customers")
    ]
    assert len(made) == 1
    assert "Not authenticated" in app.convex("run", "billing:checkout", '{"priceId": "price_1"}').told


def test_a_subscription_is_what_the_webhook_told_last(app: ConvexProject) -> None:
    assert tell(app, "customer.subscription.created", subscription("trialing")) == 200
    assert tell(app, "customer.subscription.updated", subscription("active")) == 200
    [found] = subscriptions(app)
    assert (found["status"], found["quantity"], found["priceId"]) == ("active", 2, "price_1")
    assert app.call("billing:events") == ["customer.subscription.created", "customer.subscription.updated"]


def test_cancelling_changes_both_sides(app: ConvexProject) -> None:
    tell(app, "customer.subscription.created", subscription())
    app.call("billing:cancel", {"stripeSubscriptionId": "sub_1"})
    assert subscriptions(app)[0]["cancelAtPeriodEnd"] is True
    app.call("billing:cancel", {"stripeSubscriptionId": "sub_1", "cancelAtPeriodEnd": False})
    assert subscriptions(app)[0]["status"] == "canceled"


def test_a_payment_is_kept(app: ConvexProject) -> None:
    payment = {"id": "pi_1", "customer": "cus_1", "amount": 500, "currency": "eur", "status": "succeeded"}
    assert tell(app, "payment_intent.succeeded", {**payment, "created": 1_700_000_000, "metadata": {}}) == 200
    [found] = app.call("billing:payments", {"stripeCustomerId": "cus_1"})
    assert (found["amount"], found["currency"]) == (500, "eur")


def test_a_forged_event_changes_nothing(app: ConvexProject) -> None:
    before = app.call("billing:events")
    assert tell(app, "customer.subscription.deleted", subscription(), "whsec_forged") == 400
    assert app.call("billing:events") == before
