"""Stripe's documented test cards, and what each of them does.

Source: https://docs.stripe.com/testing
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .errors import CardDeclined


@dataclass(frozen=True, kw_only=True)
class Decline:
    """Why a bank says no, in Stripe's words."""

    code: str = "card_declined"
    decline_code: str | None = None
    message: str = "Your card was declined."


@dataclass(frozen=True, kw_only=True)
class Card:
    """One test card.

    Attributes:
        aliases: payment method ids that stand for it, such as `pm_card_visa`.
        on_attach: why it cannot be saved; None when it can.
        on_charge: why it cannot be charged.
        on_settlement: why a bank debit comes back days later.
        disputes: the cardholder disputes what was charged at once.
        authenticates: asks for 3-D Secure never, until it was set up once, or at every payment.
        about: what a person should expect of it.
    """

    number: str
    brand: str
    aliases: tuple[str, ...]
    about: str
    funding: str = "credit"
    on_attach: Decline | None = None
    on_charge: Decline | None = None
    on_settlement: Decline | None = None
    authenticates: Literal["never", "until_set_up", "always"] = "never"
    disputes: bool = False

    @property
    def last4(self) -> str:
        """The four digits that people see."""
        return self.number[-4:]


GENERIC = Decline(decline_code="generic_decline")
NO_FUNDS = Decline(decline_code="insufficient_funds", message="Your card has insufficient funds.")
LOST = Decline(decline_code="lost_card")
STOLEN = Decline(decline_code="stolen_card")
VELOCITY = Decline(decline_code="card_velocity_exceeded")
FRAUD = Decline(decline_code="fraudulent")
EXPIRED = Decline(code="expired_card", decline_code="expired_card", message="Your card has expired.")
BAD_CVC = Decline(code="incorrect_cvc", decline_code="incorrect_cvc", message="Your card's security code is incorrect.")
PROCESSING = Decline(
    code="processing_error",
    decline_code="processing_error",
    message="An error occurred while processing your card. Try again in a little bit.",
)
AUTHENTICATION = Decline(
    code="authentication_required",
    decline_code="authentication_required",
    message="Your card was declined. This transaction requires authentication.",
)
DEBIT_RETURNED = Decline(
    code="insufficient_funds", decline_code=None, message="The customer's account has insufficient funds to cover this payment."
)
NOT_A_TEST_CARD = Decline(
    decline_code="test_mode_live_card", message="Your card was declined. Your request was in test mode, but used a non test card."
)
INCORRECT_NUMBER = Decline(code="incorrect_number", message="Your card number is incorrect.")


def _declined(number: str, alias: str, decline: Decline, about: str) -> Card:
    return Card(number=number, brand="visa", aliases=(alias,), about=about, on_attach=decline, on_charge=decline)


