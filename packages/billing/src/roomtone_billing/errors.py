"""Everything this package raises.

::

    BillingError
    ├── CatalogueError
    │   ├── UnknownPlan             no such plan in the catalogue
    │   ├── UnknownMeter            the catalogue does not list the meter
    │   ├── UnknownFeature          no plan of the catalogue names the feature
    │   ├── UnknownPrice            the plan has no price for that interval
    │   ├── UnknownPack             no such pack in the catalogue
    │   ├── NotOnSale               the plan or pack is archived
    │   ├── PriceInUse              publishing would replace a price somebody is subscribed to
    │   ├── NotPublished            the price is in the catalogue but not at Stripe
    │   └── PortalNotPublished      so is the portal
    ├── WebhookError                the host answers 400
    │   ├── BadSignature            not signed by Stripe with one of our secrets, or at another time
    │   └── MalformedEvent          signed, but not an event
    ├── AccountError
    │   ├── UnknownAccount          no trial was started and no account opened under that key
    │   ├── AlreadySubscribed       a second checkout would sell a second subscription
    │   ├── CannotTakePayments      it is not (or no longer) ready to take its clients' money
    │   ├── UnknownClientPayment    the account asked a client for nothing under that reference
    │   ├── AlreadyPaid             a second page could take the client's money twice
    │   ├── NotPaid                 there is nothing to give back
    │   ├── NotEntitled             the use does not fit what the account may use; has the decision
    │   ├── UnknownOverride         the account has no exception of that id
    │   ├── AccountIsClosing        it is closed, or about to be, and buys nothing more
    │   ├── NotClosed               it is not closed yet, so it cannot be erased
    │   ├── NoCustomer              the account has never been to the checkout
    │   ├── UnknownPayment          the account paid nothing under that id
    │   ├── UnknownDispute          no payment of the account is disputed under that id
    │   ├── RefundRefused           more than is left of the payment, or disputed
    │   ├── InvalidDetails          a name, address, language or tax id cannot be right, and why
    │   ├── TaxLocationUnknown      taxes depend on where the account is, and nobody knows
    │   ├── CurrencyPinned          the account pays in another currency, for good
    │   ├── UnknownInvoice          the account has no invoice of that id or number
    │   ├── CreditRefused           more than is left of the invoice, or Stripe says no
    │   ├── NotSubscribed           there is no subscription to change, or it is over
    │   ├── CodeRefused             a promotion code cannot be used, and why
    │   └── ChangeError
    │       ├── ChangeRefused       the subscription cannot be changed as it is
    │       ├── ChangeInProgress    somebody is changing it right now
    │       ├── LimitsExceeded      the account uses more than the plan it wants allows
    │       ├── UnknownPreview      no such preview was shown for the account
    │       └── PreviewOutdated     what was shown is no longer what would be done
    ├── GatewayError
    │   ├── GatewayUnavailable      worth trying again: network, rate limit, Stripe's own failure
    │   ├── GatewayRefused          not worth trying again: Stripe says the request is wrong
    │   └── MalformedTruth          Stripe answered something this version cannot read
    ├── EntitlementsUnavailable     the database cannot say what the account may use; refuse
    ├── OutsideMeterWindow          used too long ago, or not yet: Stripe would not count it
    ├── KeyReused                   a key stands for something else already
    ├── UnknownEvent                nothing of that id in the inbox or the outbox
    └── DuplicateHandler            two handlers of one event under one name
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from .decision import Decision
    from .obstacle import Obstacle


class BillingError(Exception):
    """Base of all errors of this package."""


class CatalogueError(BillingError):
    """The catalogue does not hold what was asked for."""


class UnknownPlan(CatalogueError):
    """No plan of that key is in the catalogue."""

    def __init__(self, plan: str, known: tuple[str, ...]) -> None:
        self.plan, self.known = plan, known
        super().__init__(f"there is no plan {plan!r} in the catalogue; it has {', '.join(known) or 'none'}")


class UnknownMeter(CatalogueError):
    """The catalogue does not list the meter."""

    def __init__(self, meter: str, known: tuple[str, ...]) -> None:
        self.meter, self.known = meter, known
        super().__init__(f"the catalogue has no meter {meter!r}; it has {', '.join(known) or 'none'}")


class UnknownFeature(CatalogueError):
    """No plan of the catalogue names the feature."""

    def __init__(self, feature: str, known: tuple[str, ...]) -> None:
        self.feature, self.known = feature, known
        super().__init__(f"no plan has a feature or limit {feature!r}; the catalogue has {', '.join(known) or 'none'}")


class UnknownPrice(CatalogueError):
    """The plan or pack is not sold at that interval (`once` for packs), or not in that currency."""

    def __init__(self, plan: str, interval: str, currency: str | None = None) -> None:
        self.plan, self.interval, self.currency = plan, interval, currency
        how = "once" if interval == "once" else f"per {interval}"
        where = f" in {currency}" if currency else ""
        super().__init__(f"{plan!r} has no price {how}{where}; add one to the catalogue and publish it")


class UnknownPack(CatalogueError):
    """No pack of that key is in the catalogue."""

    def __init__(self, pack: str, known: tuple[str, ...]) -> None:
        self.pack, self.known = pack, known
        super().__init__(f"there is no pack {pack!r} in the catalogue; it has {', '.join(known) or 'none'}")


class NotOnSale(CatalogueError):
    """The plan or pack is archived: kept for those who have it."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"{key!r} is archived and no longer sold; offer another, or take is_archived away and publish")


