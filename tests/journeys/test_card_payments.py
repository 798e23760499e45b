"""A studio begins to take cards, asks a client for a deposit, sees it paid and gives a part back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from studio.demo.people import PASSWORD, PEOPLE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
CARD = {"Card number": "4242 4242 4242 4242", "Expiry (MM / YY)": "12 / 34", "Security code": "123"}


@pytest.mark.parametrize(("place", "width", "theme"), [(0, 390, "dark"), (1, 1440, "light")])
def test_a_client_pays_a_deposit_and_gets_a_part_back(demo, person, screenshots, place, width, theme):
    someone = PEOPLE[place]
    home = demo.services.settings.studio_url(someone.slug)
    owner, client = (person(language=someone.locale, width=width, theme=theme) for _one in range(2))
    page = owner.page

    def keep(who, name: str) -> None:
        who.fits().page.screenshot(path=screenshots / f"cards-{someone.locale}-{width}-{theme}-{name}.png", full_page=True)

    owner.sign_in(home, someone.email, PASSWORD, "/app").open(f"{home}/app/payments")
    owner.press("Take card payments", role="link").comes_to("**/app/payments/setup")
    keep(owner, "1-begin")
    owner.press("Begin")
    page.get_by_role("heading", name=re.compile("^Take payments with")).wait_for()
    owner.open(f"{home}/app/payments/setup/return").reads("Still missing").reads("The bank account that the money goes to")
    keep(owner, "2-missing")
    owner.press("Go on")
    page.get_by_role("button", name="Answer everything").click()
    owner.comes_to("**/app/payments/setup").reads("Your clients can pay by card.")
    keep(owner, "3-ready")

    owner.press("Ask a client to pay", role="link").comes_to("**/app/payments/new")
    owner.fill("What for", "Lignes de nuit").fill("Amount", "120").fill("Reference", "EP-7").fill("Client", "Luna Park")
    owner.fill("E-mail", "luna@example.com")
    keep(owner, "4-ask")
    owner.press("Make the link").comes_to(re.compile("/app/payments/[0-9a-f-]{36}$"))
    keep(owner, "5-link")
    link = page.locator("a", has_text=re.compile("/pay/")).first.get_attribute("href")
    page.get_by_role("button", name=re.compile("luna@example.com")).click()
    owner.reads("The link is on its way.")

    client.open(link)
    keep(client, "6-client")
    client.page.get_by_role("button", name=re.compile(r"120[.,]00")).click()
    for label, value in CARD.items():
        client.page.get_by_label(label).fill(value)
    client.page.get_by_role("button", name=re.compile("^Pay")).click()
    client.comes_to(link).reads("Paid. Thank you!")
    keep(client, "7-paid")

    page.reload()
    owner.reads("paid").fill("Amount", "20").press("Give back")
    page.locator("#confirm-yes").click()
    owner.reads("partly given back")
    keep(owner, "8-refunded")
    client.page.reload()
    expect(client.page.get_by_text(re.compile(r"20[.,]00")).first).to_be_visible()
    owner.open(f"{home}/app/payments").sees("Luna Park")
    keep(owner, "9-list")
