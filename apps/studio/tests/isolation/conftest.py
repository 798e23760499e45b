"""Two studios side by side, with a mark of its own in everything that each of them stores."""

from __future__ import annotations

import html
import json
import logging
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from structlog.testing import capture_logs
from werkzeug.test import Client, TestResponse

from roomtone_billing import Interval
from roomtone_billing.offline import OfflineStripe
from studio.app import HostDispatcher
from studio.contexts.scheduling import queries, rooms
from studio.contexts.scheduling.values import Opening
from studio.db import StudioBase
from studio.platform import accounts, jobs
from studio.platform.signup import Wish, sign_up
from studio.services import Services

PASSWORD = "a quiet room with cables"
HTMX = {"HX-Request": "true"}
_TAGS = re.compile(r"<[^>]*>\s*")
# Routes that name something: which of a studio's things to ask for. A new route must be added here.
NAMED = {
    "assistant.turn": "turn",
    "assistant.confirm": "action",
    "assistant.reject": "action",
    "payments.show": "payment_request",
    "payments.send": "payment_request",
    "payments.withdraw": "payment_request",
    "payments.refund": "payment_request",
    "pay.page": "payment_request",
    "pay.pay": "payment_request",
    "pay.returned": "payment_request",
    "scheduling.booking": "booking",
    "scheduling.move": "booking",
    "scheduling.details": "booking",
    "scheduling.cancel": "booking",
    "scheduling.client": "party",
    "crm.edit": "party",
    "scheduling.room_edit": "room",
    "scheduling.room_archive": "room",
    "scheduling.rate_remove": "rate",
    "public.booking": "public booking",
    "public.cancel": "public booking",
    "public.calendar_file": "public booking",
}


@dataclass(frozen=True, kw_only=True)
class House:
    """A studio and what tells that something is its own.

    Attributes:
        mark: a word that is in every text of this studio and in no other's.
        words: texts with the mark that its pages are known to show.
        ids: public ids by what they name.
        traces: its mark, every id of its rows, and its database's name.
        sign_in: the value of its owner's session cookie.
        token: what that cookie holds, signed, as the sign-in.
    """

    key: str
    host: str
    mark: str
    owner_email: str
    sign_up_id: str
    words: tuple[str, ...]
    ids: dict[str, str] = field(repr=False)
    traces: frozenset[str] = field(repr=False)
    owner: FlaskClient = field(repr=False)
    visitor: FlaskClient = field(repr=False)
    sign_in: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One answer.

    Attributes:
        who: `owner`, `htmx` (the owner, by htmx) or `anyone`.
        said: all that it says, see `content`.
    """

    house: House
    other: House
    who: str
    path: str
    answer: TestResponse
    said: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Crawl:
    """Every page of both studios, and what was logged meanwhile."""

    seen: list[Seen]
    logged: list[str]


class Ear(logging.Handler):
    """Keeps what the standard library's loggers are told."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(scope="session")
def houses(app: HostDispatcher, services: Services, offline_stripe: OfflineStripe) -> tuple[House, House]:
    """Two studios, furnished alike through the app's own pages."""
    builder = Builder(app, services, offline_stripe)
    return builder.build("amber", "#b45309"), builder.build("cobalt", "#1d4ed8")


@pytest.fixture(scope="session")
def content(app: HostDispatcher) -> Callable[[TestResponse], str]:
    """Everything that an answer says: status, headers, what its signed cookies hold, and its body."""

    def read(answer: TestResponse) -> str:
        cookies = [_opened(app.studio, answer, header) for header in answer.headers.getlist("Set-Cookie")]
        return plain("\n".join([answer.status, str(answer.headers), *cookies, answer.get_data().decode("utf-8", "replace")]))

    return read


