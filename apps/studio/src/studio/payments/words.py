"""Taking cards in plain words: what is still missing, where a request stands, and billing's refusals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from flask_babel import gettext as _

from roomtone_billing.errors import (
    AlreadyPaid,
    BillingError,
    CannotTakePayments,
    GatewayError,
    GatewayRefused,
    NotPaid,
    UnknownClientPayment,
)
from studio.errors import NotFound, Refused
from studio.payments.service import State


def missing(names: Iterable[str]) -> list[str]:
    """What the payment service still wants to know, each thing once, in the order it asks."""
    return list(dict.fromkeys(_thing(name) for name in names))


def _thing(name: str) -> str:
    if "document" in name:
        return _("A document that proves who you are")
    person = _("Who you are: name, address, date of birth")
    company = _("Your company’s details")
    things = {
        "external_account": _("The bank account that the money goes to"),
        "tos_acceptance": _("Your agreement to the terms of the payment service"),
        "business_profile": _("What your studio does, and where people find it"),
        "business_type": company,
        "company": company,
        **dict.fromkeys(("individual", "representative", "owners", "directors", "executives", "person"), person),
    }
    first = name.partition(".")[0]
    return things.get("person" if first.startswith("person_") else first, _("A few more details"))


def states() -> dict[State, tuple[str, str]]:
    """Words and tone of each state."""
    return {
        State.asked: (_("not paid yet"), "neutral"),
        State.processing: (_("on its way from the bank"), "info"),
        State.paid: (_("paid"), "success"),
        State.partly_refunded: (_("partly given back"), "warning"),
        State.refunded: (_("given back"), "neutral"),
        State.disputed: (_("taken back by the client’s bank"), "error"),
        State.withdrawn: (_("withdrawn"), "neutral"),
    }


@contextmanager
def refusals() -> Iterator[None]:
    """Billing's refusals as sentences.

    Raises:
        NotFound: there is no such payment.
        Refused: instead of any other.
    """
    try:
        yield
    except UnknownClientPayment as error:
        raise NotFound from error
    except BillingError as error:
        raise Refused(_sentence(error)) from error


def _sentence(error: BillingError) -> str:
    match error:
        case AlreadyPaid():
            return _("This is paid already, or the payment is on its way.")
        case CannotTakePayments():
            return _("Card payments are not possible at the moment. Please contact the studio.")
        case NotPaid():
            return _("This is not paid, so there is nothing to give back.")
        case GatewayRefused():
            return _("The payment service refused. Nothing was paid or given back.")
        case GatewayError():
            return _("The payment service does not answer. Please try again in a minute; nothing is charged twice.")
        case _:
            raise error
