"""OfflineStripe: Stripe for a developer without the network, in this process or on a loopback port."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from . import idempotency
from .api import Answer, Api, Request
from .chaos import Chaos
from .clock import utc_now
from .courier import Courier, Post, post_to_loopback
from .engine import timeline
from .errors import OfflineOnly
from .faults import Fault, Faults, Kind
from .objects import Object
from .resources import accounts, customers, events
from .shapes import Shapes
from .specification import Specification
from .world import AfterRetries, Origin, Settings, World

if TYPE_CHECKING:
    import stripe

FORGET_S = 3600
ADVANCE_S_MAX = 20 * 366 * 86400


class OfflineStripe:
    """A stateful Stripe with its API, its pages, its clock and its webhooks. Safe to use from several threads.

    Args:
        seed: decides every id and secret; the same seed and calls give the same bytes.
        clock: real time; the virtual time is this plus what `advance` added.
        store: a SQLite file that keeps every acknowledged change and every undelivered webhook; None keeps memory only.
        webhook_url: receives every event; registered webhook endpoints receive theirs besides.
        webhook_secret: signs what goes to `webhook_url`.
        base_url: where the pages are; part of the addresses in sessions and invoices.
        post: sends a webhook and returns the HTTP status, in place of HTTP to the loopback interface.
        chaos: how the courier misbehaves; None delivers each event once and in order.
        retry_days: days after the first failed renewal at which it is tried again.
        after_retries: the subscription's state when the last retry failed.
        validate: hold every answer and webhook payload against Stripe's document, and raise ShapeMismatch rather than send a wrong one.
        business: the seller's name on pages and invoices.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        clock: Callable[[], datetime] = utc_now,
        store: Path | None = None,
        webhook_url: str | None = None,
        webhook_secret: str = "whsec_offline",  # noqa: S107 - a documented test value
        base_url: str = "http://127.0.0.1:4242",
        post: Post = post_to_loopback,
        chaos: Chaos | None = None,
        retry_days: tuple[int, ...] = (1, 3, 5, 7),
        after_retries: AfterRetries = "unpaid",
        validate: bool = False,
        business: str = "Offline sandbox",
    ) -> None:
        settings = Settings(
            base_url=base_url,
            webhook_url=webhook_url,
            webhook_secret=webhook_secret,
            retry_days=retry_days,
            after_retries=after_retries,
            business=business,
        )
        self.lock = RLock()
        self.world = World(seed=seed, real=clock, store=store, settings=settings, chaos=chaos)
        self.specification = Specification()
        self.world.shapes = Shapes(self.specification) if validate else None
        self.faults = Faults()
        self._api = Api(self.world, self.specification, self.faults)
        self._courier = Courier(self.world, self.lock, post=post)
        self._forgot_at = self.world.now
        self._app: Any = None  # made at first need: a user of the SDK alone does not load Flask

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return self.world.clock.now

    def respond(self, request: Request) -> Answer:
        """Answer one request to the API under /v1; the chaos setting may deliver its webhooks first."""
        with self.lock:
            answer = self._api.answer(request)
        self._courier.deliver_early(answer.headers["request-id"])
        return answer

    def http_client(self) -> stripe.HTTPClient:
        """Return the `http_client` for `stripe.StripeClient` that talks to this object without a socket."""
        from .client import InProcessClient

        return InProcessClient(self.respond)

    def client(self, key: str = "sk_test_offline", *, max_network_retries: int = 0) -> stripe.StripeClient:
        """Return the SDK's client on this object, without a socket."""
        import stripe

        return stripe.StripeClient(key, http_client=self.http_client(), max_network_retries=max_network_retries)

    def wsgi_app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve API, pages, console and control endpoints as a WSGI application."""
        with self.lock:
            if self._app is None:
                from .app import build_app

                self._app = build_app(self)
        return self._app(environ, start_response)  # type: ignore[no-any-return]

    def serve_at(self, base_url: str) -> None:
        """Say where the pages are served from now on."""
        with self.lock:
            self.world.settings = replace(self.world.settings, base_url=base_url)

    @contextmanager
    def transaction(self) -> Iterator[World]:
        """Hold the lock and change the state, all of it or nothing. What the pages do, as nobody's API request."""
        with self.lock, self.world.store.transaction():
            self.world.origin = Origin()
            yield self.world

    def advance(self, seconds: float) -> None:
        """Move the virtual clock and do, in order of time, what falls due; the webhooks of it are queued.

        Args:
            seconds: 0 to twenty years; 0 does what is due already.

        Raises:
            OfflineOnly: backwards or too far.
        """
        if not 0 <= seconds <= ADVANCE_S_MAX:
            raise OfflineOnly(f"Time can be advanced by 0 to {ADVANCE_S_MAX} seconds; {seconds} was asked for.", status=400)
        with self.lock:
            target = self.now + timedelta(seconds=seconds)
            timeline.run_until(self.world, target)
            if self.world.now - self._forgot_at >= FORGET_S:
                self._forgot_at = self.world.now
                with self.world.store.transaction():
                    events.forget_old(self.world)
                    idempotency.forget_old(self.world)

    def deliver(self, max: int = 1000) -> int:  # noqa: A002 - the documented name
        """Deliver the webhooks that are due, at most `max` attempts, and return how many arrived."""
        return self._courier.deliver(max)

    def decline(self, customer_id: str, *, declining: bool = True, account: str | None = None) -> None:
        """Let every charge of a customer be declined from now on, or stop that.

        Args:
            account: the connected account whose customer it is; None is the platform.

        Raises:
            InvalidRequest: there is no such customer.
        """
        with self.transaction() as world, world.store.seen_as(account):
            customers.set_declining(world, customer_id, declining=declining)

    def fail_next(self, kind: Kind, *, operation: str | None = None, times: int = 1) -> None:
        """Spoil the next requests: `rate_limit` (429), `server_error` (500 after the effect) or `timeout` (no answer, after the effect).

        Args:
            operation: a regular expression for `post /v1/customers`; None is whatever comes next.
            times: how many requests.
        """
        with self.lock:
            self.faults.add(Fault(kind=kind, operation=operation), times=times)

    def limit_rate(self, requests_per_s: int | None) -> None:
        """Answer 429 to more than so many requests within a second of the virtual clock; None lifts the limit."""
        with self.lock:
            self.faults.requests_per_s = requests_per_s

    def deauthorize(self, account_id: str) -> None:
        """Let a connected account leave the platform; raises InvalidRequest when there is no such account."""
        with self.transaction() as world:
            accounts.deauthorize(world, account_id)

    def restrict(self, account_id: str) -> None:
        """Let a connected account charge no longer, as when Stripe wants to know more; raises InvalidRequest when there is none."""
        with self.transaction() as world:
            accounts.restrict(world, account_id)

    def load(self, objects: Iterable[Object]) -> None:
        """Put whole objects in, as the API shows them: an export of an account, or Stripe's own examples. One with the same id is replaced.

        Effects: no events, and nothing is planned for them: a loaded subscription does not renew.
        """
        with self.transaction() as world:
            for each in objects:
                world.store.replace(str(each["object"]), each)

    def close(self) -> None:
        """Close the store's file."""
        with self.lock:
            self.world.store.close()
