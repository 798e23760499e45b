from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_tenancy import errors
from roomtone_tenancy.lifecycle import TenantState
from roomtone_tenancy.resolvers import (
    Chain,
    Claim,
    CustomDomain,
    Explicit,
    ForwardedHeaders,
    Header,
    Headers,
    Path,
    RequestFacts,
    SessionValue,
    Subdomain,
    TrustedPeers,
)  # fmt: skip
from roomtone_tenancy.tenant import Tenant


class Directory:
    """Two tenants, and a list of what was asked."""

    def __init__(self):
        self.asked = []
        self.tenants = {key: self.make(key) for key in ("a", "b")}

    @staticmethod
    def make(key):
        return Tenant(
            id=key * 8, key=key, state=TenantState.ACTIVE, domains=(f"{key}.test",), revision="r1", database=f"rt_{key}", server="main",
            metadata={}, epoch=1, created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )  # fmt: skip

    def tenant(self, key):
        self.asked.append(key)
        if key not in self.tenants:
            raise errors.UnknownTenant(key)
        return self.tenants[key]

    def resolve(self, host):
        self.asked.append(host)
        for tenant in self.tenants.values():
            if host in tenant.domains:
                return tenant
        raise errors.UnknownHost(host)


def facts(host="a.test", **more):
    more["headers"] = Headers(more.get("headers", ()))
    return RequestFacts(host=host, **more)


@pytest.mark.parametrize(
    ("resolver", "request_", "key"),
    [
        (Subdomain("test"), facts("a.test"), "a"),
        (Subdomain("app.test", reserved=["a"]), facts("a.app.test"), None),
        (Path("/t"), facts(path="/t/a/orders"), "a"),
        (Path("/t"), facts(path="/t/a"), "a"),
        (Path("/t"), facts(path="/t/"), None),
        (Path("/t"), facts(path="/ta/a"), None),
        (Path(""), facts(path="/a/orders"), "a"),
        (Path("/t"), facts(path="//t/a"), None),
        (SessionValue("tenant"), facts(session=lambda: {"tenant": "a"}), "a"),
        (SessionValue("tenant"), facts(session=lambda: {"tenant": ""}), None),
        (Claim("org"), facts(claims=lambda: {"org": "a"}), "a"),
        (Claim("org"), facts(), None),
        (Explicit(lambda it: it.method.lower()), facts(), "get"),
        (Explicit(lambda _: None), facts(), None),
        (Header("X-T", trusted=["unix"]), facts(headers=[("x-t", " a ")]), "a"),
        (Header("X-T", trusted=["unix"]), facts(headers=[("X-T", "a"), ("X-T", "b")]), "a,b"),
        (Header("X-T", trusted=["unix"]), facts(headers=[("X_T", "a")]), None),
        (Header("X-T", trusted=["unix"]), facts(), None),
    ],
)  # fmt: skip
def test_each_resolver_reads_one_thing(resolver, request_, key):
    found = resolver.resolve(request_)

    assert (found.key if found else None) == key


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [("10.0.0.1", True), ("::ffff:10.0.0.1", True), ("11.0.0.1", False), ("fd00::1%eth0", True), ("::1", False), (None, False), ("", False),
     ("10.0.0.1, 11.0.0.1", False), ("localhost", False)],
)  # fmt: skip
def test_trust_is_by_network(peer, trusted):
    assert TrustedPeers(["10.0.0.0/8", "fd00::/8"]).trusts(peer) is trusted


@pytest.mark.parametrize(
    ("hops", "sent", "host"),
    [(1, ["b.test"], "b.test"), (1, ["evil.test, b.test"], "b.test"), (2, ["evil.test, b.test, c.test"], "b.test"),
     (2, ["evil.test", "b.test, c.test"], "b.test"), (2, ["c.test"], "a.test"), (1, [], "a.test"), (1, [""], "")],
)  # fmt: skip
def test_of_forwarded_hosts_the_one_that_our_farthest_proxy_saw_counts(hops, sent, host):
    forwarded = ForwardedHeaders(trusted=["10.0.0.1"], hops=hops)

    assert forwarded.host(facts(peer="10.0.0.1", headers=[("X-Forwarded-Host", value) for value in sent])) == host


