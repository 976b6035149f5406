"""Products and subscriptions that a service tells of (`@convex-dev/polar`)."""

from __future__ import annotations

import base64
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

APP = "polar"
SECRET = "a secret"
VARIABLES = {"POLAR_ORGANIZATION_TOKEN": "polar_oat_1", "POLAR_WEBHOOK_SECRET": SECRET}
THEN = "2026-01-01T00:00:00Z"
UNSET = (
    "canceled_at checkout_id current_meter_period_end current_meter_period_start "
    "customer_cancellation_comment customer_cancellation_reason discount discount_id ended_at ends_at "
    "modified_at paused_at pending_update resumes_at seats trial_end trial_start trial_interval "
    "trial_interval_count"
)
NEVER = dict.fromkeys(UNSET.split())
UNKNOWN = "avatar_url billing_address deleted_at external_id locale modified_at name tax_id billing_name"
CUSTOMER = {
    **dict.fromkeys(UNKNOWN.split()),
    "default_payment_method_id": None,
    "created_at": THEN,
    "email": "ann@example.com",
    "email_verified": True,
    "id": "customer-1",
    "metadata": {},
    "organization_id": "organization-1",
    "type": "individual",
}


def product(id: str, name: str, cents: int = 900) -> dict[str, Any]:
    price = {
        "amount_type": "fixed",
        "created_at": THEN,
        "id": f"{id}-price",
        "is_archived": False,
        "modified_at": None,
        "price_amount": cents,
        "price_currency": "usd",
        "product_id": id,
        "source": "catalog",
        "tax_behavior": None,
    }
    return {
        **NEVER,
        "attached_custom_fields": [],
        "benefits": [],
        "created_at": THEN,
        "description": None,
        "id": id,
        "is_archived": False,
        "is_recurring": True,
        "medias": [],
        "metadata": {},
        "meter_interval": "month",
        "meter_interval_count": 1,
        "name": name,
        "organization_id": "organization-1",
        "prices": [price],
        "recurring_interval": "month",
        "recurring_interval_count": 1,
        "visibility": "public",
    }


def subscription(status: str, **fields: Any) -> dict[str, Any]:
    return {
        **NEVER,
        "amount": 900,
        "cancel_at_period_end": False,
        "created_at": THEN,
        "currency": "usd",
        "current_period_end": "2036-02-01T00:00:00Z",
        "current_period_start": THEN,
        "custom_field_data": {},
        "customer": CUSTOMER,
        "customer_id": "customer-1",
        "id": "subscription-1",
        "metadata": {},
        "meters": [],
        "pause_at_period_end": False,
        "prices": [],
        "product": product("product-1", "Premium"),
        "product_id": "product-1",
        "recurring_interval": "month",
        "recurring_interval_count": 1,
        "started_at": THEN,
        "status": status,
        **fields,
    }


def service(asked: Asked) -> Answer:
    """What the service answers to what the SDK asks."""
    assert asked.headers["authorization"] == "Bearer polar_oat_1"
    match asked.method, asked.path.partition("?")[0]:
        case "GET", "/v1/products/":
            page = 2 if "page=2" in asked.path else 1
            item = product(f"product-{page}", ["Premium", "Plus"][page - 1])
            return Answer(200, {"items": [item], "pagination": {"total_count": 2, "max_page": 2}})
        case "POST", "/v1/customer-sessions/":
            assert asked.json["customer_id"] == "customer-1"
            session = {
                "created_at": THEN,
                "customer": CUSTOMER,
                "customer_id": "customer-1",
                "customer_portal_url": "https://polar.example.com/portal",
                "expires_at": THEN,
                "id": "session-1",
                "modified_at": None,
                "return_url": None,
                "token": "t",
            }
            return Answer(201, session)
        case "PATCH", "/v1/subscriptions/subscription-1":
            return Answer(200, subscription("active", cancel_at_period_end=True))
    return Answer(404, {"error": "ResourceNotFound", "detail": asked.path})


@pytest.fixture(scope="module", autouse=True)
def polar(app: ConvexProject, internet: Internet) -> None:
    internet.services["sandbox-api.polar.sh"] = service
    app.call("billing:meet", {"id": "customer-1"})


def tell(app: ConvexProject, kind: str, data: dict[str, Any], secret: str = SECRET) -> int:
    """What the service tells the webhook, signed."""
    body = json.dumps({"type": kind, "timestamp": THEN, "data": data})
    stamp = str(int(time.time()))
    signed = hmac.digest(secret.encode(), f"msg.{stamp}.{body}".encode(), hashlib.sha256)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": "msg",
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
    request = urllib.request.Request(f"{app.server.url}/http/polar/events", body.encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_products_are_fetched_page_by_page(app: ConvexProject) -> None:
    app.call("billing:sync")
    names = {each["name"] for each in app.call("billing:listAllProducts")}
    assert {"Premium", "Plus"} <= names
    assert app.call("billing:getConfiguredProducts")["premium"]["prices"][0]["priceAmount"] == 900


def test_a_product_changes_when_the_webhook_tells(app: ConvexProject) -> None:
    assert tell(app, "product.created", product("product-3", "Three")) == 202
    assert tell(app, "product.updated", product("product-3", "Third", 1200)) == 202
    [third] = [each for each in app.call("billing:listAllProducts") if each["id"] == "product-3"]
    assert (third["name"], third["prices"][0]["priceAmount"]) == ("Third", 1200)
    assert tell(app, "product.updated", product("product-3", "Forged"), "another secret") == 403


def test_a_subscription_is_followed_and_cancelled(app: ConvexProject, internet: Internet) -> None:
    app.call("billing:sync")
    assert app.call("billing:current") is None
    assert tell(app, "subscription.created", subscription("active")) == 202
    assert app.call("billing:current") == {"status": "active", "key": "premium", "product": "Premium"}
    app.call("billing:cancelCurrentSubscription", {})
    assert internet.to("sandbox-api.polar.sh")[-1].json == {"cancel_at_period_end": True}
    ended = subscription("canceled", ended_at="2026-01-02T00:00:00Z", modified_at="2026-01-02T00:00:00Z")
    assert tell(app, "subscription.updated", ended) == 202
    assert app.call("billing:current") is None
    [kept] = app.call("billing:listAllSubscriptions")
    assert kept["status"] == "canceled"


def test_a_customer_is_sent_to_the_portal(app: ConvexProject) -> None:
    url = app.call("billing:generateCustomerPortalUrl", {})["url"]
    assert url == "https://polar.example.com/portal"