class PriceInUse(CatalogueError):
    """Publishing would move lookup keys away from prices that somebody is subscribed to; nothing was changed."""

    def __init__(self, lookup_keys: tuple[str, ...]) -> None:
        self.lookup_keys = lookup_keys
        super().__init__(
            f"customers are subscribed to {', '.join(lookup_keys)}; add a plan and archive this one, "
            "or publish with may_replace_used (--replace-used): new customers then pay the new price, those who are there keep theirs"
        )


class NotPublished(CatalogueError):
    """The catalogue has the price, Stripe does not."""

    def __init__(self, lookup_key: str) -> None:
        self.lookup_key = lookup_key
        super().__init__(f"no active price at Stripe has the lookup key {lookup_key!r}; run `billing catalog apply`")


class PortalNotPublished(CatalogueError):
    """The catalogue says what the portal is, Stripe does not know it."""

    def __init__(self) -> None:
        super().__init__("the portal of the catalogue is not at Stripe; run `billing catalog apply`")


class WebhookError(BillingError):
    """What arrived is not an event Stripe sent us; answer 400."""


class BadSignature(WebhookError):
    """The signature is absent, unreadable, wrong, or of another time."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}; check the endpoint's signing secret and both clocks")


class MalformedEvent(WebhookError):
    """The body is not a Stripe event this package can store."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}; send Stripe's raw body, unparsed and unchanged")


class AccountError(BillingError):
    """The account is not in the state the call needs."""


class UnknownAccount(AccountError):
    """Billing has never heard of the account."""

    def __init__(self, account: str) -> None:
        self.account = account
        super().__init__(f"account {account!r} is unknown; call start_trial or open_account first")


class AlreadySubscribed(AccountError):
    """The account has a living subscription."""

    def __init__(self, account: str, plan: str | None) -> None:
        self.account, self.plan = account, plan
        super().__init__(f"account {account!r} is subscribed to {plan!r} already; change it with preview_change, or in the portal")


class NoCustomer(AccountError):
    """The account has no customer at Stripe yet."""

    def __init__(self, account: str) -> None:
        self.account = account
        super().__init__(f"account {account!r} has no customer at Stripe; its first checkout creates one")


