"""Passwords."""

import pytest

from studio.errors import BadInput
from studio.platform.passwords import LENGTH_MAX, hash_password, is_correct


def test_the_right_password_is_correct_and_others_are_not() -> None:
    kept = hash_password("a quiet room with cables")

    assert is_correct("a quiet room with cables", kept)
    assert not is_correct("a quiet room with cable", kept)
    assert not is_correct("", kept)


@pytest.mark.parametrize("password", ["", "short", "x" * (LENGTH_MAX + 1)])
def test_too_short_or_too_long_is_refused(password: str) -> None:
    with pytest.raises(BadInput, match="characters"):
        hash_password(password)


def test_nobody_has_no_password() -> None:
    assert not is_correct("nobody's password", None)


def test_a_broken_hash_opens_nothing() -> None:
    assert not is_correct("anything", "not a hash")
