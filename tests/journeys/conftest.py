"""People with a browser each: what they type, press and see, in their own language and at their own width."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.pofile import read_po
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, expect, sync_playwright
from tests import chromium

from studio import frontend

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PHONE, DESK = 390, 1440
WITHIN_MS = 15_000  # for anything to be seen on a machine with other work
LOOKS, BETWEEN_LOOKS_MS = 40, 250
# A refusal is an answer with such a status, which a browser also writes to its console.
REFUSALS = re.compile(r"Failed to load resource: the server responded with a status of (402|404|409|422|503) ")


class Person:
    """Somebody with a browser of their own.

    Attributes:
        language: `en` or `fr`; `word` says what a page should read in it.
        complaints: what went wrong behind the page: errors on the console, broken content rules, pages wider than the screen.
    """

    def __init__(self, browser: Browser, *, language: str, width: int, theme: str) -> None:
        self.language, self.width = language, width
        self.complaints: list[str] = []
        self._words = _catalogue(language)
        tag = {"en": "en-GB", "fr": "fr-FR"}[language]
        self.context = browser.new_context(
            locale=tag,
            viewport={"width": width, "height": 844 if width == PHONE else 900},
            has_touch=width == PHONE,
            color_scheme=theme,
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(WITHIN_MS)
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda error: self.complaints.append(f"{self.page.url}: {error.error}"))
        self.page: Page = self.context.new_page()

    @property
    def is_on_phone(self) -> bool:
        """Whether the pages are as narrow as a phone's."""
        return self.width == PHONE

    def word(self, english: str, **values: object) -> str:
        """The sentence in this person's language, as the page should say it."""
        said = self._words[english] if self._words else english
        return said % values if values else said

    def label(self, english: str) -> re.Pattern[str]:
        """What a field of that name is labelled with; an optional one says so."""
        return re.compile(rf"^\s*{re.escape(self.word(english))}(\s+{re.escape(self.word('optional'))})?\s*$")

    def open(self, url: str) -> Person:
        """Go to an address."""
        self.page.goto(url)
        return self.fits()

    def fits(self) -> Person:
        """Note it when the page is wider than the screen."""
        self.page.wait_for_load_state("domcontentloaded")
        wide = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if wide > 0:
            self.complaints.append(f"{self.page.url}: {wide} px too wide for {self.width}")
        return self

    def fill(self, label: str, value: str, *, within: Locator | None = None) -> Person:
        """Type into the field of that name; the English name is translated."""
        (within or self.page.locator("body")).get_by_label(self.label(label)).first.fill(value)
        return self

    def press(self, label: str, *, within: Locator | None = None, role: str = "button") -> Person:
        """Click what is called that; the English name is translated."""
        (within or self.page.locator("body")).get_by_role(role, name=self.word(label), exact=True).first.click()
        return self

    def sees(self, text: str | re.Pattern[str], *, within: Locator | None = None) -> Person:
        """Fail unless this text, as it stands, becomes visible."""
        expect((within or self.page.locator("body")).get_by_text(text).filter(visible=True).first).to_be_visible(timeout=WITHIN_MS)
        return self

    def reads(self, english: str, *, within: Locator | None = None, **values: object) -> Person:
        """Fail unless this sentence of ours, in the person's language, becomes visible."""
        return self.sees(self.word(english, **values), within=within)

    def comes_to(self, url: str | re.Pattern[str]) -> Person:
        """Wait for an address."""
        self.page.wait_for_url(url, timeout=30_000)
        return self.fits()

    def finds(self, url: str, text: str | re.Pattern[str]) -> Person:
        """Look at an address again and again until it shows this; for what a worker does meanwhile."""
        for _look in range(LOOKS):
            self.open(url)
            if self.page.get_by_text(text).first.is_visible():
                return self
            self.page.wait_for_timeout(BETWEEN_LOOKS_MS)
        return self.sees(text)

    def sign_in(self, home: str, email: str, password: str, landing: str) -> Person:
        """Through the door of a host, to the page behind it."""
        self.open(f"{home}/sign-in").fill("E-mail", email).fill("Password", password).press("Sign in")
        return self.comes_to(home + landing)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not REFUSALS.search(message.text):
            self.complaints.append(f"{message.location.get('url')}: {message.text}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    path = chromium.find()
    assert path is not None, chromium.HOW
    with sync_playwright() as playwright:
        started = _launch(playwright, path)
        yield started
        started.close()


def _launch(playwright: Playwright, path: str) -> Browser:
    return playwright.chromium.launch(executable_path=path or None, args=ARGUMENTS)


@pytest.fixture
def person(browser: Browser) -> Iterator[Callable[..., Person]]:
    """Makes people; at the end nobody may have a complaint."""
    people: list[Person] = []

    def make(*, language: str = "en", width: int = DESK, theme: str = "light") -> Person:
        people.append(Person(browser, language=language, width=width, theme=theme))
        return people[-1]

    yield make
    complaints = [line for one in people for line in one.complaints]
    for one in people:
        one.context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def tomorrow() -> date:
    """The day after today in Paris, where the tests' studios are."""
    return datetime.now(ZoneInfo("Europe/Paris")).date() + timedelta(days=1)


@pytest.fixture(scope="session")
def screenshots(pytestconfig: pytest.Config) -> Path:
    """Where pictures of the pages go, for people to look at."""
    folder = pytestconfig.rootpath / "screenshots"
    folder.mkdir(exist_ok=True)
    return folder


def _catalogue(language: str) -> dict[str, str]:
    """English sentences and how they read in a language; empty for English itself."""
    if language == "en":
        return {}
    with (frontend.HERE.translations / language / "LC_MESSAGES" / "messages.po").open("rb") as source:
        return {str(message.id): str(message.string) for message in read_po(source, locale=language) if isinstance(message.id, str)}
