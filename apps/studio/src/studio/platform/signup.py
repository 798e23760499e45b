"""Signing up: one transaction that makes the person, the studio's wish, the trial and the job, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from roomtone_billing import Interval
from roomtone_tenancy.errors import DomainTaken, TenantExists
from studio.errors import BadInput, NotFound
from studio.platform import accounts, queue
from studio.platform.models import Membership, SignUp, User
from studio.platform.passwords import is_correct
from studio.platform.slugs import SlugFault, slug_fault
from studio.services import Services


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person fills in.

    Attributes:
        attempt: a random value of the form; the same form sent twice is one sign-up.
    """

    attempt: str
    studio_name: str
    slug: str
    person_name: str
    email: str
    password: str
    plan: str
    interval: Interval
    locale: str
    timezone: str = "Europe/Paris"
    currency: str = "EUR"


def why_not(services: Services, slug: str) -> str | None:
    """Why a slug cannot be had, as a sentence; None when it is free. The same check serves the live hint and the refusal."""
    match slug_fault(slug):
        case SlugFault.too_short:
            return _("Use at least 3 characters.")
        case SlugFault.too_long:
            return _("Use at most 40 characters.")
        case SlugFault.shape:
            return _("Use lower-case letters, digits and single hyphens.")
        case None if services.database.tenancy.reserved.has_key(slug):
            return _("This name is kept for ourselves. Please choose another.")
        case None:
            return _("This address is taken. Please choose another.") if services.database.tenancy.exists(slug) else None


def sign_up(db: Session, services: Services, wish: Wish) -> SignUp:
    """Take a sign-up; the studio itself is made by the job that it enqueues.

    Raises:
        BadInput: the slug cannot be had, the password is too short, or the address belongs to a person with another password.

    Effects: user, membership, tenant (requested), trial, sign-up row and job, in the caller's transaction.
    """
    earlier = db.scalar(select(SignUp).where(SignUp.attempt == wish.attempt))
    if earlier is not None:
        return earlier
    if (fault := why_not(services, wish.slug)) is not None:
        raise BadInput("slug", fault)
    user = _person(db, wish)
    try:
        with db.begin_nested():
            services.database.tenancy.register(db, wish.slug, domains=[services.settings.studio_host(wish.slug)], metadata=_metadata(wish))
    except (TenantExists, DomainTaken) as error:
        raise BadInput("slug", _("This address is taken. Please choose another.")) from error
    db.add(Membership(user_id=user.id, tenant_key=wish.slug, role="owner"))
    services.billing.start_trial(db, wish.slug, plan=wish.plan, interval=wish.interval, email=user.email, name=wish.studio_name)
    sign_up = SignUp(attempt=wish.attempt, user_id=user.id, tenant_key=wish.slug)
    db.add(sign_up)
    db.flush()
    _enqueue(db, services, wish.slug)
    return sign_up


def sign_up_of(db: Session, user_id: str, public_id: str) -> SignUp:
    """A person's own sign-up.

    Raises:
        NotFound: there is none, or it is another person's.
    """
    row = db.get(SignUp, public_id)
    if row is None or row.user.public_id != user_id:
        raise NotFound
    return row


def _person(db: Session, wish: Wish) -> User:
    """The person who signs up: new, or known by address and password."""
    known = accounts.find_user(db, wish.email)
    if known is None:
        return accounts.create_user(db, email=wish.email, name=wish.person_name, password=wish.password, locale=wish.locale)
    if not is_correct(wish.password, known.password_hash):
        raise BadInput("password", _("This e-mail address has another password. Use that one to add a studio to your account."))
    return known


def _metadata(wish: Wish) -> dict[str, str]:
    return {"name": wish.studio_name, "timezone": wish.timezone, "currency": wish.currency, "locale": wish.locale}


def _enqueue(db: Session, services: Services, tenant_key: str) -> None:
    queue.enqueue(db, services.jobs, "bill")  # the trial's credits
    queue.enqueue(db, services.jobs, "provision", tenant_key=tenant_key)