class NotEntitled(AccountError):
    """The use does not fit; `decision` says why and until when."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        super().__init__(f"account {decision.account!r} may not use {decision.amount} of {decision.feature!r}: {decision.reason}")


class UnknownOverride(AccountError):
    """The account has no exception of that id."""

    def __init__(self, account: str, override: int) -> None:
        self.account, self.override = account, override
        super().__init__(f"account {account!r} has no exception {override}; `entitlements.overrides()` lists what it has")


class NotSubscribed(AccountError):
    """The account has no living subscription."""

    def __init__(self, account: str) -> None:
        self.account = account
        super().__init__(f"account {account!r} has no subscription that goes on; send the customer to the checkout")


class CodeRefused(AccountError):
    """The account may not use the promotion code; `problem` is one of `CodeProblem`."""

    def __init__(self, code: str, problem: str) -> None:
        self.code, self.problem = code, problem
        super().__init__(f"the promotion code {code!r} cannot be used: {problem}; ask for another")


class ChangeError(AccountError):
    """The plan was not changed."""


class ChangeRefused(ChangeError):
    """The subscription is in no state to be changed."""

    def __init__(self, account: str, reason: str) -> None:
        self.account, self.reason = account, reason
        super().__init__(f"the plan of {account!r} cannot be changed so: {reason}")


class ChangeInProgress(ChangeError):
    """Another confirmation has begun and not ended."""

    def __init__(self, account: str) -> None:
        self.account = account
        super().__init__(f"the plan of {account!r} is being changed; look again in a moment")


class LimitsExceeded(ChangeError):
    """The account uses more than the plan allows; `obstacles` says of what and how much."""

    def __init__(self, account: str, plan: str, obstacles: tuple[Obstacle, ...]) -> None:
        self.account, self.plan, self.obstacles = account, plan, obstacles
        used = ", ".join(f"{one.limit}: {one.used} used, {one.allowed} allowed" for one in obstacles)
        super().__init__(f"{account!r} uses more than {plan!r} allows ({used}); use less first, or confirm with an override_reason")


class UnknownPreview(ChangeError):
    """The token is not one of the account's previews."""

    def __init__(self, account: str) -> None:
        self.account = account
        super().__init__(f"no such preview of {account!r}; call preview_change again")


class PreviewOutdated(ChangeError):
    """What was shown is not what would happen now; nothing was done."""

    def __init__(self, account: str, reason: str) -> None:
        self.account, self.reason = account, reason
        super().__init__(f"the preview of {account!r} holds no more: {reason}; show a new one")


class AccountIsClosing(AccountError):
    """The host has closed the account."""

    def __init__(self, account: str) -> None:
        self.account = account
        super().__init__(f"account {account!r} is closed; open another account to sell to")


class NotClosed(AccountError):
    """The account is open, or Stripe has not confirmed its end: what it bought may still run."""

    def __init__(self, account: str) -> None:
        self.account = account
        super().__init__(f"account {account!r} is not closed; call close_account, and erase it when AccountClosed has come")


class UnknownPayment(AccountError):
    """No payment of that id is the account's."""

    def __init__(self, account: str, payment: str) -> None:
        self.account, self.payment = account, payment
        super().__init__(f"account {account!r} made no payment {payment!r}; payments() lists them")


class UnknownDispute(AccountError):
    """No payment of the account is disputed under that id."""

    def __init__(self, account: str, dispute: str) -> None:
        self.account, self.dispute = account, dispute
        super().__init__(f"account {account!r} has no dispute {dispute!r}; disputes() lists them")


class RefundRefused(AccountError):
    """The payment cannot give back so much; nothing was refunded."""

    def __init__(self, payment: str, amount_minor: int, left_minor: int, *, reason: str | None = None) -> None:
        self.payment, self.amount_minor, self.left_minor, self.reason = payment, amount_minor, left_minor, reason
        why = reason or f"{left_minor} minor units of it are left"
        super().__init__(f"payment {payment!r} cannot give back {amount_minor} minor units: {why}; look at payments()")


class InvalidDetails(AccountError):
    """A detail for invoices cannot be right; `field` is which, `problem` says what to write instead."""

    def __init__(self, field: str, problem: str) -> None:
        self.field, self.problem = field, problem
        super().__init__(f"{field}: {problem}")


class TaxLocationUnknown(AccountError):
    """Taxes are worked out by Stripe, and it does not know for which place."""

    def __init__(self, account: str) -> None:
        self.account = account
        super().__init__(f"nobody knows where account {account!r} is taxed; call update_details(address=...) with its country first")


class CurrencyPinned(AccountError):
    """The account has been billed in one currency, and cannot be billed in another."""

    def __init__(self, account: str, currency: str, wanted: str) -> None:
        self.account, self.currency, self.wanted = account, currency, wanted
        super().__init__(
            f"account {account!r} pays in {currency} since its first invoice and cannot pay in {wanted}; "
            f"sell it in {currency}, or open another account"
        )


