"""Changing a plan: a preview asked of Stripe, then a confirmation that does what was shown or refuses.

A confirmation claims its preview first, so that of two tabs one changes the plan and the other is told that it has changed. The key of
what it asks Stripe to do is the preview's token: confirmed twice, or again after a crash, it is done once.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from . import identity, lifecycle
from .desk import Desk
from .errors import ChangeInProgress, ChangeRefused, GatewayRefused, LimitsExceeded, NotPublished, PreviewOutdated, UnknownPreview
from .gateway import PreviewedInvoice, Wanted
from .models import AccountRow, PreviewRow
from .obstacle import Obstacle
from .plans import Interval
from .preview import SEATS, Confirmed, Moment, Preview, Shown, confirmed_json, moment, shown_json
from .snapshot import Status, Subscription
from .transactions import writing

LIFETIME = timedelta(minutes=30)
# Longer than all questions of one confirmation may take; a process that dies holds the account up for so long.
_CLAIM = timedelta(minutes=2)
_KEPT = timedelta(days=7)
_CHANGEABLE = frozenset({Status.active, Status.trialing})


def preview(desk: Desk, *, plan: str, interval: Interval | None, seats: int | None, when: Moment | None) -> Preview:
    """As `Account.preview_change` says."""
    found = lifecycle.living(desk)
    _refuse_unchangeable(desk, found)
    chosen = interval or found.price.interval or Interval.month
    current = desk.rules.catalogue.identify(plan=found.price.plan, lookup_key=found.price.lookup_key)
    catalogue, currency = desk.rules.catalogue, desk.currency(None)
    lookup_key = (catalogue.plan(plan) if plan == current else catalogue.plan_on_sale(plan)).lookup_key(chosen, currency)
    prices = desk.gateway.prices([lookup_key])
    if not prices:
        raise NotPublished(lookup_key)
    quantity = found.quantity if seats is None else seats
    if (prices[0].id, quantity) == (found.price.id, found.quantity):
        raise ChangeRefused(desk.account, "the subscription is that already")
    wanted = Wanted(subscription=found.id, item=found.item or "", price=prices[0].id, quantity=quantity)
    before, after = (current, found.price.interval, found.quantity), (plan, chosen, quantity)
    takes_effect = when or ("now" if found.status is Status.trialing else moment(catalogue, before=before, after=after, currency=currency))
    shown = _ask(desk, found, wanted, plan=plan, interval=chosen, takes_effect=takes_effect)
    _store(desk, shown)
    return shown.preview


def confirm(desk: Desk, token: str, *, override_reason: str | None) -> Confirmed:
    """As `Account.confirm` says."""
    shown, done, is_repeated = _claim(desk, token)
    if done is not None:
        return done
    try:
        found = lifecycle.living(desk)
        outcome = _outcome(desk, found, shown) if is_repeated else None
        if outcome is None:
            _refuse_outdated(desk, found, shown, override_reason)
            _apply(desk, found, shown, token)
            if override_reason:
                obstacles = {one.limit: one.used for one in shown.preview.obstacles}
                lifecycle.note(desk, "override_limits", reason=override_reason, **obstacles)
            desk.sync()
            outcome = _outcome(desk, lifecycle.living(desk), shown)
    except (PreviewOutdated, LimitsExceeded, ChangeRefused, GatewayRefused):
        _finish(desk, token, None)
        raise
    if outcome is None:
        # Stripe took the change and its truth does not show it yet; the same token may be confirmed again.
        raise ChangeInProgress(desk.account)
    _finish(desk, token, outcome)
    return outcome


def _ask(desk: Desk, found: Subscription, wanted: Wanted, *, plan: str, interval: Interval, takes_effect: Moment) -> Shown:
    at = desk.clock().replace(microsecond=0)
    with identity.located(desk):
        now = desk.gateway.preview_change(wanted, prorated_at=at) if takes_effect == "now" else None
        later = desk.gateway.preview_change(wanted, prorated_at=None)
    preview = Preview(
        token=secrets.token_urlsafe(24),
        plan_key=plan,
        interval=interval,
        seats=wanted.quantity,
        takes_effect=takes_effect,
        at=at if now else found.period_end,
        due_now_minor=now.due_minor if now else 0,
        credit_minor=-sum(line.amount_minor for line in now.lines if line.amount_minor < 0) if now else 0,
        next_minor=later.due_minor,
        next_at=_next_at(found, interval, now),
        currency=later.currency,
        lines=now.lines if now else (),
        obstacles=obstacles(desk, plan=plan, seats=wanted.quantity),
        expires_at=at + LIFETIME,
    )
    return Shown(preview=preview, wanted=wanted, basis=_basis(found), now=now, next=later)


def _next_at(found: Subscription, interval: Interval, now: PreviewedInvoice | None) -> datetime:
    """A change of the interval begins a new period now, at the end of which the next invoice comes."""
    if now is None or interval is found.price.interval:
        return found.period_end
    return max((line.period_end for line in now.lines), default=found.period_end)


def obstacles(desk: Desk, *, plan: str, seats: int | None) -> tuple[Obstacle, ...]:
    """Where the account uses more than the plan allows, as far as the host counts it."""
    limits = dict(desk.rules.catalogue.plan(plan).limits)
    used = dict(desk.rules.usage_of(desk.account)) if desk.rules.usage_of else {}
    if desk.rules.seats_of is not None and seats is not None:
        limits[SEATS], used[SEATS] = seats, desk.rules.seats_of(desk.account)
    return tuple(
        Obstacle(limit=name, used=used[name], allowed=allowed) for name, allowed in sorted(limits.items()) if used.get(name, 0) > allowed
    )


def _refuse_unchangeable(desk: Desk, found: Subscription) -> None:
    if found.status not in _CHANGEABLE:
        raise ChangeRefused(desk.account, "its last invoice is to be paid first")
    if found.collection_paused_at is not None:
        raise ChangeRefused(desk.account, "it is paused; resume it first")
    if found.cancel_at is not None:
        raise ChangeRefused(desk.account, "it is about to end; resume it first")
    if found.update_until is not None:
        raise ChangeRefused(desk.account, "another change waits for its payment; finish that first, or let it expire")


def _refuse_outdated(desk: Desk, found: Subscription, shown: Shown, override_reason: str | None) -> None:
    _refuse_unchangeable(desk, found)
    preview = shown.preview
    if _basis(found) != shown.basis:
        raise PreviewOutdated(desk.account, "the subscription has changed since")
    hindering = obstacles(desk, plan=preview.plan_key, seats=preview.seats)
    if hindering and not override_reason:
        raise LimitsExceeded(desk.account, preview.plan_key, hindering)
    now = desk.gateway.preview_change(shown.wanted, prorated_at=preview.at) if shown.now else None
    if not _is_same(now, shown.now) or not _is_same(desk.gateway.preview_change(shown.wanted, prorated_at=None), shown.next):
        raise PreviewOutdated(desk.account, "it costs something else now")


def _is_same(one: PreviewedInvoice | None, other: PreviewedInvoice | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.total_minor, one.due_minor, one.currency) == (other.total_minor, other.due_minor, other.currency)


def _apply(desk: Desk, found: Subscription, shown: Shown, token: str) -> None:
    if shown.preview.takes_effect == "period_end":
        desk.gateway.change_later(
            shown.wanted,
            interval=shown.preview.interval,
            schedule=found.schedule,
            discounts=[one.id for one in found.discounts],
            key=f"change-{token}",
        )
        return
    if found.schedule:
        desk.gateway.release_schedule(found.schedule)
    desk.gateway.change_now(shown.wanted, prorated_at=shown.preview.at, key=f"change-{token}")


def _outcome(desk: Desk, found: Subscription, shown: Shown) -> Confirmed | None:
    """What the truth says became of the change; None when it does not show it."""
    wanted = (shown.wanted.price, shown.wanted.quantity)
    if shown.preview.takes_effect == "period_end":
        planned = found.scheduled
        return Confirmed(state="scheduled", at=planned.at) if planned and (planned.price.id, planned.quantity) == wanted else None
    if (found.price.id, found.quantity) == wanted:
        return Confirmed(state="changed", at=shown.preview.at)
    if found.update_until is None:
        return None
    truth = desk.truth()
    invoice = truth.latest_invoice(found) if truth else None
    return Confirmed(state="payment_needed", at=found.update_until, url=invoice.hosted_url if invoice else None)


def _basis(found: Subscription) -> str:
    planned = found.scheduled
    return f"{found.id} {found.price.id} {found.quantity} {found.period_end.isoformat()} {planned and (planned.price.id, planned.quantity)}"


def _store(desk: Desk, shown: Shown) -> None:
    now = desk.clock()
    with writing(desk.engine) as session:
        old = PreviewRow.expires_at < now - _KEPT
        session.execute(delete(PreviewRow).where(PreviewRow.account == desk.account, old))
        body = shown_json.dump_python(shown, mode="json")
        preview = shown.preview
        session.add(PreviewRow(token=preview.token, account=desk.account, body=body, expires_at=preview.expires_at))


def _claim(desk: Desk, token: str) -> tuple[Shown, Confirmed | None, bool]:
    """Take the right to change the account, or what was done under the token before; True when somebody had begun."""
    now = desk.clock()
    with writing(desk.engine) as session:
        session.get_one(AccountRow, desk.account, with_for_update=True)
        row = session.get(PreviewRow, token)
        if row is None or row.account != desk.account:
            raise UnknownPreview(desk.account)
        shown = shown_json.validate_python(row.body)
        if row.outcome is not None:
            return shown, confirmed_json.validate_python(row.outcome), True
        had_begun = row.claimed_until is not None
        if row.expires_at <= now and not had_begun:
            raise PreviewOutdated(desk.account, "it is older than half an hour")
        busy = select(PreviewRow.token).where(PreviewRow.account == desk.account, PreviewRow.claimed_until > now)
        if session.scalars(busy.where(PreviewRow.outcome.is_(None))).first() is not None:
            raise ChangeInProgress(desk.account)
        row.claimed_until = now + _CLAIM
        return shown, None, had_begun


def _finish(desk: Desk, token: str, outcome: Confirmed | None) -> None:
    with writing(desk.engine) as session:
        row = session.get_one(PreviewRow, token)
        row.claimed_until = None
        if outcome is not None:
            row.outcome = confirmed_json.dump_python(outcome, mode="json")
