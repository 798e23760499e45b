from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from roomtone_tenancy import errors
from roomtone_tenancy.domains import CLAIM_TTL, CLAIMS_MAX
from roomtone_tenancy.models import DomainClaimRow
from roomtone_tenancy.testing import FakeClock


@pytest.fixture
def tenancy(site):
    tenancy = site.tenancy()
    for key in ("a", "b"):
        site.register(tenancy, key, domains=[f"{key}.test"])
    return tenancy


@pytest.fixture
def change(site, tenancy):
    """Calls a verb of `tenancy.domains` in a transaction of its own."""
    return lambda verb, *arguments, **options: site.change(getattr(tenancy.domains, verb), *arguments, **options)


def hosts(tenancy, key):
    return [(domain.host, domain.is_primary, domain.is_verified) for domain in tenancy.domains.list(key)]


def test_a_claimed_host_shows_what_to_put_into_dns_and_answers_to_nobody(tenancy, change):
    claimed = change("add", "a", "WWW.Acme.Example.", primary=True)
    again = change("add", "a", "www.acme.example")

    assert claimed.challenge.name == "_roomtone-challenge.www.acme.example"
    assert claimed.challenge.value.startswith("roomtone-verify=")
    assert again.challenge == claimed.challenge
    assert hosts(tenancy, "a") == [("a.test", True, True), ("www.acme.example", True, False)]
    assert tenancy.tenant("a").domains == ("a.test",)
    with pytest.raises(errors.UnknownHost):
        tenancy.resolve("www.acme.example")


def test_a_proved_host_is_the_tenants_and_primary_if_that_was_wished(tenancy, change):
    challenge = change("add", "a", "acme.example", primary=True).challenge

    proved = change("verify", "a", "acme.example", ["v=spf1 -all", f" {challenge.value} "])

    assert (proved.is_verified, proved.is_primary, proved.verified_at is not None) == (True, True, True)
    assert tenancy.resolve("acme.example").key == "a"
    assert tenancy.tenant("a").domains == ("acme.example", "a.test")
    assert hosts(tenancy, "a") == [("acme.example", True, True), ("a.test", False, True)]


@pytest.mark.parametrize("found", [[], ["roomtone-verify="], ["roomtone-verify=ü"], ["x"] * 1000])
def test_without_its_value_a_host_stays_claimed(tenancy, change, found):
    challenge = change("add", "a", "acme.example").challenge

    with pytest.raises(errors.DomainUnproved) as caught:
        change("verify", "a", "acme.example", found)

    assert (caught.value.name, caught.value.value) == (challenge.name, challenge.value)
    assert hosts(tenancy, "a")[-1] == ("acme.example", False, False)


def test_a_claim_keeps_nobody_from_the_host_and_the_first_that_proves_it_has_it_alone(tenancy, change):
    first, second = (change("add", key, "acme.example").challenge for key in ("a", "b"))
    with pytest.raises(errors.DomainUnproved):
        change("verify", "b", "acme.example", [first.value])

    change("verify", "b", "acme.example", [second.value])

    assert tenancy.resolve("acme.example").key == "b"
    with pytest.raises(errors.DomainTaken):
        change("verify", "a", "acme.example", [first.value])
    with pytest.raises(errors.DomainTaken):
        change("add", "a", "acme.example")


def test_a_host_that_the_platform_gives_needs_no_proof(tenancy, change):
    given = change("add", "a", "shop.app.test", verified=True)

    assert (given.challenge, given.verified_at) == (None, None)
    assert tenancy.resolve("shop.app.test").key == "a"


def test_what_was_given_up_is_nobodys_at_once_and_is_proved_anew(tenancy, change):
    old = change("add", "a", "acme.example", primary=True).challenge
    change("verify", "a", "acme.example", [old.value])
    tenancy.resolve("acme.example")

    change("remove", "a", "acme.example")

    with pytest.raises(errors.UnknownHost):
        tenancy.resolve("acme.example")
    assert tenancy.tenant("a").domains == ("a.test",)
    assert hosts(tenancy, "a") == [("a.test", True, True)]
    assert change("add", "a", "acme.example").challenge != old


