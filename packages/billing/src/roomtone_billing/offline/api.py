"""The API under /v1: key, parameters, idempotency, one transaction, expansion, and Stripe's way to say no."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from . import idempotency
from .endpoints import catalogue, customers, events, invoices, payments, sessions, subscriptions
from .endpoints.routes import Call, Route
from .errors import InvalidRequest, NotSupported, OfflineOnly, StripeError
from .expand import expand
from .forms import decode
from .specification import Specification
from .world import Origin, World

MODULES = (customers, catalogue, payments, subscriptions, invoices, sessions, events)
FIELDS_MAX = 1000


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer with a JSON body."""

    status: int
    body: str
    headers: Mapping[str, str]


class Api:
    """Answers requests. The caller holds the lock.

    Args:
        specification: checks the parameters.
    """

    def __init__(self, world: World, specification: Specification) -> None:
        self._world = world
        self._specification = specification
        # The path with the fewest ids first: create_preview is not an invoice's id.
        self._routes = sorted((route for module in MODULES for route in module.ROUTES), key=lambda route: route.weight)

    def answer(self, method: str, path: str, *, query: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Answer one request.

        Args:
            method: `GET`, `POST` or `DELETE`.
            path: from `/v1` on, without the query.
            headers: by lower-case name.
        """
        with self._world.store.transaction():
            request_id = self._world.new_id("req", length=14)
        more = {"request-id": request_id, "stripe-version": headers.get("stripe-version", self._specification.version)}
        try:
            check_key(headers.get("authorization", ""))
            status, text = self._once(method.lower(), path, query, body, headers, request_id, more)
        except StripeError as error:
            status, text = error.status, json.dumps(error.body(), indent=2)
        return Answer(status=status, body=text, headers={**more, "content-type": "application/json"})

    def _once(
        self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str], request_id: str, more: dict[str, str]
    ) -> tuple[int, str]:
        key = headers.get("idempotency-key") if method == "post" else None
        self._world.origin = Origin(request_id=request_id, idempotency_key=key)
        if not key:
            return self._run(method, path, query, body, key=None, request="")
        if len(key) > idempotency.KEY_MAX:
            raise InvalidRequest(f"Idempotency-Key must be at most {idempotency.KEY_MAX} characters.")
        more["idempotency-key"] = key
        request = idempotency.fingerprint(method, path, body)
        kept = idempotency.replay(self._world, key, request)
        if kept is None:
            return self._run(method, path, query, body, key=key, request=request)
        more["idempotent-replayed"] = "true"
        return int(kept["status"]), str(kept["body"])

    def _run(self, method: str, path: str, query: str, body: bytes, *, key: str | None, request: str) -> tuple[int, str]:
        route, call = self._read(method, path, query, body)
        world = self._world
        try:
            with world.store.transaction():
                try:
                    result = route.handler(world, call)
                    status, text = 200, json.dumps(expand(world, result, call.params.get("expand", [])), indent=2)
                except StripeError as error:
                    if not error.is_recorded:
                        raise
                    status, text = error.status, json.dumps(error.body(), indent=2)
                if key:
                    idempotency.keep(world, key, request, status=status, body=text)
        except StripeError as error:
            # What was refused while it ran is stored, too; what did not pass the checks above never ran.
            if key:
                with world.store.transaction():
                    idempotency.keep(world, key, request, status=error.status, body=json.dumps(error.body(), indent=2))
            raise
        return status, text

    def _read(self, method: str, path: str, query: str, body: bytes) -> tuple[Route, Call]:
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match and route.method == method:
                try:
                    pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=FIELDS_MAX)
                    pairs += parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
                except ValueError as error:
                    raise InvalidRequest("The request is not a UTF-8 form with at most 1000 fields.") from error
                params = self._specification.checked(route.operation, decode(pairs))
                route.refuse_ignored(params)
                return route, Call(path=path, ids=match.groups(), params=params)
        if self._specification.knows(path):
            raise NotSupported(f"{method.upper()} {path}")
        raise InvalidRequest(f"Unrecognized request URL ({method.upper()}: {path}).", status=404)


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
