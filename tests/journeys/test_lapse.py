"""A plan that is not paid any more, as the studio's owner and a visitor see it, and undone by paying. In a demo of its own: time moves."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from roomtone_tenancy import TenantState
from studio.demo.people import PASSWORD, PEOPLE
from studio.platform import accounts
from studio.platform.models import Membership

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
BELLEVILLE = PEOPLE[0]
WITHIN_S = 30.0
SEEN_ELSEWHERE_S = 2.5  # a process may believe for two seconds what it read of a studio's state
BEYOND_THE_SEED = timedelta(days=30)  # no booking of the demo is that far ahead


def test_an_unpaid_plan_closes_by_degrees_and_a_payment_opens_it_again(own_demo, person, tomorrow, screenshots):
    settings = own_demo.services.settings
    home, owner, visitor = settings.studio_url(BELLEVILLE.slug), person(language=BELLEVILLE.locale), person()
    engineer = person(language="en", width=390, theme="dark")
    free = tomorrow + BEYOND_THE_SEED
    book = f"{home}/app/bookings/new?start={free}T10:00&end={free}T11:00"
    _sign_in(owner, home)
    _hire(own_demo.services, "noe@example.com")
    engineer.sign_in(home, "noe@example.com", PASSWORD, "/app")

    def keep(who, name: str) -> None:
        who.fits().page.screenshot(path=screenshots / f"lapse-{name}.png", full_page=True)

    _decline_the_card(own_demo, visitor)

    _later(settings, visitor, "31 days later")
    owner.finds(
        f"{home}/app", _start(owner, "The last payment failed. Everything works until %(date)s; after that the studio is read-only.")
    )
    owner.open(book).reads("New booking")

    _later(settings, visitor, "7 days later")
    owner.finds(
        f"{home}/app/calendar",
        _start(owner, "This studio is read-only: everything can be read, nothing changed. It is suspended on %(date)s."),
    )
    _settled(own_demo, TenantState.READ_ONLY)
    owner.open(book).fill("Client", "Too Late").press("Book").reads(
        "This studio is read-only until its plan is paid. Nothing is lost; open “Plan” to pay."
    )
    visitor.open(f"{home}/book").sees("Online booking is closed at the moment. Please contact the studio.")

    _later(settings, visitor, "7 days later")
    visitor.finds(home, "Studio Belleville is closed for now")
    owner.open(f"{home}/app").reads("%(studio)s is closed for now", studio="Studio Belleville")

    keep(owner, "closed-owner")
    engineer.open(f"{home}/app").sees("Only Inès Caron can pay")
    keep(engineer, "closed-engineer")
    engineer.open(f"{home}/app/plan").reads("Only the studio’s owner can change the plan.")
    keep(visitor, "closed-visitor")

    owner.press("Pay and open again", role="link").comes_to("**/app/plan").reads("To pay")
    keep(owner, "to-pay")
    owner.page.get_by_role("button", name=re.compile(re.escape(owner.word("Try %(card)s again").split("%")[0]))).click()
    owner.reads("The card was refused again. Pay with another one, or change the card first.")
    visitor.open(f"{own_demo.stripe_url}/offline")
    visitor.page.get_by_role("button", name=f"Accept the cards of {BELLEVILLE.email} again").click()
    _pay_with_another_card(owner)
    owner.reads("active", within=owner.page.locator("#plan-status"))
    visitor.finds(home, "Choose a room, see the price, and book it now. No account needed.")
    owner.finds(book, owner.word("New booking"))
    _settled(own_demo, TenantState.ACTIVE)
    owner.fill("Client", "Back Again").press("Book").sees(re.compile("^Back Again"))


def _hire(services, email: str) -> None:
    """Somebody who works there and does not own it."""
    with services.database.control() as db:
        user = accounts.create_user(db, email=email, name="Noé Martin", password=PASSWORD, locale="en")
        db.add(Membership(user_id=user.id, tenant_key=BELLEVILLE.slug, role="engineer"))


def _start(owner, english: str) -> re.Pattern[str]:
    """How the sentence begins, before what is filled in."""
    return re.compile("^" + re.escape(owner.word(english).split("%")[0]))


def _sign_in(owner, home: str) -> None:
    owner.sign_in(home, BELLEVILLE.email, PASSWORD, "/app")


def _decline_the_card(demo, visitor) -> None:
    """On the offline Stripe's console."""
    visitor.open(f"{demo.stripe_url}/offline")
    visitor.page.get_by_role("button", name=f"Decline the cards of {BELLEVILLE.email}").click()
    visitor.sees("declined")


def _settled(demo, state: TenantState) -> None:
    """Wait for the worker, which closes and opens a studio after its plan."""
    deadline = time.monotonic() + WITHIN_S
    while demo.services.database.tenancy.tenant(BELLEVILLE.slug).state is not state:
        assert time.monotonic() < deadline, f"the studio is not {state}"
        time.sleep(0.1)
    time.sleep(SEEN_ELSEWHERE_S)


def _later(settings, visitor, jump: str) -> None:
    """By the time machine of the demo."""
    visitor.open(f"{settings.url}/demo").page.get_by_role("button", name=jump, exact=True).click()
    visitor.sees(re.compile("later for plans and credits"))


def _pay_with_another_card(owner) -> None:
    page = owner.page
    owner.press("Change the card")
    page.get_by_role("link", name="Change card", exact=True).click()
    page.get_by_label("Card number").fill("4242 4242 4242 4242")
    page.get_by_label("Expiry (MM / YY)").fill("12 / 44")
    page.get_by_label("Security code").fill("123")
    page.get_by_role("button", name="Save the card").click()
    pay = page.get_by_role("button", name=re.compile("^Pay .* now$"))
    back = page.get_by_role("link", name=re.compile("^← Back to"))
    expect(back.or_(pay).first).to_be_visible()
    if pay.count():
        pay.first.click()
    back.click()
    owner.comes_to("**/app/plan**")
