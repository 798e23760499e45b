"""Erasing what is personal: after closing, here and at Stripe, whoever dies on the way, and what the law wants stays."""

from __future__ import annotations

import json

import pytest
from sqlalchemy.orm import Session

from roomtone_billing import AccountClosed, AccountErased, Interval, InvoicePaid
from roomtone_billing.erasures import DELETED, KEPT, NOTHING, SCRUBBED, SCRUBBED_BY_HAND
from roomtone_billing.errors import AccountIsClosing, NotClosed, UnknownAccount
from roomtone_billing.models import CursorRow, HandledRow, InboxRow, metadata

PERSONAL = ("a@example.org", "typed@example.org", "Ada", "4242", "moving away", "invoice/")


class Killed(BaseException):
    """The process is gone: nothing catches it."""


@pytest.fixture
def leaver(host):
    """A host whose account `a` subscribed, paid, said why it leaves, and is closed."""
    for kind in (AccountClosed, AccountErased, InvoicePaid):
        host.billing.on(kind)(lambda session, event: host.told.append(event))
    account, _ = host.subscribed(plan="pro")
    account.cancel(reason=None, comment="moving away")
    account.entitlements.override("ai_credits", 7, reason="Ada asked", actor="support")
    host.hear(host.billing._desk("a").known_customer(), 5)
    with Session(host.engine) as session, session.begin():
        host.billing.close_account(session, "a")
    host.drain()
    return host


def erase(host) -> bool:
    with Session(host.engine) as session, session.begin():
        return host.billing.erase_account(session, "a")


def kept(host) -> str:
    return json.dumps(list(host.billing.account("a").export()))


def test_what_is_personal_is_gone_here_and_at_stripe_and_the_host_is_told_once(leaver):
    before = kept(leaver)
    asked = [erase(leaver), erase(leaver)]
    leaver.drain()
    after = kept(leaver)

    assert {word for word in PERSONAL if word in before} >= {"a@example.org", "4242", "moving away", "Ada"}
    assert [word for word in PERSONAL if word in after] == []
    assert leaver.stripe.api.customers.list().data == []
    assert (asked, leaver.keys(AccountErased)) == ([True, False], ["erased:a"])


def test_what_the_law_wants_stays_what_was_paid_here_and_the_invoice_at_stripe(leaver):
    erase(leaver)
    leaver.drain()
    lines = list(leaver.billing.account("a").export())
    paid = [line["row"]["body"] for line in lines[:-1] if line["table"] == "billing_outbox" and line["row"]["type"] == "InvoicePaid"]

    assert [(one["amount_minor"], one["currency"]) for one in paid] == [(5900, "EUR")]
    assert [one.total for one in leaver.stripe.api.invoices.list().data if one.total > 0] == [5900]


def test_an_account_that_is_open_or_closing_is_not_erased(host):
    account, _ = host.subscribed()
    with Session(host.engine) as session:
        with pytest.raises(NotClosed, match="call close_account"):
            host.billing.erase_account(session, "a")
        host.billing.close_account(session, "a")
        with pytest.raises(NotClosed):
            host.billing.erase_account(session, "a")
        with pytest.raises(UnknownAccount):
            host.billing.erase_account(session, "nobody")

    assert account.access().is_subscribed


@pytest.mark.parametrize("call", ["delete_customer", "fetch"])
def test_killed_after_any_step_the_next_worker_goes_on(leaver, call):
    erase(leaver)
    real = getattr(leaver.gateway, call)

    def dying(*given, **named):
        real(*given, **named)
        setattr(leaver.gateway, call, real)
        raise Killed

    setattr(leaver.gateway, call, dying)
    with pytest.raises(Killed):
        leaver.drain()
    leaver.drain()

    assert [word for word in PERSONAL if word in kept(leaver)] == []
    assert leaver.keys(AccountErased) == ["erased:a"]


def test_an_outage_delays_it(leaver):
    erase(leaver)
    leaver.stripe.break_down(operation="delete /v1/customers/.*")
    leaver.drain()
    told_early = leaver.keys(AccountErased)
    leaver.clock.move(hours=1)
    leaver.drain()

    assert (told_early, leaver.keys(AccountErased)) == ([], ["erased:a"])


def test_an_event_that_comes_late_is_emptied_and_still_stored_only_once(leaver):
    erase(leaver)
    leaver.drain()
    (late,) = [one for one in leaver.stripe.take() if json.loads(one)["type"] == "customer.deleted"]
    leaver.billing.receive(*leaver.signed(late))
    leaver.drain()
    came = "a@example.org" in kept(leaver)
    leaver.billing.sweep()

    assert came
    assert [word for word in PERSONAL if word in kept(leaver)] == []
    assert leaver.billing.receive(*leaver.signed(late)).is_new is False
    with Session(leaver.engine) as session:
        assert {one.payload for one in session.query(InboxRow)} == {NOTHING}


def test_an_erased_account_buys_nothing_and_one_that_never_was_at_stripe_is_erased_without_a_call(host):
    host.start_trial()
    with Session(host.engine) as session, session.begin():
        host.billing.close_account(session, "a")
    host.drain()
    erase(host)
    host.drain()

    assert "a@example.org" not in kept(host)
    assert host.gateway.fetches == 0
    with pytest.raises(AccountIsClosing):
        host.billing.account("a").checkout(plan="pro", interval=Interval.month, success_url="http://s", cancel_url="http://c")


def test_every_table_is_deleted_scrubbed_or_kept_on_purpose():
    named = {kind.__tablename__ for kind in (*DELETED, *SCRUBBED, *SCRUBBED_BY_HAND, *KEPT)}

    assert named | {HandledRow.__tablename__, CursorRow.__tablename__} == set(metadata.tables)
