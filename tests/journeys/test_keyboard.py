"""Signing in and booking without a mouse."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from studio.demo.people import PASSWORD, PEOPLE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NORTHLIGHT = PEOPLE[1]
TABS_MOST = 40


def test_an_owner_signs_in_and_books_with_the_keyboard_alone(demo, person):
    home, owner = demo.services.settings.studio_url(NORTHLIGHT.slug), person()
    page, keys = owner.page, owner.page.keyboard
    owner.open(f"{home}/sign-in")
    _tab_to(page, owner.label("E-mail"))
    keys.type(NORTHLIGHT.email)
    _tab_to(page, owner.label("Password"))
    keys.type(PASSWORD)
    keys.press("Enter")
    owner.comes_to(f"{home}/app")

    _tab_to(page, re.compile("^Calendar$"))
    keys.press("Enter")
    owner.comes_to("**/app/calendar")
    expect(page.locator(".timeline-title")).to_be_visible()
    keys.press("n")
    drawer = page.locator("#drawer")
    owner.sees("New booking", within=drawer)
    _tab_to(page, owner.label("Client"))
    keys.type("No Mouse")
    keys.press("Enter")
    _take_the_offer_if_taken(owner)
    owner.sees(re.compile("^No Mouse is booked:"))
    expect(drawer).to_be_hidden()
    assert page.evaluate("document.activeElement !== null")


def _take_the_offer_if_taken(owner) -> None:
    """The first hour that the form proposes may be booked or over; its offer is one key away."""
    page = owner.page
    answer = page.get_by_text(re.compile("^No Mouse is booked:")).or_(page.get_by_role("button", name=re.compile("^Take ")))
    expect(answer.first).to_be_visible(timeout=15_000)
    if page.get_by_role("button", name=re.compile("^Take ")).is_visible():
        _tab_to(page, re.compile("^Take "))
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name=re.compile("^Take "))).to_have_count(0)
        _tab_to(page, re.compile("^Book$"))
        page.keyboard.press("Enter")


def _tab_to(page, name: re.Pattern[str]) -> None:
    """Press Tab until what is called that has the focus; fail when it cannot be reached."""
    for _press in range(TABS_MOST):
        focused = page.evaluate(
            "(() => { const e = document.activeElement; const label = e.labels?.[0]?.innerText ?? e.getAttribute('aria-label');"
            "return (label ?? e.innerText ?? '').trim() })()"
        )
        if name.search(focused):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name.pattern} was not reached with {TABS_MOST} Tabs")
