"""The doctor: what is wrong between this host, its database and Stripe, each with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from . import backlog, schema
from .errors import GatewayError, GatewayRefused
from .gateway import Gateway
from .models import InboxRow

# Stripe tries a webhook again within minutes; what is younger may still be on its way.
DELIVERY_DELAY = timedelta(minutes=15)
CLOCK_S_MAX = 60
BACKLOG_S_MAX = 600


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check: `detail` is what was found, `fix` what to do, empty when it is well."""

    check: str
    is_ok: bool
    detail: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Patient:
    """What is examined; `drift` lists what publishing the catalogue would change, `url` is the endpoint's address when known."""

    engine: Engine
    gateway: Gateway
    now: datetime
    drift: Callable[[], Sequence[object]]
    url: str | None


def examine(patient: Patient) -> list[Finding]:
    """Every check, in an order in which the first that fails often explains those after it. Reads only."""
    found = [check(patient) for check in (_schema, _secrets)]
    key = _key(patient)
    if not key.is_ok:
        return [*found, key]
    asking = (_endpoint, _version, _delivery, _catalogue, _clock)
    return [*found, key, *(_asked(check, patient) for check in asking), *([_backlog(patient)] if found[0].is_ok else [])]


def _asked(check: Callable[[Patient], Finding], patient: Patient) -> Finding:
    name = check.__name__.removeprefix("_").replace("_", " ")
    try:
        return check(patient)
    except GatewayError as error:
        return Finding(check=name, is_ok=False, detail=str(error), fix="give the key the right to read this, or look at status.stripe.com")
    except SQLAlchemyError as error:
        return Finding(check=name, is_ok=False, detail=f"{type(error).__name__}", fix="call schema.upgrade(engine)")


def _schema(patient: Patient) -> Finding:
    try:
        is_current = schema.is_current(patient.engine)
    except SQLAlchemyError as error:
        return Finding(check="schema", is_ok=False, detail=f"the database does not answer: {error}", fix="check the engine's address")
    if is_current:
        return Finding(check="schema", is_ok=True, detail="the tables are of this version")
    return Finding(check="schema", is_ok=False, detail="the tables are of another version", fix="call schema.upgrade(engine)")


def _secrets(patient: Patient) -> Finding:
    secrets = [one for one in patient.gateway.webhook_secrets if one]
    wrong = [one for one in secrets if not one.startswith("whsec_")]
    if secrets and not wrong:
        return Finding(check="secrets", is_ok=True, detail=f"{len(secrets)} signing secret(s) accepted")
    detail = (
        f"{len(wrong)} of the signing secrets do not begin with whsec_" if wrong else "there is no signing secret: every webhook is refused"
    )
    return Finding(check="secrets", is_ok=False, detail=detail, fix="pass the endpoint's signing secret (whsec_…) as webhook_secrets=[…]")


def _key(patient: Patient) -> Finding:
    try:
        patient.gateway.server_time()
    except GatewayRefused as error:
        return Finding(check="key", is_ok=False, detail=str(error), fix="pass a secret key of this Stripe account that may read events")
    except GatewayError as error:
        return Finding(check="key", is_ok=False, detail=str(error), fix="check the network and status.stripe.com, then try again")
    return Finding(check="key", is_ok=True, detail=f"Stripe answers in {'live' if patient.gateway.livemode else 'test'} mode")


def _endpoint(patient: Patient) -> Finding:
    endpoints = patient.gateway.endpoints()
    ours = [one for one in endpoints if patient.url in {None, one.url}]
    if not ours:
        where = f" for {patient.url}" if patient.url else ""
        fix = "register the address of your webhook route at Stripe, with all events of customer.*, invoice.* and checkout.session.*"
        return Finding(check="endpoint", is_ok=False, detail=f"no webhook endpoint is registered{where}", fix=fix)
    if not any(one.is_enabled for one in ours):
        fix = "enable it in Stripe's dashboard, then run `billing backfill`"
        return Finding(check="endpoint", is_ok=False, detail=f"{ours[0].url} is disabled", fix=fix)
    needed = ("customer.subscription.updated", "invoice.paid")
    deaf = [kind for kind in needed if not any(one.is_enabled and {"*", kind} & set(one.events) for one in ours)]
    if deaf:
        fix = f"add {', '.join(deaf)} to the endpoint's events"
        return Finding(check="endpoint", is_ok=False, detail=f"{ours[0].url} is not sent {', '.join(deaf)}", fix=fix)
    return Finding(check="endpoint", is_ok=True, detail=f"{ours[0].url} is enabled")


