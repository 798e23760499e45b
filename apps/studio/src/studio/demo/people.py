"""Who lives in the demo. All names are invented; addresses end in example.com."""

from __future__ import annotations

from dataclasses import dataclass

PASSWORD = "demo-studio"  # noqa: S105  # printed on the screen for everyone
STAFF_EMAIL = "staff@example.com"


@dataclass(frozen=True, kw_only=True)
class Person:
    """An owner and the studio that is made for them."""

    slug: str
    studio_name: str
    name: str
    email: str
    plan: str
    locale: str
    timezone: str
    currency: str


PEOPLE = (
    Person(slug="belleville", studio_name="Studio Belleville", name="Inès Caron", email="ines@example.com", plan="pro", locale="fr", timezone="Europe/Paris", currency="EUR"),
    Person(slug="northlight", studio_name="Northlight Audio", name="Tom Hale", email="tom@example.com", plan="starter", locale="en", timezone="Europe/London", currency="GBP"),
    Person(slug="beatlab", studio_name="Beat Lab", name="Maya Ortiz", email="maya@example.com", plan="starter", locale="en", timezone="Europe/Madrid", currency="EUR"),
)
