from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_tenancy import KeyRing, errors
from roomtone_tenancy.vault import Sealed, Vault

PLACE = {"tenant": "t1", "table": "tenancy_credentials", "column": "secret"}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_again(secret):
    vault = Vault(KeyRing.generate())

    assert vault.open(vault.seal(secret, **PLACE), **PLACE) == secret


@pytest.mark.parametrize("change", [{"tenant": "t2"}, {"table": "other"}, {"column": "other"}])
def test_a_secret_moved_to_another_row_does_not_open(change):
    vault = Vault(KeyRing.generate())
    sealed = vault.seal("s", **PLACE)

    with pytest.raises(errors.Undecryptable):
        vault.open(sealed, **{**PLACE, **change})


@given(st.integers(min_value=0, max_value=30), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_is_noticed(position, difference):
    vault = Vault(KeyRing.generate())
    sealed = vault.seal("abc", **PLACE)
    data = bytearray(sealed.data)
    data[position] ^= difference

    with pytest.raises(errors.Undecryptable):
        vault.open(dataclasses.replace(sealed, data=bytes(data)), **PLACE)


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 12])
def test_a_truncated_secret_is_a_clear_error(data):
    with pytest.raises(errors.Undecryptable):
        Vault(KeyRing.generate()).open(Sealed(key_id="k1", data=data), **PLACE)


def test_an_older_key_still_opens_and_the_current_one_seals():
    old = KeyRing.generate("old")
    sealed = Vault(old).seal("s", **PLACE)
    both = Vault(KeyRing({**old.keys, "new": b"n" * 32}, "new"))

    assert both.open(sealed, **PLACE) == "s"
    assert both.seal("s", **PLACE).key_id == "new"


def test_a_key_that_the_ring_lacks_is_named():
    sealed = Vault(KeyRing.generate("lost")).seal("s", **PLACE)

    with pytest.raises(errors.UnknownEncryptionKey) as caught:
        Vault(KeyRing.generate("other")).open(sealed, **PLACE)

    assert caught.value.key_id == "lost"


def test_a_ring_survives_its_text_form_and_hides_its_keys():
    ring = KeyRing({"a": b"1" * 32, "b": b"2" * 32}, "b")

    again = KeyRing.from_text(ring.to_text())

    assert again == ring
    assert "1" * 32 not in repr(ring)


@pytest.mark.parametrize("text", ["", "k1", "k1:", "k1:????", "k1:c2hvcnQ=", ":" + "A" * 43 + "="])
def test_a_malformed_ring_is_refused(text):
    with pytest.raises(ValueError, match="encryption key"):
        KeyRing.from_text(text)


def test_a_current_key_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="current"):
        KeyRing({"a": b"1" * 32}, "b")
