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
    Person(
        slug="belleville",
        studio_name="Studio Belleville",
        name="Inès Caron",
        email="ines@example.com",
        plan="pro",
        locale="fr",
        timezone="Europe/Paris",
        currency="EUR",
    ),
    Person(
        slug="northlight",
        studio_name="Northlight Audio",
        name="Tom Hale",
        email="tom@example.com",
        plan="starter",
        locale="en",
        timezone="Europe/London",
        currency="GBP",
    ),
    Person(
        slug="beatlab",
        studio_name="Beat Lab",
        name="Maya Ortiz",
        email="maya@example.com",
        plan="starter",
        locale="en",
        timezone="Europe/Madrid",
        currency="EUR",
    ),
)


@dataclass(frozen=True, kw_only=True)
class RoomPlan:
    """A room of the demo. `hourly_minor` is in the studio's currency."""

    name: str
    kind: str
    capacity: int
    hourly_minor: int
    description: str


ROOMS = {
    "belleville": (
        RoomPlan(
            name="Studio A",
            kind="live",
            capacity=12,
            hourly_minor=7500,
            description="Live room of 65 m² with a grand piano, and a control room.",
        ),
        RoomPlan(name="Studio B", kind="mix", capacity=4, hourly_minor=4500, description="Mixing, overdubs and voice."),
        RoomPlan(name="Mastering", kind="mastering", capacity=3, hourly_minor=6000, description="Flat from 20 Hz, and quiet."),
        RoomPlan(name="Rehearsal 1", kind="rehearsal", capacity=8, hourly_minor=1800, description="Drums, PA and amplifiers are there."),
    ),
    "northlight": (
        RoomPlan(name="The Loft", kind="live", capacity=6, hourly_minor=4000, description="One bright room with a view and a valve desk."),
    ),
    "beatlab": (RoomPlan(name="Booth", kind="booth", capacity=2, hourly_minor=2500, description="Voice and beats."),),
}

BUSY = 0.62  # chance that another booking follows on a day

CLIENTS = (
    ("Luna Park", "luna@example.com"),
    ("Les Filles du Canal", "canal@example.com"),
    ("Maison Ondes", "ondes@example.com"),
    ("Karim Belkacem", "karim@example.com"),
    ("Podcast Grand Angle", "grandangle@example.com"),
    ("The Velvet Hours", "velvet@example.com"),
    ("Ana Duarte Trio", "duarte@example.com"),
    ("Northern Brass", "brass@example.com"),
    ("Film Unit 9", "unit9@example.com"),
    ("Oskar Lind", "oskar@example.com"),
)