@pytest.fixture(scope="session")
def pages(app: HostDispatcher) -> Callable[[House], list[str]]:
    """Every address of the studio app that can be read, on one studio's ids; some with questions of their own."""

    def make(house: House) -> list[str]:
        unnamed = sorted(r.rule for r in app.studio.url_map.iter_rules() if "GET" in r.methods and not r.arguments)
        mine = [rule.replace("<public_id>", house.ids[kind]) for rule, kind in named(app.studio, "GET")]
        return [*unnamed, *mine, *(path.format(**house.ids) for path in asked())]

    return make


@pytest.fixture(scope="session")
def crawl(houses: tuple[House, House], pages: Callable[[House], list[str]], content: Callable[[TestResponse], str]) -> Crawl:
    """Every page of both studios, read once: as owner, as owner by htmx, and as anyone."""
    seen, heard = [], Ear()
    logging.getLogger().addHandler(heard)
    try:
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            for house, other in (houses, houses[::-1]):
                for who, client, headers in (("owner", house.owner, {}), ("htmx", house.owner, HTMX), ("anyone", house.visitor, {})):
                    for path in pages(house):
                        answer = client.get(path, headers=headers)
                        seen.append(Seen(house=house, other=other, who=who, path=path, answer=answer, said=content(answer)))
    finally:
        logging.getLogger().removeHandler(heard)
    return Crawl(seen=seen, logged=[*map(repr, lines), *heard.lines])


@pytest.fixture(scope="session")
def reads(app: HostDispatcher) -> list[tuple[str, str]]:
    """Every address that reads a thing it names, as (rule, what it names)."""
    return named(app.studio, "GET")


@pytest.fixture(scope="session")
def writes(app: HostDispatcher) -> list[tuple[str, str]]:
    """Every address that writes to a thing it names, as (rule, what it names)."""
    return named(app.studio, "POST")


@pytest.fixture
def at(services: Services) -> Callable[[House], Any]:
    """Runs a function on a studio's database: `at(house)(function)`."""

    def of(house: House) -> Callable[[Callable[[Any], Any]], Any]:
        def run(function: Callable[[Any], Any]) -> Any:
            with services.database.tenancy.use(house.key), services.database.studio() as db:
                return function(db)

        return run

    return of


@pytest.fixture
def everything(at: Callable[[House], Any]) -> Callable[[House], dict[str, list[Any]]]:
    """All rows of a studio's database."""

    def read(house: House) -> dict[str, list[Any]]:
        return at(house)(lambda db: {t.name: sorted(map(repr, db.execute(select(t)).all())) for t in StudioBase.metadata.sorted_tables})

    return read


@pytest.fixture(scope="session")
def client_at(app: HostDispatcher) -> Callable[[House], FlaskClient]:
    """A new client without cookies on a studio's host."""
    return lambda house: client_on(app.studio, house.host)


def _opened(app: Flask, answer: TestResponse, header: str) -> str:
    """What a signed cookie holds."""
    value = header.partition("=")[2].partition(";")[0]
    with app.request_context(answer.request.environ):
        serializer = app.session_interface.get_signing_serializer(app)
        assert serializer is not None
        return json.dumps(serializer.loads(value)) if value else ""


def plain(text: str) -> str:
    """The text and its readings without escapes, in lower case."""
    return "\n".join([text, html.unescape(text), unquote(text)]).lower()


def named(app: Flask, method: str) -> list[tuple[str, str]]:
    """The rules that name something, each with what that is; a rule that nobody placed in `NAMED` fails the test."""
    rules = [r for r in app.url_map.iter_rules() if method in r.methods and r.arguments and r.endpoint != "static"]
    assert not (missing := [r.endpoint for r in rules if r.endpoint not in NAMED]), f"add {missing} to NAMED"
    assert all(r.arguments == {"public_id"} for r in rules)
    return sorted((r.rule, NAMED[r.endpoint]) for r in rules)


def asked() -> Iterator[str]:
    """Pages whose questions lead to more of what is stored."""
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    yield f"/app/calendar?date={day}"
    yield f"/app/calendar/bookings.json?start={day}T00:00&end={day + timedelta(days=20)}T00:00"
    yield "/app/settings/hours?room={room}"
    yield "/app/bookings/new?room={room}"
    yield "/app/bookings/{public booking}"
    yield "/app/clients?q=client"
    yield "/app/assistant?thread={conversation}"
    yield "/app/assistant/panel?thread={conversation}"
    yield "/book?room={room}"
    yield "/book?room={room}" + f"&day={day}&start={day}T08:00%2B00:00&minutes=120"


