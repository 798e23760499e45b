"""`studio demo --check`: the main path, walked over HTTP like a person would, a line per step."""

from __future__ import annotations

import html
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from rich.console import Console

from roomtone_ai_credits import CREDIT
from studio.demo.browser import Browser, Page, PageError
from studio.demo.customer import CARD, pay, sign_in
from studio.demo.launcher import Demo, running
from studio.demo.people import PASSWORD, STAFF_EMAIL
from studio.errors import SetupError
from studio.services import Services

T = TypeVar("T")
WITHIN_S = 30.0
PASSPHRASE = "a quiet room with cables"  # noqa: S105  # of a studio that exists for one check
ZONE = ZoneInfo("Europe/Paris")


def run(demo: Demo, console: Console) -> bool:
    """Start the demo, walk the path, stop; returns whether every step passed."""
    with running(demo, console) as (services, _processes):
        console.print("\nThe path:")
        walk = Walk(services)
        for name, step in walk.steps():
            began = time.monotonic()
            try:
                seen = step()
            except (PageError, SetupError, KeyError, IndexError, ValueError) as error:
                console.print(f"  [red]✗[/] {name}: {error}")
                return False
            console.print(f"  [green]✓[/] {name}: {seen} [dim]({time.monotonic() - began:.2f} s)[/]")
    console.print("[bold green]All steps passed.[/]")
    return True


