from __future__ import annotations

from types import SimpleNamespace

import pytest

resolver = pytest.importorskip("dns.resolver", reason="the extra 'dns' is not installed")
from roomtone_tenancy.dns_lookup import txt_values  # noqa: E402  # needs it


def test_the_pieces_of_a_value_are_put_together(monkeypatch):
    records = [SimpleNamespace(strings=(b"roomtone-", b"verify=x")), SimpleNamespace(strings=(b"\xff",))]
    monkeypatch.setattr(resolver, "resolve", lambda name, kind, lifetime: records)

    assert txt_values("_roomtone-challenge.acme.example") == ("roomtone-verify=x", "\ufffd")


@pytest.mark.parametrize("error", [resolver.NXDOMAIN, resolver.NoAnswer, resolver.LifetimeTimeout, resolver.NoNameservers])
def test_no_answer_is_no_value(monkeypatch, error):
    def resolve(name, kind, lifetime):
        raise error.__new__(error)

    monkeypatch.setattr(resolver, "resolve", resolve)

    assert txt_values("_roomtone-challenge.acme.example") == ()
