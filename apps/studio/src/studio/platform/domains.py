"""A studio's own addresses: the library's verbs, with sentences of ours where it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from roomtone_tenancy import Tenancy, normalise_host
from roomtone_tenancy.dns_lookup import txt_values
from roomtone_tenancy.errors import BadHost, DomainTaken, DomainUnproved, ReservedHost, TooManyClaims, UnknownDomain
from studio.errors import BadInput, NotFound
from studio.platform.plans import OWN_ADDRESSES
from studio.services import Services

FIELD = "host"


def claim(db: Session, services: Services, tenant_key: str, host: str) -> None:
    """Claim an address for a studio; it will be the primary one when it is proved.

    Raises:
        BadInput: it is no address, ours, another studio's, one claim too many, or more than the plan includes.
    """
    _refuse_full(services, tenant_key)
    with _refusals():
        services.database.tenancy.domains.add(db, tenant_key, host, primary=True)


def used(tenancy: Tenancy, tenant_key: str) -> int:
    """How many addresses of its own a studio has: proved ones, for a claim costs nobody anything."""
    return sum(1 for domain in tenancy.domains.list(tenant_key) if domain.verified_at is not None)


def found_in_dns(services: Services, host: str) -> tuple[str, ...]:
    """What DNS says of a claimed address now. Takes seconds: ask before the transaction.

    Raises:
        BadInput: it is no address.
    """
    with _refusals():
        return services.database.tenancy.domains.ask_dns(host, txt_values)


def prove(db: Session, services: Services, tenant_key: str, host: str, found: tuple[str, ...]) -> None:
    """Give a studio the address that it claimed, if what DNS says proves it.

    Raises:
        BadInput: it does not, another studio proved it first, or the plan includes no more.
        NotFound: the studio did not claim it, or too long ago.
    """
    _refuse_full(services, tenant_key)
    with _refusals():
        services.database.tenancy.domains.verify(db, tenant_key, host, found)


def make_primary(db: Session, services: Services, tenant_key: str, host: str) -> None:
    """Have the studio's public address be this one of its own.

    Raises:
        NotFound: it is not the studio's.
    """
    with _refusals():
        services.database.tenancy.domains.make_primary(db, tenant_key, host)


def remove(db: Session, services: Services, tenant_key: str, host: str) -> None:
    """Give an address up; the one on our own domain stays.

    Raises:
        BadInput: it is that one.
        NotFound: it is not the studio's.
    """
    with _refusals():
        if normalise_host(host) == normalise_host(services.settings.studio_host(tenant_key)):
            raise BadInput(FIELD, _("This address always leads to your studio."))
        services.database.tenancy.domains.remove(db, tenant_key, host)


def _refuse_full(services: Services, tenant_key: str) -> None:
    included = services.billing.account(tenant_key).check(OWN_ADDRESSES).limit
    if included is None or used(services.database.tenancy, tenant_key) < included:
        return
    raise BadInput(
        FIELD,
        ngettext(
            "Your plan includes %(num)s address of your own. Remove one, or choose a larger plan.",
            "Your plan includes %(num)s addresses of your own. Remove one, or choose a larger plan.",
            included,
        ),
    )


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except UnknownDomain as error:
        raise NotFound from error
    except ReservedHost as error:
        raise BadInput(FIELD, _("This is an address of ours. Enter one of your own.")) from error
    except BadHost as error:
        raise BadInput(FIELD, _("Enter an address such as studio.example.com.")) from error
    except DomainTaken as error:
        raise BadInput(FIELD, _("This address belongs to another studio.")) from error
    except TooManyClaims as error:
        raise BadInput(FIELD, _("Prove or remove some of your addresses first.")) from error
    except DomainUnproved as error:
        raise BadInput(FIELD, _("The record is not there yet. A new one can take an hour to show; try again later.")) from error
