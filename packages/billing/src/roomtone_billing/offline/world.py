"""What every part of the offline Stripe works on: the store, the clock, the ids and the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from .chaos import Chaos
from .clock import VirtualClock
from .ids import make_id
from .objects import Object
from .shapes import Shapes
from .store import Store

API_VERSION = "2026-10-28.endive"
AfterRetries = Literal["unpaid", "canceled", "past_due"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the account's owner would set in the dashboard.

    Attributes:
        base_url: where the pages are served; it is part of session and invoice addresses.
        webhook_url: an endpoint that receives every event, besides the registered ones.
        webhook_secret: signs what goes to `webhook_url`.
        retry_days: days after the first failed attempt at which a renewal is tried again; increasing.
        after_retries: what becomes of the subscription when the last of them fails.
        draft_s: seconds between a renewal's draft and its finalisation.
        business: the seller's name on pages and invoices.
        search_delay_s: seconds until searches see an object.
    """

    base_url: str = "http://127.0.0.1:4242"
    webhook_url: str | None = None
    webhook_secret: str = "whsec_offline"  # noqa: S105 - a documented test value
    retry_days: tuple[int, ...] = (1, 3, 5, 7)
    after_retries: AfterRetries = "unpaid"
    draft_s: int = 3600
    business: str = "Offline sandbox"
    search_delay_s: int = 60


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The API request that events name as their cause; both are None for what time does."""

    request_id: str | None = None
    idempotency_key: str | None = None


class World:
    """State and its surroundings. One lock guards it, held by `OfflineStripe`.

    Attributes:
        chaos: what happens to webhooks on their way.
        shapes: judges every answer and payload; None trusts them.
        test_clock: whose time counts at the moment; None is the account's.

    Args:
        seed: decides every id and secret.
        real: the clock under the virtual one.
        store: SQLite file or None.
    """

    def __init__(
        self, *, seed: int, real: Callable[[], datetime], store: Path | None, settings: Settings, chaos: Chaos | None = None
    ) -> None:
        self.seed = seed
        self.chaos = chaos or Chaos()
        self.store = Store(store)
        self.clock = VirtualClock(real, self.store)
        self.settings = settings
        self.origin = Origin()
        self.shapes: Shapes | None = None
        self.test_clock: str | None = None

    @property
    def now(self) -> int:
        """Time in whole seconds since 1970 as the objects at hand see it: their test clock's, else the account's."""
        if self.test_clock is not None:
            return int(self.store.get("test_helpers.test_clock", self.test_clock)["frozen_time"])
        return self.courier_now

    @property
    def courier_now(self) -> int:
        """The account's virtual time, which webhooks and lists go by whatever test clocks say."""
        return int(self.clock.now.timestamp())

    def new_id(self, prefix: str, *, length: int = 24) -> str:
        """Return the next id of a kind."""
        return make_id(prefix, seed=self.seed, number=self.store.count(f"id/{prefix}"), length=length)

    def check(self, value: Object) -> None:
        """Hold what is about to be sent out against Stripe's document, when that is asked for; raises ShapeMismatch."""
        if self.shapes is not None:
            self.shapes.demand(value)

    def url(self, path: str) -> str:
        """Return the full address of one of the pages."""
        return self.settings.base_url.rstrip("/") + path


def moment(seconds: int) -> datetime:
    """Return Stripe's unix seconds as an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)