class Walk:
    """One person's way from sign-up to the back-office, in a studio of its own."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._settings = services.settings
        self._slug = f"check-{secrets.token_hex(4)}"
        self._home = self._settings.studio_url(self._slug)
        self._owner, self._client = Browser(), Browser()
        self._tomorrow = datetime.now(ZONE).date() + timedelta(days=1)

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """The steps in order; each returns what it saw."""
        yield "landing page", self._landing
        yield "sign-up", self._sign_up
        yield "provisioning", self._provisioning
        yield "onboarding", self._onboarding
        yield "calendar booking", self._calendar
        yield "overlap refused", self._overlap
        yield "public booking", self._public
        yield "subscription", self._subscribe
        yield "assistant", self._assistant
        yield "back-office", self._backoffice
        yield "isolation", self._isolation

    def _landing(self) -> str:
        page = self._client.get(self._settings.url + "/")
        return _expect(page, "19", "59").url

    def _sign_up(self) -> str:
        page = self._owner.get(f"{self._settings.url}/signup")
        hint = self._owner.get(f"{self._settings.url}/signup/slug?slug={self._slug}")
        _expect(hint, "is free")
        wish = {"studio_name": "Check Studio", "slug": self._slug, "person_name": "Ada Check", "email": f"{self._slug}@example.com"}
        page = self._owner.submit(page, action="", password=PASSPHRASE, plan="starter", **wish)
        if "/provisioning/" not in page.url:
            raise PageError(f"sign-up led to {page.url}: {page.text[:300]}")
        self._progress_url = page.url
        return self._slug

    def _provisioning(self) -> str:
        def opened() -> Page | None:
            page = self._owner.get(self._progress_url, **{"HX-Request": "true"})
            return page if page.url.startswith(self._home) else None

        page = _until(opened, "the studio was not ready")
        tenant = self._services.database.tenancy.tenant(self._slug)
        return f"database {tenant.database}, schema {tenant.revision}, now at {page.url}"

    def _onboarding(self) -> str:
        page = self._owner.get(f"{self._home}/onboarding")
        for _step in range(5):
            if "/onboarding" not in page.url:
                break
            page = self._owner.submit(page, action="")
        rooms = json.loads(self._owner.get(f"{self._home}/app/calendar/rooms.json").body)
        if not rooms:
            raise PageError("onboarding left no room")
        self._room = rooms[0]["id"]
        return ", ".join(room["title"] for room in rooms)

    def _calendar(self) -> str:
        page = self._book("14:00", "18:00", "Luna Park")
        events = self._owner.get(f"{self._home}/app/calendar/bookings.json?start={self._tomorrow}T00:00:00&end={self._tomorrow}T23:59:59")
        found = [event for event in json.loads(events.body) if "Luna Park" in event["title"]]
        if not found:
            raise PageError(f"the booking is not in the calendar; the form said: {page.text[:300]}")
        return f"{found[0]['start']}–{found[0]['end']}"

    def _overlap(self) -> str:
        page = self._book("16:00", "20:00", "Late Comers")
        _expect(page, "Luna Park", "18:00")
        return " ".join(re.findall(r"Studio A is booked.*?\.", page.text)[:1])

    def _book(self, start: str, end: str, client: str) -> Page:
        where = f"{self._home}/app/bookings/new?room={self._room}&start={self._tomorrow}T{start}&end={self._tomorrow}T{end}"
        return self._owner.submit(self._owner.get(where), action="/app/bookings/new", client=client)

    def _public(self) -> str:
        page = self._client.get(f"{self._home}/book?room={self._room}")
        link = re.search(r'href="(/book\?[^"]*start=[^"]*)"', page.body)
        if link is None:
            raise PageError(f"{page.url} offers no time; it says: {page.text[:300]}")
        page = self._client.get(self._home + html.unescape(link[1]).split("#")[0])
        page = self._client.submit(page, action="/book", name="Karim Public", email="karim@example.com")
        _expect(page, "Karim Public")
        if not re.search(r"/book/[0-9a-f-]{36}$", page.url):
            raise PageError(f"booking led to {page.url}: {page.text[:300]}")
        _expect(self._owner.get(f"{self._home}/app/clients"), "Karim Public")
        return page.url.replace(self._home, "")

    def _subscribe(self) -> str:
        before = self._credits()
        pay(self._owner, self._owner.get(f"{self._home}/app/plan"), plan="pro", interval="month", card=CARD)
        access = _until(lambda: (a := self._services.billing.account(self._slug).access()).is_subscribed and a, "the plan is not active")
        _until(lambda: self._credits() == 500, "the plan's credits did not arrive")
        return f"plan {access.plan_key}, {access.card}, credits {before:g} → 500"

    def _assistant(self) -> str:
        page = self._owner.get(f"{self._home}/app/assistant")
        page = self._owner.submit(page, action="/app/assistant/turns", question="What is booked tomorrow?")
        _expect(page, "Luna Park")
        left = self._credits()
        if left != 499:
            raise PageError(f"a turn should cost one credit, but {left:g} of 500 are left")
        return "answered from the calendar, one credit charged"

    def _backoffice(self) -> str:
        staff = Browser()
        home = f"{self._settings.scheme}://{self._settings.backoffice_host}"
        sign_in(staff, home, STAFF_EMAIL, PASSWORD)
        page = _expect(staff.get(f"{home}/studios/{self._slug}"), "pro")
        page = staff.submit(page, action="/suspension", reason="the check asks")
        _until(lambda: self._owner.get(f"{self._home}/app").status == 503, "the suspended studio still opens")
        staff.submit(page, action="/resumption", reason="the check is done")
        _until(lambda: self._owner.get(f"{self._home}/app").status == 200, "the resumed studio stays closed")
        return "suspended and resumed"

    def _isolation(self) -> str:
        other = self._settings.studio_url("belleville")
        if (page := self._owner.get(f"{other}/app")).url.startswith(f"{other}/app"):
            raise PageError(f"an owner of {self._slug} opened {page.url}")
        booking = self._client.get(f"{other}/book/{secrets.token_hex(8)}")
        if booking.status != 404:
            raise PageError(f"a stranger's id answered {booking.status}")
        return "another studio's door stays closed, a stranger's id is not found"

    def _credits(self) -> float:
        return self._services.credits.balance(self._slug).available / CREDIT


def _expect(page: Page, *words: str) -> Page:
    """The page, if it succeeded or explained, and says all of this.

    Raises:
        PageError: it does not.
    """
    missing = [word for word in words if word not in page.text]
    if page.status >= 500 or missing:
        raise PageError(f"{page.url} answered {page.status} without {missing}; it says: {page.text[:400]}")
    return page


def _until(look: Callable[[], T | bool | None], complaint: str) -> T:
    """What `look` finds within half a minute.

    Raises:
        PageError: nothing.
    """
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if found := look():
            return found  # type: ignore[return-value]  # True only where the caller ignores it
        time.sleep(0.1)
    raise PageError(f"{complaint} within {WITHIN_S:.0f} s")