CARDS = (
    Card(number="4242424242424242", brand="visa", aliases=("pm_card_visa",), about="Succeeds"),
    Card(number="4000056655665556", brand="visa", aliases=("pm_card_visa_debit",), about="Succeeds (debit)", funding="debit"),
    Card(number="5555555555554444", brand="mastercard", aliases=("pm_card_mastercard",), about="Succeeds"),
    Card(number="5200828282828210", brand="mastercard", aliases=("pm_card_mastercard_debit",), about="Succeeds (debit)", funding="debit"),
    Card(
        number="5105105105105100",
        brand="mastercard",
        aliases=("pm_card_mastercard_prepaid",),
        about="Succeeds (prepaid)",
        funding="prepaid",
    ),
    Card(number="378282246310005", brand="amex", aliases=("pm_card_amex",), about="Succeeds"),
    Card(number="6011111111111117", brand="discover", aliases=("pm_card_discover",), about="Succeeds"),
    Card(number="3056930009020004", brand="diners", aliases=("pm_card_diners",), about="Succeeds"),
    Card(number="3566002020360505", brand="jcb", aliases=("pm_card_jcb",), about="Succeeds"),
    Card(number="6200000000000005", brand="unionpay", aliases=("pm_card_unionpay",), about="Succeeds"),
    Card(number="4000000000000259", brand="visa", aliases=("pm_card_createDispute",), about="Is disputed as fraudulent", disputes=True),
    Card(
        number="4000002500003155",
        brand="visa",
        aliases=("pm_card_authenticationRequiredOnSetup",),
        about="Asks for 3-D Secure once",
        authenticates="until_set_up",
    ),
    Card(
        number="4000002760003184",
        brand="visa",
        aliases=("pm_card_authenticationRequired",),
        about="Asks for 3-D Secure every time",
        authenticates="always",
    ),
    Card(
        number="4000000000003220",
        brand="visa",
        aliases=("pm_card_threeDSecure2Required",),
        about="Asks for 3-D Secure every time",
        authenticates="always",
    ),
    Card(
        number="4000008400001629",
        brand="visa",
        aliases=("pm_card_threeDSecureRequiredChargeDeclined",),
        about="Asks for 3-D Secure, then declines",
        authenticates="always",
        on_charge=GENERIC,
    ),
    Card(
        number="4000008260003178",
        brand="visa",
        aliases=("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",),
        about="Asks for 3-D Secure, then has no funds",
        authenticates="always",
        on_charge=NO_FUNDS,
    ),
    Card(
        number="4000000000000341",
        brand="visa",
        aliases=("pm_card_chargeCustomerFail",),
        about="Can be saved, then fails when charged",
        on_charge=GENERIC,
    ),
    _declined("4000000000000002", "pm_card_visa_chargeDeclined", GENERIC, "Declined"),
    _declined("4000000000009995", "pm_card_visa_chargeDeclinedInsufficientFunds", NO_FUNDS, "Insufficient funds"),
    _declined("4000000000009987", "pm_card_visa_chargeDeclinedLostCard", LOST, "Lost card"),
    _declined("4000000000009979", "pm_card_visa_chargeDeclinedStolenCard", STOLEN, "Stolen card"),
    _declined("4000000000006975", "pm_card_visa_chargeDeclinedVelocityLimitExceeded", VELOCITY, "Too many payments"),
    _declined("4100000000000019", "pm_card_radarBlock", FRAUD, "Blocked as fraudulent"),
    _declined("4000000000000069", "pm_card_chargeDeclinedExpiredCard", EXPIRED, "Expired card"),
    _declined("4000000000000127", "pm_card_chargeDeclinedIncorrectCvc", BAD_CVC, "Incorrect security code"),
    _declined("4000000000000119", "pm_card_chargeDeclinedProcessingError", PROCESSING, "Processing error"),
)
# Bank accounts for SEPA debits, by IBAN.
ACCOUNTS = (
    Card(number="DE89370400440532013000", brand="sepa_debit", aliases=(), about="SEPA debit: arrives after some days"),
    Card(
        number="DE62370400440532013001",
        brand="sepa_debit",
        aliases=(),
        about="SEPA debit: comes back after some days",
        on_settlement=DEBIT_RETURNED,
    ),
)


def by_number(text: str) -> Card:
    """Return the test card with this number (spaces and hyphens are fine), or the bank account with this IBAN.

    Raises:
        CardDeclined: the number fails the check digit, or it is not one of Stripe's test numbers.
    """
    number = re.sub(r"[ -]", "", text)
    for card in (*CARDS, *ACCOUNTS):
        if card.number == number:
            return card
    raise refusal(NOT_A_TEST_CARD if passes_luhn(number) else INCORRECT_NUMBER, param="number")


def by_alias(alias: str) -> Card | None:
    """Return the test card that a payment method id such as `pm_card_visa` stands for, or None."""
    return next((card for card in CARDS if alias in card.aliases), None)


def passes_luhn(number: str) -> bool:
    """Is it 12 to 19 digits with a right check digit?"""
    if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19):
        return False
    digits = [int(each) for each in reversed(number)]
    doubled = [sum(divmod(2 * each, 10)) for each in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def refusal(decline: Decline, *, param: str | None = None, is_recorded: bool = False) -> CardDeclined:
    """Return the error for a decline."""
    facts = {"decline_code": decline.decline_code} if decline.decline_code else {}
    return CardDeclined(decline.message, code=decline.code, param=param, is_recorded=is_recorded, **facts)
