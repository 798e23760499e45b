"""The whole way of a studio's owner, a visitor and our own staff, checked by what they see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from uuid import uuid4

import pytest
from babel.dates import format_date, format_skeleton
from playwright.sync_api import Locator, expect

from studio.demo.people import PASSWORD, STAFF_EMAIL

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PASSPHRASE = "a quiet room with cables"
PRICE_OF_FOUR_HOURS = re.compile(r"160[.,]00")
NO_CREDITS = "No AI credits are left. New ones come on %(day)s; everything else works as before."
BOOKED = "%(title)s is booked: %(room)s, %(when)s."


@dataclass(kw_only=True)
class Way:
    """What the steps share."""

    demo: object
    owner: object
    visitor: object
    slug: str
    day: date

    @property
    def home(self) -> str:
        return self.demo.services.settings.studio_url(self.slug)

    @property
    def platform(self) -> str:
        return self.demo.services.settings.url

    @property
    def locale(self) -> str:
        return {"en": "en_GB", "fr": "fr_FR"}[self.owner.language]

    def times(self, start: str, end: str) -> str:
        """A day and its times, as a refusal says them."""
        return f"{format_skeleton('MMMEd', self.day, locale=self.locale)}, {start}–{end}"


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("fr", 390)])
def test_a_studio_from_sign_up_to_the_back_office(demo, person, tomorrow, language, width):
    owner, visitor = person(language=language, width=width), person(language=language, width=width)
    way = Way(demo=demo, owner=owner, visitor=visitor, slug=f"night-owl-{uuid4().hex[:6]}", day=tomorrow)

    sign_up(way)
    watch_it_being_made(way)
    set_up(way)
    book_on_the_calendar(way)
    book_in_public(way)
    subscribe(way)
    change_the_plan(way)
    ask_the_assistant(way)
    run_out_of_credits(way)
    be_suspended_and_resumed(way, person(width=width))  # our staff work in English


def sign_up(way: Way) -> None:
    owner = way.owner
    owner.open(way.platform)
    owner.press("Start free", role="link").comes_to("**/signup")
    owner.fill("Studio name", "Night Owl").fill("Address", "belleville")
    host = way.demo.services.settings.studio_host
    owner.reads("This address is taken. Please choose another.")
    owner.fill("Address", way.slug).reads("%(host)s is free.", host=host(way.slug))
    owner.fill("Your name", "Ada Moreau").fill("E-mail", f"{way.slug}@example.com").fill("Password", PASSPHRASE)
    owner.press("Create my studio").comes_to("**/provisioning/*")


def watch_it_being_made(way: Way) -> None:
    owner = way.owner
    owner.reads("Your studio is being made").reads("Creating the database")
    owner.comes_to(re.compile(re.escape(way.home) + "/onboarding"))


def set_up(way: Way) -> None:
    owner, page = way.owner, way.owner.page
    owner.reads("Which rooms can be booked?")
    owner.fill("Name", "Studio A").press("Add a room")
    page.get_by_label(owner.label("Name")).nth(1).fill("Studio B")
    owner.press("Save and go on").reads("When is the studio open?").fits()
    page.get_by_label(owner.word("Sunday"), exact=True).check()
    owner.press("Save and go on").reads("What does an hour cost?").fits()
    page.get_by_label("Studio A").fill("40")
    owner.press("Save and open the calendar").comes_to("**/app/calendar**")
    owner.sees("Studio A").sees("Studio B")


def book_on_the_calendar(way: Way) -> None:
    owner, page = way.owner, way.owner.page
    owner.press("Next day").comes_to(f"**/app/calendar?date={way.day}")
    owner.sees(format_date(way.day, "EEEE d MMMM", locale=way.locale))
    _begin(way, "Studio A", 14, 18)
    drawer = page.locator("#drawer")
    owner.sees(PRICE_OF_FOUR_HOURS, within=drawer)
    owner.fill("Client", "Luna Park", within=drawer).press("Book", within=drawer)
    owner.reads(BOOKED, title="Luna Park", room="Studio A", when=way.times("14:00", "18:00"))
    expect(_event(way, "Luna Park")).to_be_visible()

    _begin(way, "Studio A", 12, 16)
    refusal = owner.word(
        "%(room)s is booked %(when)s by %(client)s.", room="Studio A", when=way.times("14:00", "18:00"), client="Luna Park"
    )
    owner.sees(refusal, within=drawer)
    owner.fill("Client", "Late Comers", within=drawer).press("Book", within=drawer)
    offer = way.times("18:00", "22:00")
    owner.reads("The next free slot is %(when)s.", when=offer, within=drawer.get_by_role("alert"))
    drawer.get_by_role("button", name=owner.word("Take %(when)s", when=offer)).click()
    expect(drawer.get_by_label(owner.word("From"), exact=True)).to_have_value("18:00")
    owner.sees(PRICE_OF_FOUR_HOURS, within=drawer).press("Book", within=drawer)
    owner.reads(BOOKED, title="Late Comers", room="Studio A", when=offer)
    expect(_event(way, "Late Comers")).to_contain_text("18")
    _move(way, refusal)


def book_in_public(way: Way) -> None:
    owner, visitor, page = way.owner, way.visitor, way.visitor.page
    visitor.open(way.home).press("Book a room", role="link").comes_to("**/book**")
    page.get_by_role("link", name=re.compile("Studio B")).click()
    page.get_by_role("link", name=re.compile(re.escape(format_date(way.day, "d MMM", locale=way.locale)))).click()
    page.get_by_role("link", name="15:00", exact=True).click()
    page.get_by_role("link", name=re.compile(r"^3 h\s\D*150[.,]00")).click()
    visitor.fits().sees(re.compile(r"150[.,]00"))
    visitor.fill("Your name", "Nora Lind").fill("E-mail", "nora@example.com")
    page.get_by_role("button", name=re.compile(r"150[.,]00")).click()
    visitor.comes_to("**/book/*").reads("%(room)s is yours", room="Studio B")

    owner.page.reload()
    expect(_event(way, "Nora Lind")).to_be_visible()
    _cancel_from_the_mail(way)
    owner.page.reload()
    expect(_event(way, "Luna Park")).to_be_visible()
    expect(_event(way, "Nora Lind")).to_have_count(0)


def subscribe(way: Way) -> None:
    owner, page = way.owner, way.owner.page
    owner.open(f"{way.home}/app/plan")
    page.get_by_role("button", name=re.compile(r"Pro.*59[.,]00")).click()
    pay_on_stripes_page(page, "4000 0000 0000 0002")
    owner.sees("Your card was declined.").sees("Nothing was charged.").fits()
    pay_on_stripes_page(page, "4242 4242 4242 4242")
    owner.comes_to(f"{way.home}/app/plan**")
    status = page.locator("#plan-status")
    for seen in ("Pro", owner.word("active"), "500", re.compile("4242")):
        owner.sees(seen, within=status)
    expect(page.locator("[data-credits]")).to_have_text("500")


def change_the_plan(way: Way) -> None:
    owner, page = way.owner, way.owner.page
    status = page.locator("#plan-status")
    owner.press("Change plan", role="link").comes_to("**/app/plan/change")
    _choose(way, re.compile(r"Starter.*19[.,]00", re.DOTALL)).reads("Nothing to pay today.").fits()
    _press_start(way, "Change on %(day)s")
    owner.comes_to(f"{way.home}/app/plan?**").sees(
        _inside(way, "Noted. Nothing changes before %(day)s, and until then you can take it back.")
    )
    owner.press("Take it back").reads("The change is taken back. Your plan stays as it is.")

    _cards(way, "Decline")
    owner.press("Change plan", role="link").comes_to("**/app/plan/change")
    _choose(way, re.compile(r"Pro.*590[.,]00", re.DOTALL)).reads("To pay today").fits()
    _press_start(way, "Pay %(amount)s and change now")
    owner.reads("The payment did not go through, so nothing has changed: you are still on %(plan)s.", plan="Pro")
    owner.reads("monthly", within=status)
    _cards(way, "Accept", again=" again")
    owner.press("Pay and change", role="link")
    pay_on_stripes_page(page, "4242 4242 4242 4242")
    expect(page.get_by_text("paid", exact=True).first).to_be_visible()
    owner.finds(f"{way.home}/app/plan", owner.word("yearly"))

    ends = re.compile(re.escape(owner.word("The subscription ends on %(date)s.").split("%")[0]))
    owner.press("End the plan", role="link").reads("What happens").fits()
    page.get_by_label(owner.word("I do not use it enough")).check()
    _press_start(way, "End the plan on %(day)s")
    owner.sees(ends).press("Keep the plan").reads("The plan goes on. Good to have you.")
    owner.sees(owner.word("active"), within=status)
    expect(page.get_by_text(ends)).to_have_count(0)


def _choose(way: Way, plan: re.Pattern[str]):
    way.owner.page.get_by_role("link", name=plan).first.click()
    return way.owner


def _press_start(way: Way, english: str) -> None:
    """Press the button whose words begin like this, before what is filled in."""
    name = re.compile("^" + re.escape(way.owner.word(english).split("%")[0]))
    way.owner.page.locator("#main").get_by_role("button", name=name).first.click()


def _inside(way: Way, english: str) -> re.Pattern[str]:
    """The words between what is filled in."""
    return re.compile(re.escape(way.owner.word(english).partition(")s")[2]))


def _cards(way: Way, verb: str, *, again: str = "") -> None:
    """Let the owner's bank refuse, or not any more, on the offline Stripe's console."""
    console = way.visitor.open(f"{way.demo.stripe_url}/offline").page
    console.get_by_role("button", name=f"{verb} the cards of {way.slug}@example.com{again}").click()


def ask_the_assistant(way: Way) -> None:
    owner, page = way.owner, way.owner.page
    owner.open(f"{way.home}/app/calendar?date={way.day}")
    before = int(page.locator("[data-credits]").inner_text())
    owner.press("Assistant")
    panel = page.locator("#assistant")
    _ask(way, {"en": "What is booked tomorrow?", "fr": "Qu’est-ce qui est réservé demain ?"})
    owner.sees(re.compile("Luna Park"), within=panel)
    expect(page.locator("[data-credits]")).to_have_text(str(before - 1))
    _ask(way, {"en": "Book Studio B tomorrow 19-21 for Nora", "fr": "Réserve Studio B demain 19h-21h pour Nora"})
    card = panel.get_by_role("region", name=owner.word("Proposed booking"))
    owner.sees(owner.word("Not booked yet"), within=card).sees(re.compile(r"100[.,]00"), within=card)
    owner.press("Confirm booking", within=card)
    owner.sees(owner.word("Booked"), within=card)
    expect(page.locator("[data-credits]")).to_have_text(str(before - 2))
    owner.fits().press("Close", within=panel)
    expect(_event(way, "Nora")).to_be_visible()


def run_out_of_credits(way: Way) -> None:
    owner, page, services = way.owner, way.owner.page, way.demo.services
    with services.database.control() as db:
        left = services.credits.balance(way.slug).available
        services.credits.adjust(db, way.slug, amount=-left, key=f"journey-{way.slug}", reason="the journey asks", actor="tests")
    owner.open(f"{way.home}/app/calendar?date={way.day}").press("Assistant")
    panel = page.locator("#assistant")
    no_credits = re.compile("^" + re.escape(owner.word(NO_CREDITS).split("%")[0]))
    owner.sees(no_credits, within=page.locator("#assistant-composer"))
    _ask(way, {"en": "What is booked tomorrow?", "fr": "Qu’est-ce qui est réservé demain ?"})
    owner.sees(no_credits, within=panel.get_by_role("article"))
    owner.press("Close", within=panel)
    expect(page.locator("[data-credits]")).to_have_text("0")
    _begin(way, "Studio B", 10, 12)
    owner.fill("Client", "Still Working", within=page.locator("#drawer")).press("Book", within=page.locator("#drawer"))
    expect(_event(way, "Still Working")).to_be_visible()


def be_suspended_and_resumed(way: Way, staff) -> None:
    settings = way.demo.services.settings
    office = f"{settings.scheme}://{settings.backoffice_host}"
    staff.sign_in(office, STAFF_EMAIL, PASSWORD, "/")
    staff.sees(f"{way.slug}@example.com").sees("belleville")
    row = staff.page.get_by_role("row").filter(has_text=f"{way.slug}@example.com")
    row.get_by_role("link").first.click()
    staff.comes_to(f"{office}/studios/{way.slug}").sees(re.compile(r"^pro\b"))
    staff.fill("Reason", "Invoices come back").press("Suspend")
    staff.reads("The studio is suspended. Its data stays.").sees("Invoices come back")
    closed = way.visitor.word("%(studio)s is closed for now", studio="Night Owl")
    way.visitor.open(way.home).sees(closed)
    way.owner.open(f"{way.home}/app/calendar").sees(closed)
    staff.fill("Reason", "All is paid").press("Resume").reads("The studio is open again.")
    way.visitor.open(way.home).reads("Book a room")
    way.owner.open(f"{way.home}/app/calendar").sees("Studio A")


def _begin(way: Way, room: str, start: int, end: int) -> None:
    """Draw over free time with the mouse; on a phone touch it and set the end in the form."""
    page = way.owner.page
    if way.owner.is_on_phone:
        lane = page.get_by_role("button", name=room, exact=True)
        box = _box(lane)
        lane.tap(position={"x": box["width"] * (start - 10 + 0.1) / 12, "y": box["height"] / 2})
    else:
        page.mouse.move(*_place(way, room, start + 0.1))
        page.mouse.down()
        page.mouse.move(*_place(way, room, (start + end) / 2), steps=4)
        page.mouse.move(*_place(way, room, end - 0.1), steps=4)
        page.mouse.up()
    drawer = page.locator("#drawer")
    way.owner.reads("New booking", within=drawer)
    if way.owner.is_on_phone:
        drawer.get_by_label(way.owner.word("To"), exact=True).fill(f"{end}:00")
    expect(drawer.get_by_label(way.owner.word("From"), exact=True)).to_have_value(f"{start}:00")
    expect(drawer.get_by_label(way.owner.word("To"), exact=True)).to_have_value(f"{end}:00")
    way.owner.fits()


def _move(way: Way, refusal: str) -> None:
    """Drag a booking over another, which is refused, then to free time; a phone's owner uses the form."""
    owner, page = way.owner, way.owner.page
    if owner.is_on_phone:
        return _move_by_form(way)
    page.reload()
    _drag(way, "Late Comers", -2)
    owner.sees(refusal)
    expect(_event(way, "Late Comers")).to_contain_text("18:00")
    _drag(way, "Luna Park", -2)
    owner.sees(
        owner.word("Moved to %(room)s, %(when)s. It costs %(price)s.", room="Studio A", when=way.times("12:00", "16:00"), price="€160.00")
    )
    expect(_event(way, "Luna Park")).to_contain_text("12:00")
    return None


