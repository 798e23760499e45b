"""What the demo says when it is up: addresses, sign-ins, and five things to try."""

from __future__ import annotations

from rich.console import Console

from studio.config import Settings
from studio.demo.people import PASSWORD, PEOPLE, STAFF_EMAIL


def show(settings: Settings, stripe_url: str, console: Console) -> None:
    """Print it."""
    places = [("The platform: sign up here", settings.url, "")]
    places += [(f"{p.studio_name} ({p.plan})", settings.studio_url(p.slug), p.email) for p in PEOPLE]
    places += [
        ("Back-office, for our own staff", f"{settings.scheme}://{settings.backoffice_host}", STAFF_EMAIL),
        ("Mailbox and time machine", f"{settings.url}/demo", ""),
        ("Offline Stripe", f"{stripe_url}/offline", ""),
    ]
    wide, wider = (max(len(place[column]) for place in places) for column in (0, 1))
    for what, address, person in places:
        console.print(f"  {what:<{wide}}  {address:<{wider}}  {person}", soft_wrap=True)
    console.print(f"  Every password is [bold]{PASSWORD}[/].\n")
    console.print("[bold]Five things to try[/]")
    first = PEOPLE[0]
    for number, step in enumerate(
        (
            f"Sign up a studio of your own at {settings.url}/signup and watch its database being made.",
            f"Open {settings.studio_url(first.slug)}/app/calendar and drag over free hours; then over taken ones.",
            f"Book as a client, without an account: {settings.studio_url(first.slug)}/book",
            "Open the Assistant and ask “What is booked tomorrow?”, then “Book Studio B tomorrow 14-18 for Luna”.",
            f"Pay a plan with card 4242 4242 4242 4242, then travel in time at {settings.url}/demo and see it renew.",
        ),
        start=1,
    ):
        console.print(f"  {number}. {step}", soft_wrap=True)
    console.print()