def test_a_domain_moved_to_another_tenant_is_followed_at_once(tenancy, change):
    change("add", "a", "acme.example", verified=True)
    before = tenancy.resolve("acme.example").key
    change("remove", "a", "acme.example")
    change("add", "b", "acme.example", verified=True)

    assert (before, tenancy.resolve("acme.example").key) == ("a", "b")
    assert [tenancy.tenant(key).domains for key in ("a", "b")] == [("a.test",), ("b.test", "acme.example")]


def test_the_primary_can_be_changed(tenancy, change):
    change("add", "a", "b.a.test", verified=True)

    change("make_primary", "a", "b.a.test")

    assert tenancy.tenant("a").domains == ("b.a.test", "a.test")


@pytest.mark.parametrize("verb", ["make_primary", "remove"])
@pytest.mark.parametrize("host", ["nobody.test", "b.test"])
def test_a_tenant_cannot_touch_what_is_not_its_own(tenancy, change, verb, host):
    with pytest.raises(errors.UnknownDomain):
        change(verb, "a", host)

    assert tenancy.resolve("b.test").key == "b"


@pytest.mark.parametrize("host", ["10.0.0.1", "[::1]", "localhost", "com", "a b", ""])
def test_what_has_no_zone_cannot_be_claimed(change, host):
    with pytest.raises(errors.BadHost):
        change("add", "a", host)


def test_a_tenant_claims_a_bounded_number(site, tenancy):
    with Session(site.catalog) as session, session.begin():
        for number in range(CLAIMS_MAX):
            tenancy.domains.add(session, "a", f"h{number}.example")
        with pytest.raises(errors.TooManyClaims):
            tenancy.domains.add(session, "a", "one-more.example")

        assert tenancy.domains.add(session, "a", "h0.example").challenge


def test_dns_is_asked_for_the_challenge(tenancy):
    asked = []

    values = tenancy.domains.ask_dns("ACME.example", lambda name: asked.append(name) or ["x"] * 1000)

    assert asked == ["_roomtone-challenge.acme.example"]
    assert len(values) == 100


def test_claims_end_with_their_tenant(site, change):
    tenancy = site.tenancy()
    site.make(tenancy, "c")
    challenge = change("add", "c", "acme.example").challenge
    tenancy.delete("c")
    site.register(tenancy, "c")

    with pytest.raises(errors.UnknownDomain):
        change("verify", "c", "acme.example", [challenge.value])


def test_a_claim_expires_and_its_old_proof_with_it(site):
    clock = FakeClock()
    tenancy = site.tenancy(clock=clock)
    site.make(tenancy, "a", domains=["a.test"])
    first = site.change(tenancy.domains.add, "a", "acme.example")

    clock.advance(CLAIM_TTL - timedelta(seconds=1))
    waiting = tenancy.domains.list("a")[-1]
    clock.advance(timedelta(seconds=1))
    gone = tenancy.domains.list("a")
    with pytest.raises(errors.UnknownDomain):
        site.change(tenancy.domains.verify, "a", "acme.example", [first.challenge.value])
    second = site.change(tenancy.domains.add, "a", "acme.example")

    assert (waiting.host, waiting.expires_at) == ("acme.example", first.created_at + CLAIM_TTL)
    assert [domain.host for domain in gone] == ["a.test"]
    assert second.challenge != first.challenge
    assert site.change(tenancy.domains.verify, "a", "acme.example", [second.challenge.value]).is_verified


def test_expired_claims_leave_room_and_no_rows_and_hold_a_host_for_nobody(site):
    clock = FakeClock()
    tenancy = site.tenancy(clock=clock)
    for key in ("a", "b"):
        site.make(tenancy, key, domains=[f"{key}.test"])
    for number in range(CLAIMS_MAX):
        site.change(tenancy.domains.add, "a", f"acme{number}.example")
    with pytest.raises(errors.TooManyClaims):
        site.change(tenancy.domains.add, "a", "one-more.example")

    clock.advance(CLAIM_TTL)
    site.change(tenancy.domains.add, "a", "one-more.example")
    challenge = site.change(tenancy.domains.add, "b", "acme0.example").challenge

    assert site.change(tenancy.domains.verify, "b", "acme0.example", [challenge.value]).is_verified
    with Session(site.catalog) as session:
        assert session.scalars(select(DomainClaimRow.host)).all() == ["one-more.example"]
