"""An offline Stripe at a standing clock, the SDK's client on it, and Stripe's schemas as judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
import stripe
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from werkzeug.test import Client

from roomtone_billing.offline import OfflineStripe
from roomtone_billing.offline.shapes import NEWER_FIELDS, NOT_RESOURCES, OLDER_FIELDS
from roomtone_billing.offline.specification import Specification

PREFIX = "#/components/schemas/"
START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
DAY = 86400


def as_json_schema(node: Any) -> Any:
    """Turn OpenAPI 3.0's `nullable` into a union with null and its references into JSON Schema's."""
    if isinstance(node, list):
        return [as_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node and isinstance(node["$ref"], str):
        return {"$ref": "stripe:" + node["$ref"].removeprefix(PREFIX)}
    plain = {name: as_json_schema(value) for name, value in node.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain


class Judge:
    """Holds objects, and whatever they contain, against the schema that Stripe names by their `object` field."""

    def __init__(self) -> None:
        schemas = Specification().schemas
        self._names = {
            schema["x-resourceId"]: name for name, schema in schemas.items() if "x-resourceId" in schema and not name.startswith("deleted_")
        }
        self._names |= {name: name for name in NOT_RESOURCES}
        converted = ((f"stripe:{name}", Resource(as_json_schema(schema), DRAFT202012)) for name, schema in schemas.items())
        self._registry: Registry[Any] = Registry().with_resources(converted)
        self._validators = {
            kind: jsonschema.Draft202012Validator({"$ref": f"stripe:{name}"}, registry=self._registry) for kind, name in self._names.items()
        }
        self._fields = {name: set(schema.get("properties", {})) for name, schema in schemas.items()}

    def problems(self, value: dict[str, Any]) -> list[str]:
        """Return what is wrong with one object: schema violations and fields Stripe does not have."""
        kind = value["object"]
        found = [f"{kind} {'/'.join(map(str, error.path))}: {error.message[:200]}" for error in self._validators[kind].iter_errors(value)]
        unknown = set(value) - self._fields[self._names[kind]] - NEWER_FIELDS.get(kind, set()) - OLDER_FIELDS.get(kind, set())
        return found + [f"{kind}: unknown field {name}" for name in sorted(unknown)]

    def error_problems(self, body: dict[str, Any]) -> list[str]:
        """Return what is wrong with an error's body."""
        validator = jsonschema.Draft202012Validator({"$ref": "stripe:error"}, registry=self._registry)
        return [error.message[:200] for error in validator.iter_errors(body)]


@pytest.fixture(scope="session")
def judge() -> Judge:
    return Judge()


class Sandbox:
    """An offline Stripe with a catalogue, and the short cuts that many tests take."""

    def __init__(self, **settings: Any) -> None:
        self.received: list[dict[str, Any]] = []
        defaults: dict[str, Any] = {"seed": 7, "clock": lambda: START, "webhook_url": "http://127.0.0.1:9/hook", "validate": True}
        self.offline = OfflineStripe(**{**defaults, "post": self._receive, **settings})
        self.client = stripe.StripeClient("sk_test_tests", http_client=self.offline.http_client(), max_network_retries=0)
        self.v1 = self.client.v1
        self.browser = Client(self.offline.wsgi_app)

    def _receive(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        event = self.client.construct_event(body, headers["Stripe-Signature"], "whsec_offline", tolerance=10**10)
        self.received.append(event.to_dict())
        return 200

    def price(self, amount: int = 2900, *, interval: str = "month", product: str = "Solo", **more: Any) -> stripe.Price:
        made = self.v1.products.create({"name": product})
        return self.v1.prices.create(
            {"product": made.id, "currency": "eur", "unit_amount": amount, "recurring": {"interval": interval}, **more}
        )

    def customer(self, card: str | None = "pm_card_visa", **more: Any) -> stripe.Customer:
        customer = self.v1.customers.create({"email": "ana@example.com", "name": "Ana", **more})
        if card is None:
            return customer
        method = self.v1.payment_methods.attach(card, {"customer": customer.id})
        return self.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})

    def subscribe(self, price: stripe.Price, *, card: str = "pm_card_visa", **more: Any) -> stripe.Subscription:
        customer = self.customer(card)
        return self.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}], **more})

    def event_types(self) -> list[str]:
        """All event types so far, oldest first."""
        return [each["type"] for each in self.offline.world.store.all("event")]

    def path(self, url: str | None) -> str:
        assert url is not None
        return url.removeprefix("http://127.0.0.1:4242")


@pytest.fixture
def make_sandbox() -> Callable[..., Sandbox]:
    return Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox()
    yield made
    made.offline.close()
