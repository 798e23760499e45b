"""What a change of subscription does to a studio: credits, and whether it may be written to. Each event takes effect exactly once."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from roomtone_ai_credits import CREDIT
from roomtone_billing import Phase
from roomtone_billing.events import (
    PackBought,
    PackRefunded,
    PeriodRenewed,
    PhaseChanged,
    PlanChanged,
    SubscriptionEnded,
    SubscriptionStarted,
    TrialStarted,
)
from studio.platform import mail, queue, standing
from studio.platform.models import AuditEvent, Membership, User
from studio.platform.plans import AI_CREDITS, plan_named
from studio.services import Services

log = structlog.get_logger()

MAIL_AT = frozenset({Phase.grace, Phase.read_only, Phase.suspended})


def install(services: Services) -> None:
    """Attach the handlers; each runs in the control-plane transaction that marks its event as done."""
    billing = services.billing
    billing.on(TrialStarted, name="studio_trial_started")(partial(_trial_started, services))
    billing.on(SubscriptionStarted, name="studio_subscription_started")(partial(_subscription_started, services))
    billing.on(PeriodRenewed, name="studio_period_renewed")(partial(_period_renewed, services))
    billing.on(PlanChanged, name="studio_plan_changed")(partial(_plan_changed, services))
    billing.on(SubscriptionEnded, name="studio_subscription_ended")(partial(_subscription_ended, services))
    billing.on(PackBought, name="studio_pack_bought")(partial(_pack_bought, services))
    billing.on(PackRefunded, name="studio_pack_refunded")(partial(_pack_refunded, services))
    billing.on(PhaseChanged, name="studio_phase_changed")(partial(_phase_changed, services))


def _trial_started(services: Services, db: Session, event: TrialStarted) -> None:
    """A trial gives the plan's credits of one month."""
    _allow(services, db, event.account, event.plan_key, anchor=event.at, until=event.until, key=event.key)


def _subscription_started(services: Services, db: Session, event: SubscriptionStarted) -> None:
    """The first paid period: its monthly credits run from its start to its end."""
    _allow(services, db, event.account, event.plan_key, anchor=event.period_start, until=event.period_end, key=event.key)
    _mail_owner(services, db, event.account, key=event.key, template="subscribed", plan=plan_named(event.plan_key).name)


def _period_renewed(services: Services, db: Session, event: PeriodRenewed) -> None:
    """Another paid period: the credits go on."""
    _allow(services, db, event.account, event.plan_key, anchor=event.period_start, until=event.period_end, key=event.key)


def _plan_changed(services: Services, db: Session, event: PlanChanged) -> None:
    """Another plan within a paid period: credits only ever grow by the difference, so changing to and fro gains nothing."""
    _allow(services, db, event.account, event.after, anchor=event.period_start, until=event.period_end, key=event.key)


def _subscription_ended(services: Services, db: Session, event: SubscriptionEnded) -> None:
    services.credits.end_allowance(db, event.account, key=event.key)


def _pack_bought(services: Services, db: Session, event: PackBought) -> None:
    """A pack is the studio's until it is used up, whatever becomes of its plan."""
    services.credits.grant(
        db,
        event.account,
        amount=event.grants[AI_CREDITS] * CREDIT,
        key=event.key,
        kind="pack",
        cost_minor=event.amount_minor,
        currency=event.currency if event.amount_minor else None,
        reason=event.pack_key,
        actor="billing",
    )


def _pack_refunded(services: Services, db: Session, event: PackRefunded) -> None:
    """What is unused of the part that was refunded goes; what was used stays ours to bear."""
    if amount := event.grants.get(AI_CREDITS, 0) * CREDIT:
        key = event.bought_key
        services.credits.claw_back(db, event.account, key=key, amount=amount, part=event.key, reason="refund", actor="billing")


def _phase_changed(services: Services, db: Session, event: PhaseChanged) -> None:
    """Writing follows the phase: paid or in grace writes, unpaid reads, long unpaid waits. Payment undoes all of it."""
    standing.settle(db, services, event.account, reason=f"subscription is {event.after}", phase=event.after)
    db.add(AuditEvent(actor="system", action=f"phase.{event.after}", target=event.account, detail={"before": str(event.before)}))
    if event.after in MAIL_AT:
        _mail_owner(services, db, event.account, key=event.key, template=f"phase_{event.after}")
    log.info("phase changed", tenant=event.account, before=str(event.before), after=str(event.after))


def _allow(services: Services, db: Session, account: str, plan_key: str, *, anchor: datetime, until: datetime, key: str) -> None:
    amount = plan_named(plan_key).limits[AI_CREDITS] * CREDIT
    services.credits.set_allowance(db, account, amount=amount, anchor_at=anchor, ends_at=until, key=key)


def _mail_owner(services: Services, db: Session, tenant_key: str, *, key: str, template: str, **context: str) -> None:
    """Tell the studio's owners, each in their language."""
    tenant = services.database.tenancy.tenant(tenant_key)
    owners = db.scalars(select(User).join(Membership).where(Membership.tenant_key == tenant_key, Membership.role == "owner"))
    for owner in owners:
        facts = {
            "name": owner.name,
            "studio_name": tenant.metadata["name"],
            "url": services.settings.studio_url(tenant_key) + "/app/plan",
            **context,
        }
        mail.enqueue(db, key=f"{template}:{key}:{owner.public_id}", to=owner.email, template=template, locale=owner.locale, context=facts)
    queue.enqueue(db, services.jobs, "deliver_mail")