class UnknownInvoice(AccountError):
    """No invoice of that id or number is the account's."""

    def __init__(self, account: str, invoice: str) -> None:
        self.account, self.invoice = account, invoice
        super().__init__(f"account {account!r} has no invoice {invoice!r}; invoices() lists them")


class CreditRefused(AccountError):
    """The invoice cannot be credited so; no credit note was made."""

    def __init__(self, invoice: str, amount_minor: int, left_minor: int, *, reason: str | None = None) -> None:
        self.invoice, self.amount_minor, self.left_minor, self.reason = invoice, amount_minor, left_minor, reason
        why = reason or f"{left_minor} minor units of it are left"
        super().__init__(f"invoice {invoice!r} cannot be credited {amount_minor} minor units: {why}; look at invoices()")


class CannotTakePayments(AccountError):
    """The account is not ready to take its clients' money; `due` is what Stripe still lacks, under Stripe's names."""

    def __init__(self, account: str, state: str, due: tuple[str, ...]) -> None:
        self.account, self.state, self.due = account, state, due
        super().__init__(f"account {account!r} cannot take payments ({state}); send its owner to connect.onboard()")


class UnknownClientPayment(AccountError):
    """The account asked a client for nothing under that reference."""

    def __init__(self, account: str, reference: str) -> None:
        self.account, self.reference = account, reference
        super().__init__(f"account {account!r} asked for no payment {reference!r}; connect.checkout() asks for one")


class AlreadyPaid(AccountError):
    """The client paid, or the bank is at it."""

    def __init__(self, account: str, reference: str) -> None:
        self.account, self.reference = account, reference
        super().__init__(f"payment {reference!r} of account {account!r} is paid or on its way; show that instead of a page")


class NotPaid(AccountError):
    """Nothing was paid, so nothing can be given back."""

    def __init__(self, account: str, reference: str) -> None:
        self.account, self.reference = account, reference
        super().__init__(f"payment {reference!r} of account {account!r} was not paid; there is nothing to give back")


class GatewayError(BillingError):
    """Stripe could not be asked, or its answer not be used."""


class GatewayUnavailable(GatewayError):
    """A passing failure; the same call may succeed later."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Stripe could not be reached or was busy ({reason}); try again later")


class GatewayRefused(GatewayError):
    """Stripe refused the request; the same call will be refused again."""

    def __init__(self, reason: str, code: str | None = None) -> None:
        self.reason, self.code = reason, code
        super().__init__(f"Stripe refused the request: {reason}")


class MalformedTruth(GatewayError):
    """An object of Stripe lacks a field, or has a value, that this package must understand."""

    def __init__(self, thing: str, reason: str) -> None:
        self.thing, self.reason = thing, reason
        super().__init__(f"cannot read {thing}: {reason}; check the API version of the key and of the SDK")


class UnknownEvent(BillingError):
    """Nothing is stored under that id or key."""

    def __init__(self, event: str) -> None:
        self.event = event
        super().__init__(f"no event {event!r} is stored; `billing inbox` lists the newest")


class DuplicateHandler(BillingError):
    """A handler's name marks its work as done, so it must be unique per event type."""

    def __init__(self, event: str, name: str) -> None:
        self.event, self.name = event, name
        super().__init__(f"{event} has a handler named {name!r} already; pass another name to on(..., name=...)")


class EntitlementsUnavailable(BillingError):
    """What the account may use cannot be found out; nothing may be allowed on a guess."""

    def __init__(self, account: str, reason: str) -> None:
        self.account, self.reason = account, reason
        super().__init__(f"the database cannot say what account {account!r} may use ({reason}); refuse, and try again later")


class KeyReused(BillingError):
    """A key that stands for one thing was used for another."""

    def __init__(self, key: str, *, before: str, now: str) -> None:
        self.key, self.before, self.now = key, before, now
        super().__init__(f"key {key!r} stands for {before}, not for {now}; take another key for another thing")


class OutsideMeterWindow(BillingError):
    """The use is of a time that Stripe's meters do not accept."""

    def __init__(self, meter: str, key: str, at: datetime) -> None:
        self.meter, self.key, self.at = meter, key, at
        super().__init__(
            f"use {key!r} of {meter!r} is of {at:%Y-%m-%d %H:%M} UTC; Stripe counts from 35 days ago until now: charge it by hand"
        )
