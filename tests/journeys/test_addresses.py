"""An owner adds an address of the studio's own at a desk's and a phone's width, and sees what to put into DNS."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from studio.demo.people import PASSWORD, PEOPLE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_an_owner_sees_the_record_that_proves_a_claimed_address(demo, person, screenshots, width, theme):
    home, host = demo.services.settings.studio_url(PEOPLE[1].slug), f"studio-{width}.example.com"
    owner = person(language="en", width=width, theme=theme)
    owner.sign_in(home, PEOPLE[1].email, PASSWORD, "/app")
    owner.open(f"{home}/app/settings/domains")

    owner.page.get_by_label("Address", exact=True).fill(host)
    owner.page.get_by_role("button", name="Add", exact=True).click()

    expect(owner.page.get_by_text(f"_roomtone-challenge.{host}")).to_be_visible()
    owner.open(f"{home}/app/settings/domains")  # looks at the whole page's rules too
    owner.page.screenshot(path=screenshots / f"address-claimed-{width}.png", full_page=True)
    owner.page.get_by_role("button", name=f"Remove {host}").click()
    expect(owner.page.get_by_text(f"_roomtone-challenge.{host}")).to_have_count(0)
