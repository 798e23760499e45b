from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_tenancy import errors, key


@pytest.mark.parametrize("good", ["a", "acme", "a-b", "9lives", "x" * 63])
def test_a_dns_label_in_lower_case_is_a_key(good):
    assert key.check(good) == good


@pytest.mark.parametrize("bad", ["", "A", "Acme", "-a", "a-", "a_b", "a b", "a.b", "x" * 64, "é", "../etc", "a\0", "a\n", 'a"', "a'; --"])
def test_anything_else_is_refused_and_never_folded(bad):
    with pytest.raises(errors.BadKey) as caught:
        key.check(bad)

    assert caught.value.key == bad


@given(st.text(max_size=70))
def test_what_passes_needs_no_quoting_anywhere(text):
    try:
        key.check(text)
    except errors.BadKey:
        return

    assert re.fullmatch(r"[a-z0-9-]{1,63}", text)


def test_opaque_names_fit_postgresql_with_every_suffix_and_never_repeat():
    names = {key.opaque_name("abc123") for _ in range(200)}

    assert len(names) == 200
    assert all(re.fullmatch(r"rt_abc123_[a-z0-9]{12}", name) and len(name + "_owner") < 63 for name in names)
