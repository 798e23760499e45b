"""Clients on a real database."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from studio.contexts.crm import queries, service
from studio.errors import BadInput, NotFound, Refused


def test_visitors_with_one_e_mail_at_the_same_moment_become_one_client(place):
    def visit(number):
        with place.session() as db, db.begin():
            return service.find_or_create(db, name=f"Visitor {number}", email="Same@Example.com ").public_id

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(visit, range(8)))

    assert len(found) == 1


def test_a_client_without_e_mail_is_found_by_name_in_any_case(place):
    with place.session() as db, db.begin():
        made = service.find_or_create(db, name="Luna  Park", email="luna@example.com")

        assert service.find_or_create(db, name="luna park") == made
        assert service.find_or_create(db, name="Luna Parker") != made


def test_a_name_of_spaces_is_refused(place):
    with place.session() as db, db.begin(), pytest.raises(BadInput, match="name"):
        service.find_or_create(db, name="  ")


def test_an_e_mail_that_another_client_has_is_refused_and_the_transaction_goes_on(place):
    with place.session() as db, db.begin():
        service.add(db, kind="person", name="A", email="a@example.com", phone=None, notes="")

        with pytest.raises(BadInput, match="already has the e-mail"):
            service.add(db, kind="person", name="B", email="A@example.com", phone=None, notes="")

        assert [c.name for c in queries.clients(db)] == ["A"]


def test_a_stale_change_and_an_unknown_client_are_refused(place):
    facts = {"kind": "person", "name": "A", "email": None, "phone": None, "notes": "x"}
    with place.session() as db, db.begin():
        made = service.add(db, **facts)
        service.change(db, made.public_id, version=made.version, **facts | {"notes": "y"})

        with pytest.raises(Refused, match="Somebody else"):
            service.change(db, made.public_id, version=made.version, **facts)
        with pytest.raises(NotFound):
            service.change(db, "0199", version=1, **facts)


def test_a_search_takes_signs_as_they_are(place):
    with place.session() as db, db.begin():
        service.find_or_create(db, name="100 % Vinyl")
        service.find_or_create(db, name="100 Vinyl")

        assert [c.name for c in queries.clients(db, search="0 % v")] == ["100 % Vinyl"]
