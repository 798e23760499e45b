"""One account's billing: what it may do, and the ways to Stripe's pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from . import changes, checkout, codes, crediting, exporting, forgiving, history, identity, invoices, lifecycle, packs, refunds
from . import seats as seats_
from .access import Access, Cause
from .connect import Connect
from .decision import Decision
from .desk import Desk
from .details import Address, TaxId
from .dispute import Dispute
from .entitlements import Entitlements
from .gateway import CancelReason, CreditReason, CreditTo, KnownTaxId, MadeCreditNote, MadeRefund, PackOffer, RefundReason
from .history import HistoryEntry
from .invoices import InvoiceView
from .lifecycle import End, PendingChange, SubscriptionView
from .plans import Interval
from .preview import Confirmed, Moment, Preview
from .refunds import PaymentView


class Account:
    """One account's billing; made by `Billing.account`, holds no state of its own."""

    def __init__(self, desk: Desk) -> None:
        self.account = desk.account
        self._desk = desk

    def access(self, session: Session | None = None) -> Access:
        """What the account may do now, from the last snapshot: one query, never a call to Stripe. Unknown accounts have phase none.

        Args:
            session: read through it, to see what it has not committed; default a connection of our own.
        """
        return self._desk.access(session)

    @property
    def entitlements(self) -> Entitlements:
        """What the account may use: decisions, counters, holds and exceptions."""
        return Entitlements(self._desk)

    @property
    def connect(self) -> Connect:
        """Taking money from the account's own clients."""
        return Connect(self._desk)

    def check(self, feature: str, amount: int = 1) -> Decision:
        """Whether `amount` more of the feature may be used now, and why; as `entitlements.check`.

        Raises:
            UnknownFeature: no plan of the catalogue names it.
            EntitlementsUnavailable: the database cannot be asked: treat it as a refusal.
        """
        return self.entitlements.check(feature, amount)

    def sync(self) -> Access:
        """Fetch the truth now, as after a redirect; same fence as the worker. Without a customer there is nothing to fetch.

        Raises:
            UnknownAccount: billing has never heard of it.
            GatewayError: Stripe could not be asked; the worker will.
        """
        return self._desk.sync()

    def checkout(
        self,
        *,
        plan: str,
        interval: Interval,
        success_url: str,
        cancel_url: str,
        locale: str | None = None,
        seats: int | None = None,
        code: str | None = None,
        allow_codes: bool = False,
        currency: str | None = None,
    ) -> str:
        """Open a checkout page that sells the plan; returns its address.

        Args:
            seats: default as many as the account has members, else one.
            code: a promotion code to apply.
            allow_codes: whether the page asks for one.
            currency: ISO 4217; default the one the account is billed in, else the first of the plan's prices.
        Raises:
            UnknownAccount, UnknownPlan, UnknownPrice, NotOnSale: not ours to sell.
            NotPublished: the price is not at Stripe yet.
            AlreadySubscribed: it has a living subscription; use `preview_change`.
            CurrencyPinned: it is billed in another currency, for good.
            TaxLocationUnknown: its taxes depend on where it is; call `update_details`.
            CodeRefused: the code cannot be used; `problem` says why.
            GatewayError: Stripe could not be asked.
        Effects:
            Creates the account's customer at Stripe, once; fetches its truth first; closes the page opened before, so that of two tabs
            only the later can pay.
        """
        return checkout.sell_plan(
            self._desk,
            plan=plan,
            interval=interval,
            success_url=success_url,
            cancel_url=cancel_url,
            locale=locale,
            seats=seats,
            code=code,
            allow_codes=allow_codes,
            currency=currency,
        )

    def buy(
        self,
        pack: str,
        *,
        success_url: str,
        cancel_url: str,
        locale: str | None = None,
        allow_promotion_codes: bool = False,
        payment_methods: Sequence[str] | None = None,
        currency: str | None = None,
    ) -> str:
        """Open a checkout page that sells one pack; returns its address. `PackBought` follows when it is paid, once.

        Args:
            payment_methods: kinds of Stripe's (`card`, `sepa_debit`); default what its dashboard allows.
            currency: as of `checkout`.
        Raises:
            UnknownAccount, UnknownPack, UnknownPrice, NotOnSale: not ours to sell.
            CurrencyPinned: it is billed in another currency, for good.
            TaxLocationUnknown: its taxes depend on where it is; call `update_details`.
            NotPublished: the price is not at Stripe yet.
            GatewayError: Stripe could not be asked.
        Effects:
            Creates the account's customer at Stripe, once. Pages opened before stay open: two pages paid are two packs.
        """
        offer = PackOffer(
            success_url=success_url,
            cancel_url=cancel_url,
            locale=locale,
            allow_promotion_codes=allow_promotion_codes,
            payment_methods=tuple(payment_methods) if payment_methods is not None else None,
        )
        return packs.buy(self._desk, pack, offer, currency=currency)

    def portal(self, *, return_url: str, locale: str | None = None) -> str:
        """Open the customer's portal at Stripe, as the catalogue says it is; returns its address.

        Raises:
            UnknownAccount: billing has never heard of it.
            NoCustomer: it has never been to the checkout.
            PortalNotPublished: the catalogue has a portal that is not at Stripe yet.
            GatewayError: Stripe could not be asked.
        """
        return checkout.open_portal(self._desk, return_url=return_url, locale=locale)

    def invoices(self, limit: int = 12) -> list[InvoiceView]:
        """The newest invoices of the last snapshot that are not drafts, newest first; never a call to Stripe."""
        return invoices.listed(self._desk, limit)

    def payments(self, limit: int = 50) -> list[PaymentView]:
        """The newest payments of the last snapshot, newest first; never a call to Stripe."""
        return refunds.payments(self._desk, limit)

    def refund(self, payment: str, *, amount_minor: int | None = None, reason: RefundReason | None = None, key: str) -> MadeRefund:
        """Give back a payment, or a part of it; `InvoiceRefunded` or `PackRefunded` follows, for you to take back what it granted.

        Args:
            payment: the `id` of one of `payments()`.
            amount_minor: in the payment's smallest unit, > 0; default all that is left.
            key: names this refund, for ever: under the same key it is made once.
        Raises:
            UnknownAccount, NoCustomer, UnknownPayment: it is not a payment of this account.
            RefundRefused: less is left of it, or it is disputed.
            KeyReused: the key was used for another amount.
            GatewayError: Stripe could not be asked; call again with the same key.
        Effects:
            Fetches the truth before and after; the refund is marked with the key at Stripe.
        """
        return refunds.refund(self._desk, payment, amount_minor=amount_minor, reason=reason, key=key)

    def credit_note(
        self,
        invoice: str,
        *,
        amount_minor: int | None = None,
        to: CreditTo = CreditTo.card,
        reason: CreditReason | None = None,
        memo: str | None = None,
        key: str,
    ) -> MadeCreditNote:
        """Credit an invoice, or a part of it: an open one asks for less from then on, a paid one gives back.

        What is given back is told of by `InvoiceRefunded`, as a refund is.

        Args:
            invoice: the `id` or `number` of one of `invoices()`.
            amount_minor: in the invoice's smallest unit, > 0; default all that is left. An invoice with taxes or discounts: all or nothing.
            to: where the money of a paid invoice goes.
            memo: printed on the credit note, and kept in the history.
            key: names this credit note, for ever: under the same key it is made once.
        Raises:
            UnknownAccount, NoCustomer, UnknownInvoice: it is not an invoice of this account.
            CreditRefused: less is left of it, it is void or a draft, or Stripe says no.
            KeyReused: the key was used for another amount.
            GatewayError: Stripe could not be asked; call again with the same key.
        Effects:
            Fetches the truth before and after. An open invoice credited in full is paid, without a payment.
        """
        return crediting.credit(self._desk, invoice, amount_minor=amount_minor, to=to, reason=reason, memo=memo, key=key)

    def disputes(self) -> list[Dispute]:
        """The payments that cardholders take or took back through their bank, newest first, by the last snapshot."""
        return forgiving.listed(self._desk)

    def forgive_dispute(self, dispute: str, *, reason: str) -> Access:
        """Let a dispute, open or lost, hold back nothing of the account any more; twice is as good as once.

        Raises:
            UnknownAccount, NoCustomer, UnknownDispute: it is not a dispute of this account.
            GatewayError: Stripe could not be asked.
        Effects:
            Is written down at the charge and, with the reason, in the history.
        """
        return forgiving.forgive(self._desk, dispute, reason=reason)

    def subscriptions(self) -> list[SubscriptionView]:
        """All subscriptions of the last snapshot, the one that decides first; never a call to Stripe."""
        return lifecycle.views(self._desk)

    def pending_change(self) -> PendingChange | None:
        """What is to come of the subscription that decides: a change at the period's end, or one that waits for its payment."""
        return next((one.pending for one in self.subscriptions() if one.is_main), None)

    def history(self, limit: int = 50) -> list[HistoryEntry]:
        """What happened to the subscription, and who did what why; newest first."""
        with Session(self._desk.engine) as session:
            return history.newest(session, self.account, limit=limit)

    def cancel(
        self,
        *,
        at: End | datetime = "period_end",
        reason: CancelReason | None = None,
        comment: str | None = None,
        subscription: str | None = None,
    ) -> Access:
        """End a subscription at the end of what is paid, now, or at a moment; nothing is refunded.

        Args:
            at: `period_end`, `now`, or an aware time to come.
            reason, comment: why the customer leaves, kept with the subscription at Stripe.
            subscription: which one; default the one that decides.
        Raises:
            UnknownAccount, NoCustomer, NotSubscribed: there is nothing to end.
            ValueError: `at` has passed.
            GatewayError: Stripe could not be asked, or refused the moment.
        Effects:
            Drops a change that was to come. Until it ends, `resume` takes it back.
        """
        return lifecycle.cancel(self._desk, subscription, at=at, reason=reason, comment=comment)

    def resume(self, *, subscription: str | None = None) -> Access:
        """Take back a cancellation that has not come, or a pause; collection begins with the next period.

        Raises:
            UnknownAccount, NoCustomer, NotSubscribed: there is nothing to go on with; sell it again.
            GatewayError: Stripe could not be asked, or a paused subscription's new period could not be paid.
        """
        return lifecycle.resume(self._desk, subscription)

    def pause(self, *, until: datetime | None = None, reason: str | None = None, subscription: str | None = None) -> Access:
        """Let the account read only, and collect nothing for the periods that begin meanwhile: their invoices are void.

        Args:
            until: when it goes on by itself; None: when `resume` is called.
            reason: kept in the history.
        Raises:
            UnknownAccount, NoCustomer, NotSubscribed: there is nothing to pause.
            ValueError: `until` has passed.
        """
        return lifecycle.pause(self._desk, subscription, until=until, reason=reason)

    def preview_change(
        self, plan: str, *, interval: Interval | None = None, seats: int | None = None, when: Moment | None = None
    ) -> Preview:
        """What a change of the plan would cost, asked of Stripe: now and at the next renewal.

        Args:
            interval: default the present one.
            seats: default the present number.
            when: default `now` for what costs more and from month to year, `period_end` for what costs less.
        Raises:
            UnknownAccount, NoCustomer, NotSubscribed: there is nothing to change.
            UnknownPlan, UnknownPrice, NotPublished: not ours to sell.
            ChangeRefused: the subscription owes, is paused, about to end, or is that already.
            GatewayError: Stripe could not be asked.
        """
        return changes.preview(self._desk, plan=plan, interval=interval, seats=seats, when=when)

    def confirm(self, token: str, *, override_reason: str | None = None) -> Confirmed:
        """Make the change that was shown under the token: what it charges is what was shown. Twice is as good as once.

        A change that is due now is paid first: until it is, the old plan stays, and the answer has an address to pay or confirm at.

        Args:
            override_reason: why to change although the account uses more than the plan allows; kept in the history.
        Raises:
            PreviewOutdated: it would cost something else, the subscription has changed, or half an hour has passed; nothing was done.
            LimitsExceeded: the account uses more than the plan allows.
            UnknownPreview, ChangeInProgress, ChangeRefused, NotSubscribed: nothing was done.
            GatewayError: Stripe could not be asked; the same token may be confirmed again.
        """
        return changes.confirm(self._desk, token, override_reason=override_reason)

    def set_seats(self, seats: int) -> None:
        """Let the plan have so many seats from now on; the difference is on the next invoice. A pending change keeps them.

        Raises:
            ValueError: fewer than one.
            LimitsExceeded: fewer than the account has members.
            NotSubscribed, ChangeRefused: there is nothing that has seats.
            GatewayError: Stripe could not be asked.
        """
        seats_.set_seats(self._desk, seats)

    def follow_seats(self) -> int | None:
        """Let the seats be as many as `Billing(seats_of=...)` counts; call it after each join and leave, and now and then.

        Many at once end in the right number. Costs nothing where they agree. Returns the seats; None when there is no subscription.

        Raises:
            ChangeRefused: nobody said how to count.
            ChangeInProgress: the count changed ten times meanwhile; call it again.
            GatewayError: Stripe could not be asked.
        """
        return seats_.follow(self._desk)

    def apply_code(self, code: str) -> None:
        """Redeem a promotion code on the running subscription; twice is as good as once.

        Raises:
            CodeRefused: it cannot be used; `problem` says why.
            NotSubscribed: there is nothing to take it off from.
            GatewayError: Stripe could not be asked.
        """
        codes.apply(self._desk, code)

    def remove_discounts(self) -> None:
        """Let the subscription cost its full price again."""
        codes.remove(self._desk)

    def undo_change(self) -> Access:
        """Let the plan stay as it is after all, if a change at the period's end is pending; else do nothing.

        Raises:
            UnknownAccount, NoCustomer, NotSubscribed: there is nothing to change.
        """
        return lifecycle.undo_change(self._desk)

    def retry_payments(self) -> Access:
        """Try to collect every open invoice that was tried before, oldest first: call it after the card has changed.

        Raises:
            UnknownAccount, NoCustomer: there is nothing to collect from.
            GatewayError: Stripe could not be asked; a card that declines is no error, the access says what is owed.
        """
        return lifecycle.retry_payments(self._desk)

    def export(self) -> Iterator[Mapping[str, Any]]:
        """All that is kept of the account: each row of each table as JSON values, and a manifest that counts them last.

        All of one moment, streamed: read it to the end. Invoices as documents, cards and addresses are at Stripe, under the customer the
        manifest names.

        Raises:
            UnknownAccount: billing has never heard of it.
        """
        return exporting.lines(self._desk.engine, self.account, now=self._desk.clock())

    def update_details(
        self,
        *,
        email: str | None = None,
        name: str | None = None,
        address: Address | None = None,
        tax_ids: Sequence[TaxId] | None = None,
        language: str | None = None,
    ) -> None:
        """Change who the account is on its coming invoices; None leaves what is there. Twice is as good as once.

        Args:
            address: replaces the whole address.
            tax_ids: all it has from now on; Stripe checks them with the authorities later (`tax_ids`).
            language: of invoices and mails, such as `de` or `pt-BR`.
        Raises:
            InvalidDetails: `field` cannot be right, and `problem` says what to write.
            UnknownAccount, AccountIsClosing: there is nobody to change.
            GatewayError: Stripe could not be asked; call again.
        Effects:
            An address, tax ids or a language make the account's customer at Stripe, once.
        """
        identity.update(self._desk, email=email, name=name, address=address, tax_ids=tax_ids, language=language)

    def tax_ids(self) -> list[KnownTaxId]:
        """The account's tax ids with what Stripe found out about them, asked of Stripe now."""
        return identity.tax_ids_of(self._desk)

    def suspend(self, *, reason: str, cause: Cause = Cause.host) -> Access:
        """Suspend the account until `lift_suspension`, whatever it pays; once more only replaces the reason.

        Raises:
            UnknownAccount: billing has never heard of it.
        """
        return lifecycle.suspend(self._desk, reason=reason, cause=cause)

    def lift_suspension(self, *, reason: str) -> Access:
        """Let what the account pays decide again. A suspension for debts is not lifted by this, but by paying.

        Raises:
            UnknownAccount: billing has never heard of it.
        """
        return lifecycle.lift_suspension(self._desk, reason=reason)
