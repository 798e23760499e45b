"""What a person does on pages that seeding and `--check` share: signing in, and paying on Stripe's page."""

from __future__ import annotations

from studio.demo.browser import Browser, Page, PageError

CARD = "4242424242424242"


def sign_in(browser: Browser, home: str, email: str, password: str) -> Page:
    """Sign in on a host.

    Raises:
        PageError: the door stayed closed.
    """
    page = browser.submit(browser.get(f"{home}/sign-in"), action="", email=email, password=password)
    if page.status != 200 or page.url.endswith("/sign-in"):
        raise PageError(f"{email} could not sign in at {home}: {page.text[:300]}")
    return page


def pay(browser: Browser, plan_page: Page, *, plan: str, interval: str, card: str) -> Page:
    """Choose a plan on the plan page and pay for it on Stripe's; ends on the page that Stripe leads back to.

    Raises:
        PageError: a page was not as expected.
    """
    form = next((f for f in plan_page.forms if f.fields.get("plan") == plan and f.fields.get("interval") == interval), None)
    if form is None:
        raise PageError(f"{plan_page.url} does not offer {plan} by the {interval}; it says: {plan_page.text[:300]}")
    checkout = browser.post(plan_page.url.rsplit("/", 1)[0] + "/plan/checkout", form.fields)
    return browser.submit(checkout, action="", number=card, expiry="12 / 34", cvc="123", name="Demo Person")
