"""Plants the demo studios through the same doors that people use: sign-up, worker, use cases, and Stripe's page."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy.orm import Session

from roomtone_billing import Interval
from roomtone_tenancy import TenantState
from studio.contexts.scheduling import queries, rooms, service
from studio.contexts.scheduling.values import Opening, Source, Span, State, to_utc
from studio.contexts.settings import service as settings
from studio.contexts.settings.steps import Step
from studio.demo.browser import Browser
from studio.demo.customer import CARD, pay, sign_in
from studio.demo.people import BUSY, CLIENTS, PASSWORD, PEOPLE, ROOMS, STAFF_EMAIL, Person, RoomPlan
from studio.errors import SetupError
from studio.platform import accounts
from studio.platform.signup import Wish, sign_up
from studio.services import Services

READY_WITHIN_S = 60.0
DAYS_BACK, DAYS_AHEAD = 10, 14
STEPS_DONE = {"belleville": tuple(Step), "northlight": tuple(Step), "beatlab": (Step.rooms, Step.hours)}


def plant(services: Services, app: Flask) -> None:
    """Make what is missing; a demo that was stopped half-way is finished, and one that is complete is left alone.

    Args:
        app: for translated sentences.

    Raises:
        SetupError: a studio was not ready within a minute.
    """
    with app.app_context():
        _staff(services)
        for person in PEOPLE:
            with services.database.control() as db:
                sign_up(db, services, _wish(person))
        for person in PEOPLE:
            _wait_for(services, person.slug)
            with services.database.tenancy.use(person.slug), services.database.studio() as db:
                _furnish(db, person)
    if not services.billing.account(PEOPLE[0].slug).access().is_subscribed:
        _subscribe(services, PEOPLE[0])


def _staff(services: Services) -> None:
    with services.database.control() as db:
        if accounts.find_user(db, STAFF_EMAIL) is None:
            accounts.create_user(db, email=STAFF_EMAIL, name="Robin Keller", password=PASSWORD, locale="en", is_staff=True)


def _wish(person: Person) -> Wish:
    return Wish(
        attempt=f"demo-{person.slug}",
        studio_name=person.studio_name,
        slug=person.slug,
        person_name=person.name,
        email=person.email,
        password=PASSWORD,
        plan=person.plan,
        interval=Interval.month,
        locale=person.locale,
        timezone=person.timezone,
        currency=person.currency,
    )


def _wait_for(services: Services, slug: str) -> None:
    """Until the worker has made the studio."""
    deadline = time.monotonic() + READY_WITHIN_S
    while services.database.tenancy.tenant(slug).state is not TenantState.ACTIVE:
        progress = services.database.tenancy.progress(slug)
        if time.monotonic() > deadline:
            raise SetupError(
                f"The studio {slug} was not ready within {READY_WITHIN_S:.0f} s: {progress.error or 'the worker did not come to it'}."
            )
        time.sleep(0.1)


def _furnish(db: Session, person: Person) -> None:
    """Rooms, hours, rates and bookings; nothing where there are rooms already."""
    if queries.rooms(db):
        return
    plans = ROOMS[person.slug]
    for plan in plans:
        rooms.save_room(
            db,
            rooms.RoomInput(
                public_id=None, version=None, name=plan.name, kind=plan.kind, capacity=plan.capacity, description=plan.description
            ),
        )
    rooms.set_opening(db, [Opening(room_id=None, weekday=day, opens_minute=9 * 60, closes_minute=24 * 60) for day in range(7)])
    for step in STEPS_DONE[person.slug]:
        settings.save_step(db, step)
    if Step.rates in STEPS_DONE[person.slug]:
        by_name = {room.name: room for room in queries.rooms(db)}
        rooms.set_hourly(db, {by_name[plan.name].id: plan.hourly_minor for plan in plans})
        for plan in plans:
            _fill(db, person, plan, by_name[plan.name].public_id)


def _fill(db: Session, person: Person, plan: RoomPlan, room: str) -> None:
    """Bookings before and after today, the same for everyone who looks on the same day."""
    chance, zone = Random(f"{person.slug}/{plan.name}"), ZoneInfo(person.timezone)  # noqa: S311  # a demo's variety, not a secret
    today = datetime.now(zone).date()
    for offset in range(-DAYS_BACK, DAYS_AHEAD + 1):
        day, hour = today + timedelta(days=offset), chance.choice((9, 10, 11))
        while hour < 22 and chance.random() < BUSY:
            length = min(chance.choice((2, 3, 4, 4, 6)), 24 - hour)
            start = to_utc(datetime(day.year, day.month, day.day, hour), zone)  # noqa: DTZ001  # a wall-clock time, made an instant at once
            name, email = chance.choice(CLIENTS)
            state = State.held if offset > 2 and chance.random() < 0.15 else State.confirmed
            service.create_booking(
                db,
                room=room,
                span=Span(starts_at=start, ends_at=start + timedelta(hours=length)),
                source=chance.choice((Source.staff, Source.staff, Source.public)),
                now=datetime.now(UTC) - timedelta(days=DAYS_BACK + 5),
                client=service.ClientInput(name=name, email=email),
                state=state,
                key=f"demo:{plan.name}:{day}:{hour}",
            )
            hour += length + chance.choice((0, 1, 2))


def _subscribe(services: Services, person: Person) -> None:
    """Buy the plan on Stripe's page, as the owner would."""
    browser = Browser(locale="en")
    home = services.settings.studio_url(person.slug)
    sign_in(browser, home, person.email, PASSWORD)
    pay(browser, browser.get(f"{home}/app/plan"), plan=person.plan, interval="month", card=CARD)