def _move_by_form(way: Way) -> None:
    owner, page = way.owner, way.owner.page
    drawer = page.locator("#drawer")
    _event(way, "Luna Park").click()
    drawer.get_by_text(owner.word("Move to…")).click()
    drawer.get_by_label(owner.word("From"), exact=True).fill("12:00")
    drawer.get_by_label(owner.word("To"), exact=True).fill("16:00")
    owner.press("Move", within=drawer)
    owner.sees(way.times("12:00", "16:00"))
    expect(_event(way, "Luna Park")).to_contain_text("12:00")


def _drag(way: Way, title: str, hours: int) -> None:
    page, event = way.owner.page, _event(way, title)
    box = _box(event)
    hour = _hour_px(way)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + hours * hour / 2, y, steps=4)
    page.mouse.move(x + hours * hour, y, steps=4)
    page.mouse.up()


def _event(way: Way, title: str) -> Locator:
    """A booking as the calendar shows it."""
    return way.owner.page.locator(".agenda-entry" if way.owner.is_on_phone else ".ec-event").filter(has_text=title)


def _place(way: Way, room: str, hour: float) -> tuple[float, float]:
    """Where an hour of a room is on the timeline."""
    page = way.owner.page
    row = _box(page.locator(".ec-body .ec-row-head").filter(has_text=room))
    opens = _box(page.locator(".ec-header .ec-slots"))["x"]
    return opens + (hour - 10) * _hour_px(way), row["y"] + row["height"] - 12


