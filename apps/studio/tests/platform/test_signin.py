"""Doors: who gets in where, and what a cookie of one host is worth on another."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from studio.platform import accounts
from studio.platform.models import SignIn
from studio.platform.throttle import SIGN_IN_BY_ACCOUNT
from studio.platform.views.signin import safe_next

HOSTILE = [
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "\\\\evil",
    "http:evil",
    "/\t/evil",
    "",
    None,
    "app",
    "/a\r\nSet-Cookie: x",
]


@pytest.mark.parametrize("target", HOSTILE)
def test_a_next_that_leaves_this_host_leads_home(target: str | None) -> None:
    assert safe_next(target, "/home") == "/home"


@given(st.text(max_size=60))
def test_next_is_always_a_path_of_this_host(target: str) -> None:
    found = safe_next(target, "/home")

    assert found.startswith("/")
    assert not found.startswith("//")
    assert "\\" not in found


def test_the_owner_signs_in_and_out(visitor, studio) -> None:
    answer = visitor.post("/sign-in?next=/app/plan", data={"email": studio.owner_email.upper(), "password": studio.password})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/app/plan")
    assert visitor.get("/app/plan").status_code == 200
    assert visitor.post("/sign-out").status_code == 303
    assert visitor.get("/app/plan").status_code == 302


def test_a_wrong_password_says_so_and_opens_nothing(visitor, studio) -> None:
    answer = visitor.post("/sign-in", data={"email": studio.owner_email, "password": "not the password"})

    assert answer.status_code == 200
    assert "do not open this door" in answer.text
    assert visitor.get("/app/plan").status_code == 302


def same(page: str, email: str) -> str:
    """The page without what differs by design: the address, and the form's token, which carries the second."""
    return re.sub(r'(?<=")[\w.-]{40,}(?=")', "token", page.replace(email, "X"))


def test_a_stranger_and_a_wrong_password_read_the_same(visitor, studio) -> None:
    wrong = visitor.post("/sign-in", data={"email": studio.owner_email, "password": "not the password"})
    stranger = visitor.post("/sign-in", data={"email": "nobody@example.com", "password": "not the password"})

    assert same(wrong.text, studio.owner_email) == same(stranger.text, "nobody@example.com")


def test_an_owner_has_no_place_in_another_studio(new_studio, client_of) -> None:
    one, other = new_studio(), new_studio()
    client = client_of(other, signed_in=False)

    client.post("/sign-in", data={"email": one.owner_email, "password": one.password})

    assert client.get("/app/plan").status_code == 302


def test_a_cookie_of_one_studio_opens_no_other(new_studio, client_of) -> None:
    one, other = new_studio(), new_studio()
    inside, outside = client_of(one), client_of(other, signed_in=False)
    with inside.session_transaction(base_url=f"http://{one.host}") as session:
        stolen = dict(session)

    with outside.session_transaction(base_url=f"http://{other.host}") as session:
        session.update(stolen)

    assert inside.get("/app/plan").status_code == 200
    assert outside.get("/app/plan").status_code == 302


def test_a_handover_opens_its_studio_once(client_of, studio, services) -> None:
    with services.database.control() as db:
        token = accounts.hand_over(db, accounts.find_user(db, studio.owner_email), tenant_key=studio.key)
    first, second = client_of(studio, signed_in=False), client_of(studio, signed_in=False)

    assert first.get(f"/enter?token={token}").headers["Location"] == "/app"
    assert second.get(f"/enter?token={token}").headers["Location"] == "/sign-in"


def test_who_is_in_already_and_comes_again_keeps_the_session_and_its_forms(client_of, studio, services) -> None:
    client = client_of(studio, signed_in=False)
    seen = []
    for _ in range(2):
        with services.database.control() as db:
            token = accounts.hand_over(db, accounts.find_user(db, studio.owner_email), tenant_key=studio.key)
        client.get(f"/enter?token={token}")
        client.get("/app/plan")
        with client.session_transaction(base_url=f"http://{studio.host}") as session:
            seen.append(dict(session))

    assert seen[0] == seen[1]


def test_a_handover_opens_no_other_studio(new_studio, client_of, services) -> None:
    one, other = new_studio(), new_studio()
    with services.database.control() as db:
        token = accounts.hand_over(db, accounts.find_user(db, one.owner_email), tenant_key=one.key)

    answer = client_of(other, signed_in=False).get(f"/enter?token={token}")

    assert answer.headers["Location"] == "/sign-in"


def test_tokens_are_kept_as_hashes(studio_client, studio, services) -> None:
    with studio_client.session_transaction(base_url=f"http://{studio.host}") as session:
        token = session["sign_in"]

    with services.database.control() as db:
        kept = db.scalars(select(SignIn.token_hash)).all()

    assert token not in kept
    assert accounts.token_hash(token) in kept


def test_guessing_ends_at_the_limit(visitor, studio) -> None:
    answers = [
        visitor.post("/sign-in", data={"email": studio.owner_email, "password": f"guess number {n}"}).status_code
        for n in range(SIGN_IN_BY_ACCOUNT.count + 2)
    ]

    assert answers[0] == 200
    assert answers[-1] == 429


def test_the_cookie_is_of_this_host_and_hidden_from_scripts(visitor, studio) -> None:
    answer = visitor.post("/sign-in", data={"email": studio.owner_email, "password": studio.password})

    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Domain=" not in cookie


def test_a_form_without_a_token_is_refused(visitor, studio) -> None:
    answer = visitor.post("/sign-in", data={"email": studio.owner_email, "password": studio.password}, token=False)

    assert answer.status_code == 400


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}])
def test_a_form_of_another_site_is_refused(visitor, studio, headers: dict[str, str]) -> None:
    answer = visitor.post("/sign-in", data={"email": studio.owner_email, "password": studio.password}, headers=headers)

    assert answer.status_code == 403


def test_the_language_switch_holds(visitor: Callable) -> None:
    assert 'lang="en"' in visitor.get("/sign-in").text

    visitor.post("/language", data={"language": "fr"})

    assert 'lang="fr"' in visitor.get("/sign-in").text
