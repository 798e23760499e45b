"""Filling gaps: every event Stripe still has is compared with the inbox, in order, and what is missing is stored as if it had come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine

from . import cursors, inbox
from .errors import GatewayRefused, MalformedEvent
from .gateway import Gateway
from .gateway.lists import EventPage, StripeEvent
from .pace import Pace

CURSOR = "backfill"
# Stripe keeps events for thirty days.
KEPT = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """What a run did: `missing` of the `compared` events had never come; the gap lies between their times.

    `is_complete` is False when the run stopped at its bound; the next goes on from there.
    """

    compared: int
    missing: int
    calls: int
    gap_from: datetime | None
    gap_until: datetime | None
    is_complete: bool


class _Run:
    """One run: what it compared so far."""

    def __init__(self, engine: Engine, gateway: Gateway, *, now: datetime, pages_max: int, pace: Pace) -> None:
        self.engine, self.gateway, self.now, self.pages_left, self.pace = engine, gateway, now, pages_max, pace
        self.compared = 0
        self.missing: list[datetime] = []

    def upwards(self, seen: str) -> bool:
        """From the last event compared to the newest; returns whether it got there."""
        has_more = True
        while has_more and self.pages_left:
            page = self._page(before=seen)
            if page.events:
                seen = page.events[0].id
                cursors.move(self.engine, CURSOR, {"seen": seen}, now=self.now)
            has_more = page.has_more
        return not has_more

    def downwards(self, place: dict[str, str], since: datetime) -> bool:
        """From the newest event back to `since`, the first time or after too long a silence."""
        has_more = True
        while has_more and self.pages_left:
            page = self._page(after=place.get("after"), since=since)
            if page.events:
                place = {"top": place.get("top", page.events[0].id), "after": page.events[-1].id, "since": since.isoformat()}
                cursors.move(self.engine, CURSOR, place, now=self.now)
            has_more = page.has_more
        if not has_more and "top" in place:
            cursors.move(self.engine, CURSOR, {"seen": place["top"]}, now=self.now)
        return not has_more

    def _page(self, *, after: str | None = None, before: str | None = None, since: datetime | None = None) -> EventPage:
        self.pages_left -= 1
        self.pace.wait()
        page = self.gateway.events(after=after, before=before, since=since)
        self._store(page.events)
        return page

    def _store(self, events: Sequence[StripeEvent]) -> None:
        for one in reversed(events):
            self.compared += 1
            try:
                receipt = inbox.store(self.engine, one.payload, livemode=self.gateway.livemode, now=self.now)
            except MalformedEvent:
                continue  # of a kind that no webhook of ours could have brought either
            if receipt.is_new:
                self.missing.append(one.created_at)


def run(engine: Engine, gateway: Gateway, *, now: datetime, since: datetime | None, pages_max: int, pace: Pace) -> Backfill:
    """Compare, at most `pages_max` pages of a hundred.

    Args:
        since: compare again from there; default go on after the last event compared, the first time thirty days back.
    Raises:
        GatewayError: Stripe could not be asked; the next run goes on.
    """
    place = {} if since else cursors.find(engine, CURSOR)
    under_way = _Run(engine, gateway, now=now, pages_max=pages_max, pace=pace)
    try:
        is_complete = under_way.upwards(place["seen"]) if "seen" in place else _down(under_way, place, since, now)
    except GatewayRefused as error:
        if error.code != "resource_missing":
            raise
        # The event we stood at is gone: nobody looked for a month.
        is_complete = under_way.downwards({}, now - KEPT)
    return Backfill(
        compared=under_way.compared,
        missing=len(under_way.missing),
        calls=pace.calls,
        gap_from=min(under_way.missing, default=None),
        gap_until=max(under_way.missing, default=None),
        is_complete=is_complete,
    )


def _down(under_way: _Run, place: dict[str, str], since: datetime | None, now: datetime) -> bool:
    begun = datetime.fromisoformat(place["since"]) if "since" in place else since or now - KEPT
    return under_way.downwards(place, begun)
