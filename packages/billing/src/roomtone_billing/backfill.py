"""Filling gaps: every event Stripe still has is compared with the inbox, in order, and what is missing is stored as if it had come.

The platform's own events first, then those of each connected account; each has its own place to go on from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from . import cursors, inbox
from .connect_state import ConnectState
from .errors import GatewayRefused, MalformedEvent
from .gateway import Gateway
from .gateway.lists import EventPage, StripeEvent
from .models import SellerRow
from .pace import Pace

CURSOR, CURSOR_OF_SELLERS = "backfill", "backfill sellers"
# Stripe keeps events for thirty days.
KEPT = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """What a run did: `missing` of the `compared` events had never come; the gap lies between their times.

    `refused` are connected accounts that could not be asked: they may have left. `is_complete` is False when the run stopped at its
    bound; the next goes on from there.
    """

    compared: int
    missing: int
    calls: int
    gap_from: datetime | None
    gap_until: datetime | None
    refused: tuple[str, ...]
    is_complete: bool


class _Run:
    """One run: what it compared so far, and how much more it may."""

    def __init__(self, engine: Engine, gateway: Gateway, *, now: datetime, since: datetime | None, pages_max: int, pace: Pace) -> None:
        self.engine, self.gateway, self.now, self.since = engine, gateway, now, since
        self.pages_left, self.pace = pages_max, pace
        self.compared = 0
        self.missing: list[datetime] = []
        self.refused: list[str] = []

    def sellers(self) -> bool:
        """The events of each connected account in order of its name, from where the last run stopped; returns whether it got round."""
        while True:
            account = cursors.find(self.engine, CURSOR_OF_SELLERS).get("account", "")
            living = (SellerRow.stripe_account.is_not(None), SellerRow.state != ConnectState.deauthorised, SellerRow.account > account)
            with Session(self.engine) as session:
                found = session.execute(
                    select(SellerRow.account, SellerRow.stripe_account).where(*living).order_by(SellerRow.account).limit(1)
                ).first()
            if found is None:
                cursors.forget(self.engine, CURSOR_OF_SELLERS)
                return True
            if not self.pages_left:
                return False
            try:
                if not _Events(self, found[1] or "").compare():
                    return False
            except GatewayRefused:
                self.refused.append(found[0])
            cursors.move(self.engine, CURSOR_OF_SELLERS, {"account": found[0]}, now=self.now)


class _Events:
    """The events of one account, the platform's own when it has no name."""

    def __init__(self, run: _Run, stripe_account: str) -> None:
        self.run, self.stripe_account = run, stripe_account
        # The end of an id is what is its own.
        self.cursor = f"{CURSOR} {stripe_account}"[-40:] if stripe_account else CURSOR

    def compare(self) -> bool:
        """Go on after the last event compared; returns whether the newest was reached."""
        run = self.run
        place = {} if run.since else cursors.find(run.engine, self.cursor)
        try:
            if "seen" in place:
                return self._upwards(place["seen"])
            begun = datetime.fromisoformat(place["since"]) if "since" in place else run.since or run.now - KEPT
            return self._downwards(place, begun)
        except GatewayRefused as error:
            if error.code != "resource_missing" or not place:
                raise
            # The event we stood at is gone: nobody looked for a month.
            return self._downwards({}, run.now - KEPT)

    def _upwards(self, seen: str) -> bool:
        """From the last event compared to the newest."""
        has_more = True
        while has_more and self.run.pages_left:
            page = self._page(before=seen)
            if page.events:
                seen = page.events[0].id
                self._move({"seen": seen})
            has_more = page.has_more
        return not has_more

    def _downwards(self, place: dict[str, str], since: datetime) -> bool:
        """From the newest event back to `since`, the first time or after too long a silence."""
        has_more = True
        while has_more and self.run.pages_left:
            page = self._page(after=place.get("after"), since=since)
            if page.events:
                place = {"top": place.get("top", page.events[0].id), "after": page.events[-1].id, "since": since.isoformat()}
                self._move(place)
            has_more = page.has_more
        if not has_more and "top" in place:
            self._move({"seen": place["top"]})
        return not has_more

    def _move(self, place: dict[str, str]) -> None:
        cursors.move(self.run.engine, self.cursor, place, now=self.run.now)

    def _page(self, *, after: str | None = None, before: str | None = None, since: datetime | None = None) -> EventPage:
        self.run.pages_left -= 1
        self.run.pace.wait()
        page = self.run.gateway.events(stripe_account=self.stripe_account, after=after, before=before, since=since)
        self._store(page.events)
        return page

    def _store(self, events: Sequence[StripeEvent]) -> None:
        run = self.run
        for one in reversed(events):
            run.compared += 1
            try:
                receipt = inbox.store(run.engine, one.payload, livemode=run.gateway.livemode, now=run.now)
            except MalformedEvent:
                continue  # of a kind that no webhook of ours could have brought either
            if receipt.is_new:
                run.missing.append(one.created_at)


def run(engine: Engine, gateway: Gateway, *, now: datetime, since: datetime | None, pages_max: int, pace: Pace) -> Backfill:
    """Compare, at most `pages_max` pages of a hundred.

    Args:
        since: compare again from there; default go on after the last event compared, the first time thirty days back.
    Raises:
        GatewayError: Stripe could not be asked; the next run goes on.
    """
    under_way = _Run(engine, gateway, now=now, since=since, pages_max=pages_max, pace=pace)
    is_complete = _Events(under_way, "").compare() and under_way.sellers()
    return Backfill(
        compared=under_way.compared,
        missing=len(under_way.missing),
        calls=pace.calls,
        gap_from=min(under_way.missing, default=None),
        gap_until=max(under_way.missing, default=None),
        refused=tuple(under_way.refused),
        is_complete=is_complete,
    )