def _version(patient: Patient) -> Finding:
    """Of the endpoints, and of the account where they name none: both show in the events."""
    spoken = patient.gateway.api_version
    other = [one for one in patient.gateway.endpoints() if patient.url in {None, one.url} and one.api_version not in {None, spoken}]
    if not other:
        return Finding(check="API version", is_ok=True, detail=f"{spoken} on both sides")
    fix = f"make a new endpoint with api_version={spoken}, accept both secrets for a while, then delete {other[0].id}"
    detail = f"{other[0].url} is sent events of {other[0].api_version}, and the SDK speaks {spoken}"
    return Finding(check="API version", is_ok=False, detail=detail, fix=fix)


def _delivery(patient: Patient) -> Finding:
    """Events that Stripe has had for a while, and that never came, mean a wrong secret or a wrong address."""
    page = patient.gateway.events()
    due = [one for one in page.events if one.created_at < patient.now - DELIVERY_DELAY]
    with Session(patient.engine) as session:
        here = set(session.scalars(select(InboxRow.event_id).where(InboxRow.event_id.in_([one.id for one in due]))))
    absent = [one for one in due if one.id not in here]
    if not absent:
        return Finding(check="delivery", is_ok=True, detail=f"the newest {len(due)} events of Stripe are here")
    fix = "compare the signing secret with the endpoint's, look at its failed deliveries at Stripe, then run `billing backfill`"
    oldest = min(one.created_at for one in absent)
    detail = f"{len(absent)} of the newest {len(due)} events never came, the first of {oldest:%Y-%m-%d %H:%M} UTC"
    return Finding(check="delivery", is_ok=False, detail=detail, fix=fix)


def _catalogue(patient: Patient) -> Finding:
    changes = patient.drift()
    if not changes:
        return Finding(check="catalogue", is_ok=True, detail="Stripe sells what the catalogue says")
    return Finding(check="catalogue", is_ok=False, detail="; ".join(str(one) for one in changes[:5]), fix="run `billing catalog apply`")


def _clock(patient: Patient) -> Finding:
    ahead_s = (patient.now - patient.gateway.server_time()).total_seconds()
    if abs(ahead_s) <= CLOCK_S_MAX:
        return Finding(check="clock", is_ok=True, detail=f"{ahead_s:+.0f} s from Stripe's")
    fix = "let the machine follow a time server; signatures are refused when clocks are too far apart"
    return Finding(check="clock", is_ok=False, detail=f"{ahead_s:+.0f} s from Stripe's", fix=fix)


def _backlog(patient: Patient) -> Finding:
    with Session(patient.engine) as session:
        found = backlog.measure(session, now=patient.now)
    if found.dead:
        fix = "run `billing inbox`, mend the cause, then run `billing replay --failed`"
        return Finding(check="backlog", is_ok=False, detail=f"{found.dead} events were put aside after too many failures", fix=fix)
    oldest_s = max(found.inbox_age_s, found.outbox_age_s)
    if oldest_s > BACKLOG_S_MAX:
        fix = "start `billing worker`, or more of them"
        return Finding(check="backlog", is_ok=False, detail=f"the oldest event waits for {oldest_s:.0f} s", fix=fix)
    if found.sweep_age_s > BACKLOG_S_MAX * 6:
        fix = "start `billing worker`, or call `sweep` every few minutes"
        return Finding(check="backlog", is_ok=False, detail=f"an account waits for its sweep for {found.sweep_age_s:.0f} s", fix=fix)
    return Finding(check="backlog", is_ok=True, detail=f"nothing waits for more than {oldest_s:.0f} s")
