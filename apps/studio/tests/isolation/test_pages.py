"""No page, header, cookie or file of one studio shows the other."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import String, Text, func, select

from studio.db import StudioBase
from studio.platform.models import OutboundMail

# Addresses that lead on instead of showing something to someone who is signed in, or that need a question.
OTHER_ANSWERS = {
    "/sign-in": 302, "/enter": 303, "/app/plan/return": 303, "/onboarding": 303, "/app/assistant/turns/…": 302,
    "/app/calendar/bookings.json": 409, "/app/payments/setup/return": 303, "/pay/…/return": 303,
}  # fmt: skip
NEVER_SHOWN = {"opening_rule", "allocation", "plain rate"}
# Columns of closed vocabularies and of our own keys: people write nothing into them.
NOT_WRITTEN = {
    "state", "kind", "source", "colour", "currency", "timezone", "locale", "accent", "public_id", "key", "hold_id", "model", "user_id",
    "target_kind", "unit", "resource_kind", "resource_key", "idempotency_key", "created_by", "cancelled_by",
    "booking_public_id",
}  # fmt: skip


def test_every_text_that_a_studio_stores_is_marked(houses, at):
    unmarked = {
        f"{table.name}.{column.name}"
        for house in houses
        for table in StudioBase.metadata.sorted_tables
        for column in table.c
        if isinstance(column.type, String | Text) and column.name not in NOT_WRITTEN
        if not at(house)(lambda db, c=column, m=house.mark: db.scalar(select(func.count()).where(c.contains(m))))
    }

    assert not unmarked, "furnish them in conftest.py, or say in NOT_WRITTEN that no person writes them"


def test_every_page_opens_and_they_show_all_that_is_marked(houses, crawl):
    as_owner = [seen for seen in crawl.seen if seen.who == "owner"]
    answers = {re.sub(r"[0-9a-f-]{36}", "…", seen.path): seen.answer.status_code for seen in as_owner}

    assert {path: status for path, status in answers.items() if status != 200} == OTHER_ANSWERS
    for house in houses:
        shown = "\n".join(seen.said for seen in as_owner if seen.house is house)
        assert [word for word in house.words if word not in shown] == []
        assert [kind for kind, public_id in house.ids.items() if public_id not in shown and kind not in NEVER_SHOWN] == []


def test_no_page_shows_the_other_studio(crawl):
    assert [(s.who, s.path, trace) for s in crawl.seen for trace in s.other.traces if trace in s.said] == []


def test_reading_logs_nothing_of_either_studio(houses, crawl):
    assert [line for line in crawl.logged for house in houses if any(trace in line for trace in house.traces)] == []


def test_a_cookie_is_for_its_own_host_and_out_of_reach_of_scripts(houses, client_at):
    for house in houses:
        cookies = client_at(house).get("/sign-in").headers.getlist("Set-Cookie")

        assert cookies
        assert all("domain=" not in c.lower() and "httponly" in c.lower() and "samesite=lax" in c.lower() for c in cookies)


def test_a_page_with_a_studios_data_is_kept_by_no_cache(crawl):
    telling = [seen for seen in crawl.seen if seen.house.mark in seen.said]

    assert len(telling) > 100
    assert {s.path for s in telling if s.answer.headers.get("Cache-Control") != "no-store"} == set()


def test_the_cookie_of_one_studio_is_nobody_on_the_others_host(app, crawl, content, client_at):
    for seen in crawl.seen:
        if seen.who == "anyone":
            stranger = client_at(seen.house)
            stranger.set_cookie(app.studio.config["SESSION_COOKIE_NAME"], seen.other.sign_in, domain=seen.house.host.partition(":")[0])
            answer = stranger.get(seen.path)

            assert (answer.status, answer.location) == (seen.answer.status, seen.answer.location)
            assert [trace for trace in seen.other.traces if trace in content(answer)] == [], seen.path


@pytest.mark.parametrize("path", ["/app", "/app/plan", "/app/settings", "/sign-in"])
def test_the_sign_in_of_one_studio_is_nobody_on_the_others_host(houses, content, client_at, path):
    for house, other in (houses, houses[::-1]):
        stranger = client_at(other)
        with stranger.session_transaction(base_url=f"http://{other.host}") as session:
            session["sign_in"] = house.token  # signed for this very host: what refuses it is the sign-in's own audience
        answer, nobodys = stranger.get(path), client_at(other).get(path)

        assert (answer.status, answer.location) == (nobodys.status, nobodys.location)
        assert [trace for trace in house.traces if trace in content(answer)] == []


def test_what_one_studio_has_to_say_stays_out_of_the_others_pages(app, houses, client_at):
    house, other = houses
    teller = client_at(house)
    teller.set_cookie(name := app.studio.config["SESSION_COOKIE_NAME"], house.sign_in, domain=house.host.partition(":")[0])
    assert teller.post("/app/settings", data={"accent": "#b45309"}).status_code == 303  # leaves a message for the next page
    pending = teller.get_cookie(name, domain=house.host.partition(":")[0]).value
    stranger = client_at(other)
    stranger.set_cookie(name, pending, domain=other.host.partition(":")[0])

    assert "The colour is saved." not in stranger.get("/sign-in").text


def test_the_platform_shows_a_person_their_own_studios_only(app, houses, services, content):
    for house, other in (houses, houses[::-1]):
        person = app.platform.test_client()
        assert person.post("/sign-in", data={"email": house.owner_email, "password": "a quiet room with cables"}).status_code == 303
        own = content(person.get("/studios"))

        assert house.mark in own
        assert other.mark not in own
        assert house.mark in content(person.get(f"/provisioning/{house.sign_up_id}"))
        assert person.get(f"/provisioning/{other.sign_up_id}").status_code == 404
        assert person.get(f"/open/{other.key}").status_code == 404


def test_a_mail_speaks_of_one_studio(houses, services):
    with services.database.control() as db:
        mails = list(db.scalars(select(OutboundMail)))
    marked = [[m for m in mails if house.mark in f"{m.recipient}{m.subject}{m.text}{m.html}"] for house in houses]

    assert all(len(found) >= 3 for found in marked)  # ready, subscribed, a booking's confirmation
    assert {m.public_id for m in marked[0]}.isdisjoint(m.public_id for m in marked[1])
    assert all(house.mark in m.recipient for house, found in zip(houses, marked, strict=True) for m in found)


def test_no_file_names_a_studio(houses, settings):
    files = [path for path in settings.data.rglob("*") if path.is_file()]
    texts = [path.read_bytes().decode("utf-8", "replace").lower() + path.name.lower() for path in files]

    assert files
    assert not [path for path, text in zip(files, texts, strict=True) for house in houses if house.mark in text]