def client_on(app: Flask, host: str) -> FlaskClient:
    """A client without cookies on a host."""
    client = app.test_client()
    client.host = host
    return client


class Builder:
    """Furnishes studios as people would: over the app's pages."""

    def __init__(self, app: HostDispatcher, services: Services, stripe: OfflineStripe) -> None:
        self.app, self.services, self.stripe = app, services, stripe

    def build(self, name: str, accent: str) -> House:
        """A studio whose texts all hold one mark."""
        mark = f"{name}{uuid.uuid4().hex[:8]}"
        sign_up_id = self._sign_up(mark)
        host = f"{mark}.{self.services.settings.host}"
        owner, visitor = client_on(self.app.studio, host), client_on(self.app.studio, host)
        self._enter(owner, mark)
        room = self._set_up(owner, mark, accent)
        self._book(owner, visitor, mark, room)
        self._ask(owner, mark)
        invoice = self._pay(owner, mark)
        owner.get("/app")  # shows, and so forgets, what the forms above had to say
        ids, traces = self._ids(mark)
        cookie = owner.get_cookie(self.app.studio.config["SESSION_COOKIE_NAME"], domain=host.partition(":")[0])
        assert cookie is not None
        with owner.session_transaction(base_url=f"http://{host}") as session:
            token = str(session["sign_in"])
        return House(
            key=mark, host=host, mark=mark, owner_email=f"{mark}@example.com", sign_up_id=sign_up_id, ids=ids, owner=owner,
            visitor=visitor, sign_in=cookie.value, token=token, traces=frozenset({mark, accent, sign_up_id, invoice.lower(), *traces}),
            words=tuple(f"{mark} {word}" for word in WORDS),
        )  # fmt: skip

    def _sign_up(self, mark: str) -> str:
        wish = Wish(
            attempt=uuid.uuid4().hex, studio_name=f"{mark} studio", slug=mark, person_name=f"{mark} owner", email=f"{mark}@example.com",
            password=PASSWORD, plan="starter", interval=Interval.month, locale="en",
        )  # fmt: skip
        with self.app.platform.app_context():
            with self.services.database.control() as db:
                public_id = sign_up(db, self.services, wish).public_id
            jobs.catch_up(self.app.platform, self.services)
        return public_id

    def _enter(self, owner: FlaskClient, mark: str) -> None:
        with self.services.database.control() as db:
            user = accounts.find_user(db, f"{mark}@example.com")
            assert user is not None
            token = accounts.hand_over(db, user, tenant_key=mark)
        _done(owner.get(f"/enter?token={token}"))

    def _set_up(self, owner: FlaskClient, mark: str, accent: str) -> str:
        room = {"name": f"{mark} room", "kind": "live", "capacity": "8", "description": f"{mark} grand piano", "slot_minutes": "30"}
        limits = {"min_minutes": "60", "max_minutes": "720", "min_notice_hours": "1", "horizon_days": "90", "is_public": "y"}
        _done(owner.post("/app/settings/rooms/new", data=room | limits))
        with self.services.database.tenancy.use(mark), self.services.database.studio() as db:
            rooms.set_opening(db, [Opening(room_id=None, weekday=d, opens_minute=0, closes_minute=1440) for d in range(7)])
            [made] = queries.rooms(db)
            rooms.set_hourly(db, {made.id: 5000})
        special = {"name": f"{mark} evenings", "room": "", "price": "80", "weekdays": "0", "from_time": "18:00", "to_time": "20:00"}
        _done(owner.post("/app/settings/rates/special", data=special))
        _done(owner.post("/app/settings", data={"accent": accent}))
        details = {"kind": "person", "phone": f"{mark} 0102", "notes": f"{mark} likes tape"}
        _done(owner.post("/app/clients/new", data={"name": f"{mark} client", "email": f"client@{mark}.example.com"} | details))
        return made.public_id

    def _book(self, owner: FlaskClient, visitor: FlaskClient, mark: str, room: str) -> None:
        today, later = datetime.now(UTC).date(), datetime.now(UTC) + timedelta(days=3)
        place = {"token": "form-0001", "room": room, "date": str(today), "start": "00:15", "end": "23:45", "state": "confirmed"}
        _done(
            owner.post("/app/bookings/new", data=place | {"client": f"{mark} client", "title": f"{mark} album", "notes": f"{mark} drums"})
        )
        start = later.replace(hour=12, minute=0, second=0, microsecond=0).isoformat()
        person = {"name": f"{mark} guest", "email": f"guest@{mark}.example.com", "phone": f"{mark} 0304", "notes": f"{mark} podcast"}
        asked = {"key": "form-0002", "client_name": f"{mark} client", "client_email": f"client@{mark}.example.com", "amount": "50"}
        asked |= {"description": f"{mark} deposit", "reference": f"{mark} paper"}
        _done(owner.post("/app/payments/new", data=asked))
        _done(visitor.post("/book", data=person | {"token": "page-0001", "room": room, "start": start, "minutes": "120"}))

    def _ask(self, owner: FlaskClient, mark: str) -> None:
        for question in (f"book {mark} room tomorrow 14-18 for {mark} singer", "what is booked today?"):
            _done(owner.post("/app/assistant/turns", data={"key": str(uuid.uuid4()), "question": question}), status=302)

    def _pay(self, owner: FlaskClient, mark: str) -> str:
        """Buy the plan on Stripe's page, and have our staff give credits; returns the invoice's number."""
        answer = owner.post("/app/plan/checkout", data={"plan": "starter", "interval": "month"})
        stripe, card = (
            Client(self.stripe.wsgi_app),
            {"number": "4242424242424242", "expiry": "12 / 34", "cvc": "123", "name": f"{mark} owner"},
        )
        _done(stripe.post(urlsplit(answer.location).path, data=card))
        _done(owner.get("/app/plan/return"))
        with self.services.database.control() as db:
            self.services.credits.adjust(db, mark, amount=1_000_000, key=f"{mark}-gift", reason=f"{mark} gift", actor="staff")
        jobs.catch_up(self.app.platform, self.services)
        [invoice] = self.services.billing.account(mark).invoices()
        return str(invoice.number)

    def _ids(self, mark: str) -> tuple[dict[str, str], set[str]]:
        """One public id of each kind, and everything that only this studio's rows are known by."""
        tenant = self.services.database.tenancy.tenant(mark)
        traces = {tenant.id, str(tenant.database)}
        with self.services.database.control() as db:
            traces.add(accounts.find_user(db, f"{mark}@example.com").public_id)
        ids: dict[str, str] = {}
        with self.services.database.tenancy.use(mark), self.services.database.studio() as db:
            for table in StudioBase.metadata.sorted_tables:
                if "public_id" in table.c:
                    for row in db.execute(select(table).order_by(table.c.id)):
                        traces.add(row.public_id)
                        ids.setdefault(_kind(table.name, row), row.public_id)
        return ids, traces


WORDS = (
    "studio", "owner", "room", "grand piano", "evenings", "client", "0102", "likes tape", "album", "drums", "guest", "0304", "podcast",
    "singer", "deposit", "paper",
)  # fmt: skip
"""What is stored after the mark, and shown on some page."""


def _kind(table: str, row: Any) -> str:
    if table == "booking" and row.source == "public":
        return "public booking"
    if table == "rate_rule":
        return "rate" if row.priority else "plain rate"
    return table.removeprefix("assistant_")


def _done(answer: TestResponse, status: int = 303) -> None:
    assert answer.status_code == status, f"{answer.request.path} answered {answer.status}: {_TAGS.sub(' ', answer.text)[-3000:]}"