def _hour_px(way: Way) -> float:
    return _box(way.owner.page.locator(".ec-header .ec-slot").first)["width"]


def _box(part: Locator) -> dict[str, float]:
    """Where it is; the calendar draws itself anew after a change."""
    expect(part).to_be_visible()
    return part.bounding_box()


def pay_on_stripes_page(page, number: str) -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry (MM / YY)").fill("12 / 34")
    page.get_by_label("Security code").fill("123")
    page.get_by_role("button", name=re.compile("^(Subscribe and pay|Pay|Save the card)")).first.click()


def _ask(way: Way, question: dict[str, str]) -> None:
    way.owner.page.locator("#assistant-question").fill(question[way.owner.language])
    way.owner.press("Ask", within=way.owner.page.locator("#assistant"))


def _cancel_from_the_mail(way: Way) -> None:
    """The visitor opens the confirmation in the demo's mailbox and follows its link."""
    visitor, page = way.visitor, way.visitor.page
    visitor.open(f"{way.platform}/demo").sees("nora@example.com")
    page.get_by_role("row").filter(has_text="nora@example.com").get_by_role("link").first.click()
    mail = page.frame_locator("iframe")
    expect(mail.get_by_text("Studio B").first).to_be_visible()
    with page.expect_popup() as opened:
        mail.get_by_role("link", name=visitor.word("See or cancel the booking")).click()
    visitor.page = opened.value
    visitor.press("Cancel the booking")
    visitor.page.locator("#confirm-yes").click()
    visitor.reads("Your booking is cancelled").fits()
