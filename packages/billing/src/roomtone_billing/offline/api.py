"""The API under /v1: key, parameters, idempotency, one transaction, expansion, and Stripe's way to say no."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import parse_qsl

from . import idempotency
from .endpoints import (
    accounts,
    catalogue,
    credit_notes,
    customers,
    discounts,
    entitlements,
    events,
    intents,
    invoice_items,
    invoices,
    meters,
    payments,
    refunds,
    schedules,
    search,
    sessions,
    subscription_items,
    subscriptions,
    tax_rates,
    test_clocks,
)
from .endpoints.routes import Call, Route
from .engine import clockwork
from .errors import InvalidRequest, NotSupported, OfflineOnly, RateLimited, ServerFault, ShapeMismatch, StripeError
from .expand import expand
from .faults import Fault, Faults
from .forms import decode
from .specification import Specification
from .world import API_VERSION, Origin, World

MODULES = (
    customers,
    catalogue,
    discounts,
    tax_rates,
    payments,
    intents,
    refunds,
    credit_notes,
    schedules,
    test_clocks,
    search,
    meters,
    entitlements,
    accounts,
    subscriptions,
    subscription_items,
    invoices,
    invoice_items,
    sessions,
    events,
)
FIELDS_MAX = 1000
NO_ANSWER = 504  # what a caller over HTTP sees of a time-out; in this process the SDK gets its connection error


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer with a JSON body."""

    status: int
    body: str
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Request:
    """An HTTP request: lower-case method, path from `/v1` on, and headers by lower-case name."""

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def idempotency_key(self) -> str | None:
        """The key of a POST; other methods need none."""
        return self.headers.get("idempotency-key") if self.method == "post" else None


class Api:
    """Answers requests. The caller holds the lock.

    Args:
        specification: checks the parameters.
    """

    def __init__(self, world: World, specification: Specification, faults: Faults) -> None:
        self._world = world
        self._specification = specification
        self._faults = faults
        # The path with the fewest ids first: create_preview is not an invoice's id.
        self._routes = sorted((route for module in MODULES for route in module.ROUTES), key=lambda route: route.weight)

    def answer(self, request: Request) -> Answer:
        """Answer one request; it leaves its whole effect or, when refused, none."""
        with self._world.store.transaction():
            request_id = self._world.new_id("req", length=14)
        self._world.origin = Origin(request_id=request_id, idempotency_key=request.idempotency_key)
        headers = {"request-id": request_id, "stripe-version": request.headers.get("stripe-version", API_VERSION)}
        fault = self._faults.take(request.method, request.path)
        try:
            check_key(request.headers.get("authorization", ""))
            account = self._account(request)
            if (fault and fault.kind == "rate_limit") or self._faults.is_too_fast(self._world.courier_now):
                raise RateLimited
            with self._world.store.seen_as(account):
                status, text, more = self._once(request, fault)
        except ShapeMismatch:
            raise  # a mistake of ours must stop the caller's test, and not look like an answer of Stripe
        except StripeError as error:
            status, text, more = error.status, json.dumps(error.body(), indent=2), {}
        if fault and fault.kind == "timeout":
            status, text = NO_ANSWER, ""
        headers["date"] = formatdate(self._world.courier_now, usegmt=True)
        return Answer(status=status, body=text, headers={**headers, **more, "content-type": "application/json"})

    def _account(self, request: Request) -> str | None:
        account = request.headers.get("stripe-account")
        if account is None:
            return None
        found = self._world.store.find("account", account)
        if found is None or found.get("deleted"):
            raise InvalidRequest(
                f"The provided key does not have access to account '{account}' (or that account does not exist).",
                code="account_invalid",
                status=403,
            )
        return account

    def _once(self, request: Request, fault: Fault | None) -> tuple[int, str, dict[str, str]]:
        key = request.idempotency_key
        if not key:
            return (*self._run(request, fault, key=None, fingerprint=""), {})
        if len(key) > idempotency.KEY_MAX:
            raise InvalidRequest(f"Idempotency-Key must be at most {idempotency.KEY_MAX} characters.")
        fingerprint = idempotency.make_fingerprint(request.method, request.path, request.body)
        # Each account has its own keys.
        own = key if self._world.store.account is None else f"{self._world.store.account}/{key}"
        kept = idempotency.replay(self._world, own, fingerprint)
        if kept is not None:
            return int(kept["status"]), str(kept["body"]), {"idempotency-key": key, "idempotent-replayed": "true"}
        return (*self._run(request, fault, key=own, fingerprint=fingerprint), {"idempotency-key": key})

    def _run(self, request: Request, fault: Fault | None, *, key: str | None, fingerprint: str) -> tuple[int, str]:
        route, call = self._read(request)
        try:
            with self._world.store.transaction(), clockwork.of_request(self._world, call.ids, call.params):
                status, text = self._handle(route, call)
                if fault and fault.kind == "server_error":
                    status, text = ServerFault.status, json.dumps(ServerFault().body(), indent=2)
                if key:
                    idempotency.keep(self._world, key, fingerprint, status=status, body=text)
        except StripeError as error:
            # What was refused while it ran is stored, too; what did not pass the checks before never ran.
            if key:
                with self._world.store.transaction():
                    idempotency.keep(self._world, key, fingerprint, status=error.status, body=json.dumps(error.body(), indent=2))
            raise
        return status, text

    def _handle(self, route: Route, call: Call) -> tuple[int, str]:
        try:
            result = route.handler(self._world, call)
            shown = expand(self._world, result, call.params.get("expand", []))
            self._world.check(shown)
            return 200, json.dumps(shown, indent=2)
        except StripeError as error:
            if not error.is_recorded:
                raise
            return error.status, json.dumps(error.body(), indent=2)

    def _read(self, request: Request) -> tuple[Route, Call]:
        for route in self._routes:
            match = route.pattern.fullmatch(request.path)
            if match and route.method == request.method:
                params = self._specification.checked(route.operation, decode(_pairs(request)))
                route.refuse_ignored(params)
                return route, Call(path=request.path, ids=match.groups(), params=params)
        name = f"{request.method.upper()} {request.path}"
        if self._specification.knows(request.method, request.path):
            raise NotSupported(name)
        raise InvalidRequest(f"Unrecognized request URL ({name}).", status=404)


def _pairs(request: Request) -> list[tuple[str, str]]:
    try:
        query = parse_qsl(request.query, keep_blank_values=True, max_num_fields=FIELDS_MAX)
        return query + parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise InvalidRequest(f"The request is not a UTF-8 form with at most {FIELDS_MAX} fields.") from error


def check_key(authorization: str) -> None:
    """Raise unless the header carries a test key, as Bearer or as the user of Basic."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    if not value:
        raise InvalidRequest("You did not provide an API key. Send `Authorization: Bearer sk_test_...`.", status=401)
    if value.startswith(("sk_live_", "rk_live_")):
        raise OfflineOnly(
            "This is the offline Stripe and you sent a live key. Replace that key now: it has left its safe place. Use sk_test_..."
        )
    if not value.startswith("sk_test_"):
        raise InvalidRequest("Invalid API Key provided. The offline Stripe takes any key that begins with sk_test_.", status=401)
