from __future__ import annotations

import dataclasses

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from roomtone_tenancy import CallableKeys, KeyRing, errors
from roomtone_tenancy.vault import Sealed, Vault, bound_to

PLACE = {"tenant": "t1", "table": "tenancy_credentials", "column": "secret"}
RING = KeyRing.generate()
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
triples = st.tuples(texts, texts, texts)
# Parts that an unwise separator would confuse.
tricky = st.tuples(*[st.text(alphabet="a|:,/\0", max_size=3)] * 3)


@given(texts, triples)
def test_what_is_sealed_opens_again_in_its_place(secret, place):
    tenant, table, column = place
    vault = Vault(RING)

    sealed = vault.seal(secret, tenant=tenant, table=table, column=column)

    assert vault.open(sealed, tenant=tenant, table=table, column=column) == secret
    assert len(secret) < 4 or secret.encode() not in sealed.data


@given(triples | tricky, triples | tricky)
def test_two_different_places_never_authenticate_the_same_bytes(one, other):
    assume(one != other)

    assert bound_to(*one) != bound_to(*other)


@given(tricky, tricky)
def test_a_secret_moved_to_another_place_does_not_open(one, other):
    assume(one != other)
    names = ("tenant", "table", "column")
    sealed = Vault(RING).seal("s", **dict(zip(names, one, strict=True)))

    with pytest.raises(errors.Undecryptable):
        Vault(RING).open(sealed, **dict(zip(names, other, strict=True)))


@pytest.mark.parametrize("change", [{"tenant": "t2"}, {"table": "tenancy_spares"}, {"column": "other"}])
def test_a_ciphertext_swapped_between_tenants_tables_or_columns_fails_to_open(change):
    vault = Vault(RING)
    sealed = vault.seal("s", **PLACE)

    with pytest.raises(errors.Undecryptable) as caught:
        vault.open(sealed, **{**PLACE, **change})

    assert (caught.value.tenant, caught.value.column) == ({**PLACE, **change}["tenant"], {**PLACE, **change}["column"])


def test_every_flipped_bit_is_noticed():
    vault = Vault(RING)
    sealed = vault.seal("abc", **PLACE)
    opened = []
    for position in range(8 * len(sealed.data)):
        data = bytearray(sealed.data)
        data[position // 8] ^= 1 << position % 8
        try:
            vault.open(dataclasses.replace(sealed, data=bytes(data)), **PLACE)
            opened.append(position)
        except errors.Undecryptable:
            pass

    assert opened == []


def test_every_truncation_and_any_rubbish_is_noticed():
    vault = Vault(RING)
    whole = vault.seal("abc", **PLACE).data
    for data in [*(whole[:length] for length in range(len(whole))), *(whole[start:] for start in range(1, len(whole))), whole + b"x"]:
        with pytest.raises(errors.Undecryptable):
            vault.open(Sealed(key_id=RING.current, data=data), **PLACE)


@given(st.binary(max_size=200))
def test_bytes_that_were_never_sealed_are_a_clear_error(data):
    with pytest.raises(errors.Undecryptable):
        Vault(RING).open(Sealed(key_id=RING.current, data=data), **PLACE)


def test_equal_secrets_look_different_and_each_has_a_data_key_of_its_own():
    seen = []
    keys = CallableKeys("kms", lambda key: seen.append(key) or key[::-1], lambda _, wrapped: wrapped[::-1])
    vault = Vault(keys)

    one, two = vault.seal("same", **PLACE), vault.seal("same", **PLACE)

    assert one.data != two.data
    assert len({*seen}) == 2
    assert vault.open(one, **PLACE) == vault.open(two, **PLACE) == "same"


def test_an_older_key_still_opens_and_the_current_one_seals():
    old = KeyRing.generate("old")
    sealed = Vault(old).seal("s", **PLACE)
    both = Vault(KeyRing({**old.keys, "new": b"n" * 32}, "new"))

    assert both.open(sealed, **PLACE) == "s"
    assert both.seal("s", **PLACE).key_id == "new"


@given(texts)
def test_a_rewrapped_secret_opens_under_the_new_key_alone_and_in_its_place_alone(secret):
    old, new = KeyRing.generate("old"), KeyRing.generate("new")
    sealed = Vault(old).seal(secret, **PLACE)

    again = Vault(KeyRing({**old.keys, **new.keys}, "new")).rewrap(sealed)

    assert Vault(new).open(again, **PLACE) == secret
    with pytest.raises(errors.UnknownEncryptionKey):
        Vault(old).open(again, **PLACE)
    with pytest.raises(errors.Undecryptable):
        Vault(new).open(again, **{**PLACE, "tenant": "t2"})


def test_a_key_that_the_provider_lacks_is_named_with_what_to_do():
    sealed = Vault(KeyRing.generate("lost")).seal("s", **PLACE)

    with pytest.raises(errors.UnknownEncryptionKey, match=r"'lost': give it back") as caught:
        Vault(KeyRing.generate("other")).open(sealed, **PLACE)

    assert caught.value.key_id == "lost"


def test_other_bytes_under_the_same_key_id_are_a_clear_error():
    sealed = Vault(KeyRing.generate("k1")).seal("s", **PLACE)

    with pytest.raises(errors.Undecryptable, match="restore the row or its key"):
        Vault(KeyRing.generate("k1")).open(sealed, **PLACE)


@pytest.mark.parametrize(
    "keys", [CallableKeys("k", bytes, lambda _, key: key[:16]), CallableKeys("k", lambda key: key * 3000, lambda _, key: key)]
)
def test_a_provider_that_answers_with_keys_of_a_wrong_length_has_failed(keys):
    with pytest.raises(errors.KeyProviderFailed):
        Vault(keys).open(Vault(keys).seal("s", **PLACE), **PLACE)
