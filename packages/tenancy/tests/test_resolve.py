from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_tenancy import errors
from roomtone_tenancy.resolve import normalise_host


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("acme.test", "acme.test"),
        ("ACME.Test", "acme.test"),
        ("acme.test:8080", "acme.test"),
        ("acme.test.", "acme.test"),
        ("acme.test.:443", "acme.test"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("Straße.example", "xn--strae-oqa.example"),
        ("faß。example", "xn--fa-hia.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("127.0.0.1:5000", "127.0.0.1"),
        ("[::1]:5000", "[::1]"),
        ("[2001:DB8:0::1]", "[2001:db8::1]"),
        ("localhost", "localhost"),
    ],
)
def test_spellings_of_one_host_become_one(raw, normal):
    assert normalise_host(raw) == normal


@pytest.mark.parametrize(
    "bad",
    ["", ".", ":80", "a..b", "a b", "a/b", "http://a", "a,b", "a.test, b.test", "-a.test", "a-.test", "x" * 300, "[::1", "[zz]", "[::1]x",
     "a\0b", "a.test:port", "a.test:123456", "ü" * 64 + ".test", "a@b", "é..é"],
)  # fmt: skip
def test_what_is_no_host_is_refused(bad):
    with pytest.raises(errors.BadHost) as caught:
        normalise_host(bad)

    assert caught.value.host == bad


@given(st.text(max_size=300))
def test_normalising_is_total_and_stable(text):
    try:
        once = normalise_host(text)
    except errors.BadHost:
        return

    assert normalise_host(once) == once
    assert once == once.lower()
    assert once.isascii()
