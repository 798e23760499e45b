from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_tenancy import KeyRing, errors
from roomtone_tenancy.life import streams
from roomtone_tenancy.life.errors import BackupDamaged

KEYS = KeyRing.generate()
SMALL = 64


@pytest.fixture(autouse=True, scope="module")
def small_frames():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(streams, "FRAME_BYTES", SMALL)
        yield


def sealed(plain, tenant="t1", backup="b1"):
    return b"".join(streams.seal(plain, KEYS, tenant=tenant, backup=backup))


def opened(data, tenant="t1", backup="b1", keys=KEYS):
    return b"".join(streams.unseal([data[start : start + 7] for start in range(0, len(data), 7)], keys, tenant=tenant, backup=backup))


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_what_is_sealed_opens_however_it_is_cut_into_chunks(chunks):
    assert opened(sealed(chunks)) == b"".join(chunks)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_any_bit_that_is_changed_is_found(plain, data):
    good = bytearray(sealed([plain]))
    good[data.draw(st.integers(0, len(good) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises((BackupDamaged, errors.UnknownEncryptionKey)):
        opened(bytes(good))


@given(st.binary(min_size=SMALL * 2, max_size=SMALL * 4), st.data())
def test_any_length_but_the_whole_is_found(plain, data):
    good = sealed([plain])

    with pytest.raises(BackupDamaged):
        opened(good[: data.draw(st.integers(0, len(good) - 1))])


def test_frames_cannot_change_places():
    good, head = sealed([b"a" * SMALL * 3]), 4 + 2 + 2 + 2 + 60
    frame = 4 + SMALL + 16
    first, second = good[head : head + frame], good[head + frame : head + 2 * frame]

    with pytest.raises(BackupDamaged, match="frame 0"):
        opened(good[:head] + second + first + good[head + 2 * frame :])


@pytest.mark.parametrize(("tenant", "backup"), [("t2", "b1"), ("t1", "b2")])
def test_another_tenants_or_another_backups_stream_does_not_open(tenant, backup):
    with pytest.raises(BackupDamaged, match="another tenant or backup"):
        opened(sealed([b"x"]), tenant, backup)


def test_other_bytes_under_the_same_key_id_do_not_open_it():
    with pytest.raises(BackupDamaged, match="key was altered"):
        opened(sealed([b"x"]), keys=KeyRing.generate())
