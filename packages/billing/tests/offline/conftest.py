"""An offline Stripe at a standing clock, the SDK's client on it, and Stripe's schemas as judges.

Tests marked `sandbox` can have a real Stripe sandbox in its place: docs/billing/real-sandbox.md says how.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn

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
# A test clock may be put on by two periods of its shortest subscription at once; the tests' are months and longer.
STEP_S = 27 * DAY
ADVANCING_S_MAX = 600


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


class Shop:
    """The short cuts that many tests take, on any Stripe.

    Attributes:
        own: what every customer of this shop is made with.
    """

    v1: stripe.StripeClient
    own: dict[str, Any]

    def __init__(self, client: stripe.StripeClient, own: dict[str, Any]) -> None:
        self.client, self.v1, self.own = client, client.v1, own

    def price(self, amount: int = 2900, *, interval: str = "month", product: str = "Solo", **more: Any) -> stripe.Price:
        made = self.v1.products.create({"name": product})
        return self.v1.prices.create(
            {"product": made.id, "currency": "eur", "unit_amount": amount, "recurring": {"interval": interval}, **more}
        )

    def customer(self, card: str | None = "pm_card_visa", **more: Any) -> stripe.Customer:
        customer = self.v1.customers.create({"email": "ana@example.com", "name": "Ana", **self.own, **more})
        if card is None:
            return customer
        method = self.v1.payment_methods.attach(card, {"customer": customer.id})
        return self.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})

    def subscribe(self, price: stripe.Price, *, card: str = "pm_card_visa", **more: Any) -> stripe.Subscription:
        customer = self.customer(card)
        return self.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}], **more})


class Sandbox(Shop):
    """An offline Stripe with its browser and its webhooks."""

    def __init__(self, **settings: Any) -> None:
        self.received: list[dict[str, Any]] = []
        defaults: dict[str, Any] = {"seed": 7, "clock": lambda: START, "webhook_url": "http://127.0.0.1:9/hook", "validate": True}
        self.offline = OfflineStripe(**{**defaults, "post": self._receive, **settings})
        super().__init__(stripe.StripeClient("sk_test_tests", http_client=self.offline.http_client(), max_network_retries=0), {})
        self.browser = Client(self.offline.wsgi_app)

    def _receive(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        event = self.client.construct_event(body, headers["Stripe-Signature"], "whsec_offline", tolerance=10**10)
        self.received.append(event.to_dict())
        return 200

    def pass_account_time(self, seconds: float) -> None:
        """Let time pass for what is on no test clock."""
        self.offline.advance(seconds)

    def event_types(self) -> list[str]:
        """All event types so far, oldest first."""
        return [each["type"] for each in self.offline.world.store.all("event")]

    def path(self, url: str | None) -> str:
        assert url is not None
        return url.removeprefix("http://127.0.0.1:4242")

    def close(self) -> None:
        self.offline.close()


class RealTime:
    """What `sandbox.offline` is on a real Stripe: the time of a test clock, and nothing else."""

    def __init__(self, client: stripe.StripeClient, clock: stripe.test_helpers.TestClock) -> None:
        self._clocks, self._id = client.v1.test_helpers.test_clocks, clock.id
        self.now = datetime.fromtimestamp(clock.frozen_time, UTC)

    def advance(self, seconds: float) -> None:
        until = int(self.now.timestamp() + seconds)
        while (at := int(self.now.timestamp())) < until:
            self._clocks.advance(self._id, {"frozen_time": min(until, at + STEP_S)})
            self.now = datetime.fromtimestamp(self._ready(), UTC)

    def _ready(self) -> int:
        give_up = time.monotonic() + ADVANCING_S_MAX
        while (clock := self._clocks.retrieve(self._id)).status == "advancing":
            assert time.monotonic() < give_up, f"the test clock {self._id} does not arrive"
            time.sleep(1)  # Stripe says nothing when it is done; nobody else waits for this
        assert clock.status == "ready", clock.status
        return int(clock.frozen_time)

    def __getattr__(self, name: str) -> NoReturn:
        pytest.skip(f"`offline.{name}` is a lever of the offline Stripe; a real one has none")


class RealSandbox(Shop):
    """A real Stripe sandbox with a test clock. What only the offline Stripe has skips the test that asks for it.

    Args:
        client: with a test key.
        settings: those of `Sandbox`; `clock` says when the test clock starts.
    """

    def __init__(self, client: stripe.StripeClient, **settings: Any) -> None:
        start = settings.pop("clock", lambda: START)()
        if settings:
            pytest.skip(f"a real Stripe cannot be set up with {', '.join(settings)}")
        clock = client.v1.test_helpers.test_clocks.create({"frozen_time": int(start.timestamp()), "name": "acceptance"})
        super().__init__(client, {"test_clock": clock.id})
        self.offline = RealTime(client, clock)

    def __getattr__(self, name: str) -> NoReturn:
        pytest.skip(f"`{name}` belongs to the offline Stripe alone")

    def close(self) -> None:
        self.v1.test_helpers.test_clocks.delete(self.own["test_clock"])


def real_client(key: str) -> stripe.StripeClient:
    """Return the client on the real sandbox whose key is given, or on the address in STRIPE_SANDBOX_URL."""
    if not key.startswith(("sk_test_", "rk_test_")):
        pytest.exit("STRIPE_SANDBOX_KEY must be a test key: these tests make and delete customers.", returncode=4)
    address = os.environ.get("STRIPE_SANDBOX_URL")
    return stripe.StripeClient(key, max_network_retries=5, **({"base_addresses": {"api": address}} if address else {}))


@pytest.fixture
def make_sandbox(request: pytest.FixtureRequest) -> Iterator[Callable[..., Shop]]:
    """Makes offline Stripes; for tests marked `sandbox`, chosen by `-m sandbox`, with STRIPE_SANDBOX_KEY set: real sandboxes."""
    key = os.environ.get("STRIPE_SANDBOX_KEY")
    is_real = key and "sandbox" in request.config.option.markexpr and request.node.get_closest_marker("sandbox")
    made: list[Any] = []

    def make(**settings: Any) -> Shop:
        made.append(RealSandbox(real_client(str(key)), **settings) if is_real else Sandbox(**settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Shop]) -> Shop:
    return make_sandbox()


@pytest.fixture
def open_sandbox() -> Callable[..., Sandbox]:
    """Makes offline Stripes that the caller closes: for thousands of them."""
    return Sandbox


@pytest.fixture
def make_real_sandbox() -> Callable[..., RealSandbox]:
    """The comparison's own sandbox, to be tested on an offline Stripe."""
    return RealSandbox


@pytest.fixture
def choose_real_client() -> Callable[[str], stripe.StripeClient]:
    return real_client