def test_an_unknown_subdomain_leaves_the_question_to_the_next():
    chain = Chain(Directory(), [Subdomain("test"), Subdomain("other.test"), CustomDomain()])

    assert chain.find(facts("a.test")).key == "a"
    with pytest.raises(errors.UnknownHost):
        chain.find(facts("shop.test"))


@pytest.mark.parametrize("resolver", [Explicit(lambda _: "nobody"), Claim("org"), Path("/t")])
def test_an_unknown_name_from_anywhere_else_is_wrong(resolver):
    chain = Chain(Directory(), [resolver], central_hosts=["platform.test"])

    with pytest.raises(errors.UnknownTenant):
        chain.find(facts("platform.test", path="/t/nobody/", claims=lambda: {"org": "nobody"}))


def test_two_that_disagree_are_named():
    chain = Chain(Directory(), [CustomDomain(), SessionValue("tenant")])

    with pytest.raises(errors.ConflictingTenants) as caught:
        chain.find(facts("a.test", session=lambda: {"tenant": "b"}))

    assert caught.value.answers == {"custom domain": "a", "session tenant": "b"}


def test_the_first_that_answers_wins_and_the_rest_are_not_asked():
    directory = Directory()
    chain = Chain(directory, [SessionValue("tenant"), CustomDomain()], on_conflict="first_wins")

    assert chain.find(facts("a.test", session=lambda: {"tenant": "b"})).key == "b"
    assert directory.asked == ["b"]


@pytest.mark.parametrize("key", ["", "A", "a\0", "../a", "a" * 64, "a.b", "ä"])
def test_a_key_that_breaks_the_rules_costs_no_query(key):
    directory = Directory()

    with pytest.raises((errors.UnknownTenant, errors.UnknownHost)):
        Chain(directory, [Explicit(lambda _: key)]).find(facts())
    assert directory.asked == []


def test_a_trace_says_why():
    chain = Chain(Directory(), [Subdomain("app.test"), CustomDomain(), SessionValue("tenant")])

    good = chain.explain(facts("A.test:80", session=lambda: {"tenant": "a"}))
    bad = chain.explain(facts("a.test", session=lambda: {"tenant": "b"}))

    assert good.tenant.key == "a"
    assert str(good).splitlines() == [
        "host 'a.test'",
        "subdomain of app.test: nothing -> nobody",
        "custom domain: 'a.test' -> a",
        "session tenant: 'a' -> a",
        "so: a",
    ]
    assert "names several tenants" in bad.error
    assert chain.explain(facts("a b")).error.startswith("'a b' is no host name")
    assert chain.explain(facts("nobody.test")).tenant is None


def test_a_catalog_that_is_away_is_not_taken_for_an_answer(monkeypatch):
    directory = Directory()

    def away(host):
        raise errors.CatalogUnavailable(host)

    monkeypatch.setattr(directory, "resolve", away)

    with pytest.raises(errors.CatalogUnavailable):
        Chain(directory, [CustomDomain(), Explicit(lambda _: "a")]).find(facts())


def test_subdomains_of_an_address_make_no_sense():
    for bases in ([], ["10.0.0.1"], ["[::1]"]):
        with pytest.raises(ValueError, match="Subdomain"):
            Subdomain(*bases)
    with pytest.raises(ValueError, match="hops"):
        ForwardedHeaders(trusted=[], hops=0)


@given(st.text(max_size=80), st.text(max_size=80), st.lists(st.tuples(st.text(max_size=20), st.text(max_size=40)), max_size=5))
def test_no_request_gets_a_tenant_that_its_host_is_not(host, path, headers):
    chain = Chain(Directory(), [Subdomain("app.test"), CustomDomain(), Header("X-Tenant", trusted=["10.0.0.0/8"])])

    try:
        found = chain.find(RequestFacts(host=host, path=path, headers=Headers([*headers, ("X-Tenant", "b")]), peer="203.0.113.9"))
    except (errors.BadHost, errors.UnknownTenant):
        return

    assert found.key == host.lower().partition(".")[0]
