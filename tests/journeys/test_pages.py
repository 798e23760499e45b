"""Every page at a desk's and a phone's width, in both languages and lights: it fits, breaks no rule, and is kept as a picture."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from studio.demo.people import PASSWORD, PEOPLE, STAFF_EMAIL

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
LOOKS = [("en", 1440, "light"), ("fr", 390, "dark"), ("fr", 1440, "dark"), ("en", 390, "light")]
PLATFORM = {"landing": "/", "pricing": "/pricing", "sign-up": "/signup", "demo": "/demo"}
STUDIO = {
    "today": "/app", "calendar": "/app/calendar", "bookings": "/app/bookings", "new-booking": "/app/bookings/new",
    "clients": "/app/clients", "client-new": "/app/clients/new", "settings": "/app/settings", "rooms": "/app/settings/rooms",
    "hours": "/app/settings/hours",
    "rates": "/app/settings/rates", "addresses": "/app/settings/domains", "plan": "/app/plan",
    "plan-change": "/app/plan/change?to=starter:month",
    "plan-end": "/app/plan/cancellation", "assistant": "/app/assistant",
    "payments": "/app/payments", "payments-setup": "/app/payments/setup", "payments-new": "/app/payments/new",
}  # fmt: skip
PUBLIC = {"public": "/", "book": "/book", "sign-in": "/sign-in", "not-found": "/nothing"}


@pytest.mark.parametrize(("language", "width", "theme"), LOOKS)
def test_every_page_fits_and_breaks_no_rule(demo, person, screenshots, language, width, theme):
    settings = demo.services.settings
    names = {"en": PEOPLE[1], "fr": PEOPLE[0]}
    home = settings.studio_url(names[language].slug)
    visitor, owner, staff = (person(language=language, width=width, theme=theme) for _one in range(3))
    folder = screenshots / f"{language}-{width}-{theme}"
    folder.mkdir(exist_ok=True)

    def keep(who, name: str, url: str) -> None:
        who.open(url)
        if name == "calendar":
            expect(who.page.locator(".timeline-body")).to_be_visible()
        who.page.screenshot(path=folder / f"{name}.png", full_page=True)

    for name, path in PLATFORM.items():
        keep(visitor, name, settings.url + path)
    for name, path in PUBLIC.items():
        keep(visitor, name, home + path)
    owner.sign_in(home, names[language].email, PASSWORD, "/app")
    for name, path in STUDIO.items():
        keep(owner, name, home + path)
    office = f"{settings.scheme}://{settings.backoffice_host}"
    staff.sign_in(office, STAFF_EMAIL, PASSWORD, "/")
    keep(staff, "office", office)
    keep(staff, "office-studio", f"{office}/studios/{names[language].slug}")
