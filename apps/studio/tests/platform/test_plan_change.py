"""The plan's pages: what is shown is what is paid, nothing changes unpaid, and what was decided can be taken back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from werkzeug.test import Client

from roomtone_billing import Account, Interval
from roomtone_billing.offline import OfflineStripe
from studio.platform import domains

PLAN, CHANGE = "/app/plan", "/app/plan/change"
CARD = {"number": "4242424242424242", "expiry": "12 / 34", "cvc": "123", "name": "Ada"}
TOKEN = re.compile(r'name="token" value="([^"]+)"')


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """A studio that pays, its owner's browser, and the bank behind its card."""

    account: Account
    client: object
    stripe: OfflineStripe

    def page(self, path: str) -> str:
        return " ".join(self.client.get(path, follow_redirects=True).text.split())

    def send(self, path: str, **fields: str) -> str:
        return " ".join(self.client.post(path, data=fields, follow_redirects=True).text.split())

    def shown(self, to: str) -> tuple[str, str | None]:
        """The page of a change, and its token when it may be confirmed."""
        page = self.page(f"{CHANGE}?to={to}")
        found = TOKEN.search(page)
        return page, found[1] if found else None

    def decline(self, *, declining: bool = True) -> None:
        customer = next(one for one in self.stripe.client().v1.customers.list().data if one.metadata["account"] == self.account.account)
        self.stripe.decline(customer.id, declining=declining)


@pytest.fixture
def subscriber_to(services, offline_stripe, studio, studio_client):
    def buy(plan: str = "starter", interval: Interval = Interval.month) -> Subscriber:
        account = services.billing.account(studio.key)
        url = account.checkout(plan=plan, interval=interval, success_url="http://x.test/", cancel_url="http://x.test/")
        assert Client(offline_stripe.wsgi_app).post(urlsplit(url).path, data=CARD).status_code == 303
        account.sync()
        return Subscriber(account=account, client=studio_client, stripe=offline_stripe)

    return buy


def test_an_upgrade_takes_what_its_page_showed_and_brings_the_new_plan(subscriber_to):
    owner = subscriber_to()
    page, token = owner.shown("pro:month")
    due = re.search(r"Pay €([\d.]+) and change now", page)

    said = owner.send(CHANGE, token=token, to="pro:month")

    newest = next(one for one in owner.account.invoices() if one.amount_minor != 1900)  # both were made in one second
    assert f"{newest.amount_minor / 100:.2f}" == due[1]
    assert "450 AI credits more at once" in page
    assert "You are on Pro now." in said
    assert owner.account.access().plan_key == "pro"
    assert newest.pdf_url in said


def test_an_upgrade_that_is_not_paid_leaves_the_old_plan_says_so_and_can_still_be_paid(subscriber_to):
    owner = subscriber_to()
    _page, token = owner.shown("pro:month")
    owner.decline()

    said = owner.send(CHANGE, token=token, to="pro:month")

    pending = owner.account.pending_change()
    assert "nothing has changed: you are still on Starter" in said
    assert "waits for its payment until" in said
    assert pending.url in said
    assert owner.account.access().plan_key == "starter"
    assert "waits for its payment" in owner.page(CHANGE)  # and no second change is begun


def test_a_downgrade_waits_visibly_and_is_taken_back(subscriber_to):
    owner = subscriber_to("pro")
    page, token = owner.shown("starter:month")
    scheduled = owner.send(CHANGE, token=token, to="starter:month")
    pending = owner.account.pending_change()
    taken_back = owner.send(f"{CHANGE}/removal")

    assert "Nothing to pay today." in page
    assert "50 AI credits each month from then on, instead of 500" in page
    assert "your plan becomes Starter, paid by the month" in scheduled
    assert (pending.plan_key, owner.account.pending_change()) == ("starter", None)
    assert "becomes Starter" not in taken_back


def test_a_year_instead_of_months_is_paid_at_once(subscriber_to):
    owner = subscriber_to()
    _page, token = owner.shown("starter:year")
    owner.send(CHANGE, token=token, to="starter:year")

    assert owner.account.access().interval is Interval.year


def test_a_smaller_plan_is_refused_in_words_while_more_is_used_than_it_includes(services, subscriber_to, studio, monkeypatch):
    owner = subscriber_to("pro")
    _page, early = owner.shown("starter:month")
    monkeypatch.setattr(domains, "txt_values", lambda _name: proofs)
    proofs: tuple[str, ...] = ()
    for number in range(2):
        owner.send("/app/settings/domains", host=f"a{number}.{studio.key}.example.com")
        claimed = services.database.tenancy.domains.list(studio.key)
        proofs = tuple(one.challenge.value for one in claimed if one.challenge)
        owner.send("/app/settings/domains/proof", host=f"a{number}.{studio.key}.example.com")
    page, token = owner.shown("starter:month")

    assert "Starter includes 1 address of your own, and you have 2. Remove 1 of them" in page
    assert token is None
    assert "Remove 1 of them" in owner.send(CHANGE, token=early, to="starter:month")
    assert owner.account.pending_change() is None


def test_a_plan_has_so_many_addresses(studio_client, studio, services, monkeypatch):
    proofs: tuple[str, ...] = ()
    monkeypatch.setattr(domains, "txt_values", lambda _name: proofs)
    first, second = (f"{letter}.{studio.key}.example.com" for letter in "ab")
    for host in (first, second):
        studio_client.post("/app/settings/domains", data={"host": host})
    proofs = tuple(one.challenge.value for one in services.database.tenancy.domains.list(studio.key) if one.challenge)
    pages = [studio_client.post("/app/settings/domains/proof", data={"host": host}, follow_redirects=True).text for host in (first, second)]

    assert "The address is yours." in pages[0]
    assert "Your plan includes 1 address of your own." in pages[1]
    assert "Your plan includes 1 address" in studio_client.post("/app/settings/domains", data={"host": f"c.{second}"}).text


def test_a_plan_is_ended_with_a_reason_and_kept_after_all(subscriber_to):
    owner = subscriber_to()
    asked = owner.page(f"{PLAN}/cancellation")
    ended = owner.send(f"{PLAN}/cancellation", reason="unused", comment="Summer")
    ends_at = owner.account.access().cancel_at
    note = next(entry for entry in owner.account.history() if entry.what == "cancel")
    refused = owner.page(CHANGE)
    kept = owner.send(f"{PLAN}/resumption")

    assert "No more money is taken." in asked
    assert ends_at == owner.account.subscriptions()[0].period_end
    assert "Keep the plan" in ended
    assert note.reason == "Summer"
    assert "about to end" in refused
    assert "Change plan" in kept
    assert owner.account.access().cancel_at is None


def test_a_price_that_was_not_shown_is_not_charged(subscriber_to):
    owner = subscriber_to()

    said = owner.send(CHANGE, token="made-up", to="pro:month")

    assert "nothing was done" in said
    assert owner.account.access().plan_key == "starter"


def test_a_payment_service_that_does_not_answer_is_said_and_nothing_is_lost(subscriber_to, offline_stripe):
    owner = subscriber_to()
    offline_stripe.fail_next("timeout", operation="post /v1/invoices/create_preview")

    said = owner.page(f"{CHANGE}?to=pro:month")

    assert "does not answer" in said
    assert owner.shown("pro:month")[1]


def test_without_a_plan_there_is_nothing_to_change_but_plans_to_choose(studio_client):
    page = studio_client.get(CHANGE, follow_redirects=True).text

    assert "There is no plan to change yet." in page
    assert "Subscribe" in page
