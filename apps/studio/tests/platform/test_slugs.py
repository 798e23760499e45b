"""Which names a studio may have."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.platform.slugs import LENGTH_MAX, SlugFault, slug_fault, suggest_slug


@pytest.mark.parametrize("slug", ["abc", "studio-belleville", "a1b", "x" * 40])
def test_names_of_one_host_label_are_free_to_use(slug: str) -> None:
    assert slug_fault(slug) is None


@pytest.mark.parametrize(
    ("slug", "fault"),
    [
        ("ab", SlugFault.too_short),
        ("x" * 41, SlugFault.too_long),
        ("Studio", SlugFault.shape),
        ("-ab", SlugFault.shape),
        ("ab-", SlugFault.shape),
        ("a--b", SlugFault.shape),
        ("xn--studio", SlugFault.shape),
        ("a.b.c", SlugFault.shape),
        ("écho", SlugFault.shape),
        ("abc\n", SlugFault.shape),
    ],
)
def test_a_fault_is_named(slug: str, fault: SlugFault) -> None:
    assert slug_fault(slug) is fault


@given(st.text(max_size=80))
def test_whatever_is_accepted_is_one_host_label(slug: str) -> None:
    if slug_fault(slug) is None:
        assert re.fullmatch(r"(?!xn--)[a-z0-9]([a-z0-9-]{1,38}[a-z0-9])?", slug)


@given(st.text(max_size=120))
def test_a_suggestion_has_no_fault_but_being_short(name: str) -> None:
    suggested = suggest_slug(name)

    assert len(suggested) <= LENGTH_MAX
    assert slug_fault(suggested) in {None, SlugFault.too_short}
