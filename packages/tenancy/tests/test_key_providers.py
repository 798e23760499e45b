from __future__ import annotations

import base64
import os
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomtone_tenancy import CallableKeys, KeyRing, errors

SECRET = base64.b64encode(b"v" * 32).decode()
key_ids = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._/@-]{0,62}\Z")
rings = st.dictionaries(key_ids, st.binary(min_size=32, max_size=32), min_size=1).flatmap(
    lambda keys: st.builds(KeyRing, st.just(keys), st.sampled_from(sorted(keys)))
)


@given(rings)
def test_a_ring_survives_its_text_form(ring):
    assert KeyRing.from_text(ring.to_text()) == ring


@given(rings, st.binary(min_size=32, max_size=32))
def test_a_wrapped_key_unwraps_under_its_id_only(ring, data_key):
    key_id, wrapped = ring.wrap(data_key)

    assert ring.unwrap(key_id, wrapped) == data_key
    assert data_key not in wrapped
    for other in set(ring.keys) - {key_id}:
        with pytest.raises(ValueError, match="altered"):
            ring.unwrap(other, wrapped)


MALFORMED = [
    "",
    " ",
    "k1",
    "k1:",
    "k1:????",
    "k1:c2hvcnQ=",
    f":{SECRET}",
    SECRET,
    f"{SECRET}:k1",
    f"k1:{SECRET},k1:{SECRET}",
    f"k1:{SECRET}:x",
]


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_ring_is_refused_in_words_that_repeat_nothing_of_it(text):
    with pytest.raises(errors.KeysInvalid, match="encryption key") as caught:
        KeyRing.from_text(text)

    assert SECRET[:20] not in "".join(traceback.format_exception(caught.value))


def test_a_current_key_that_is_not_there_is_refused():
    with pytest.raises(errors.KeysInvalid, match="current"):
        KeyRing({"a": b"1" * 32}, "b")


def test_a_ring_comes_from_the_environment_that_the_host_passes():
    ring = KeyRing.generate()

    assert KeyRing.from_env("KEYS", {"KEYS": ring.to_text()}) == ring


@pytest.mark.parametrize("environ", [{}, {"KEYS": ""}, {"KEYS": "x"}])
def test_a_variable_that_is_missing_or_malformed_is_named(environ):
    with pytest.raises(errors.KeysInvalid) as caught:
        KeyRing.from_env("KEYS", environ)

    assert caught.value.source == "KEYS"


def test_a_ring_comes_from_a_file_of_one_key_a_line(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"new:{SECRET}\nold:{SECRET}\n")
    path.chmod(0o600)

    assert KeyRing.from_file(path) == KeyRing({"new": b"v" * 32, "old": b"v" * 32}, "new")


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644])
def test_a_file_that_others_may_open_is_refused_with_the_command_that_mends_it(tmp_path, mode):
    path = tmp_path / "keys"
    path.write_text(KeyRing.generate().to_text())
    path.chmod(mode)

    with pytest.raises(errors.KeysInvalid, match=f"chmod 600 {path}"):
        KeyRing.from_file(path)


def test_a_file_that_is_missing_or_no_text_is_a_clear_error(tmp_path):
    with pytest.raises(errors.KeysInvalid, match="FileNotFoundError"):
        KeyRing.from_file(tmp_path / "nothing")
    path = tmp_path / "bytes"
    path.touch(mode=0o600)
    path.write_bytes(b"\xff\xfe")

    with pytest.raises(errors.KeysInvalid, match="UnicodeDecodeError"):
        KeyRing.from_file(path)


class Kms:
    """A service that counts its calls and can be switched off."""

    def __init__(self):
        self.calls, self.is_down, self.now = [], False, 0.0
        self.ring = KeyRing.generate("kms-1")

    def wrap(self, data_key):
        self.answer("wrap")
        return self.ring.wrap(data_key)[1]

    def unwrap(self, key_id, wrapped):
        self.answer("unwrap")
        return self.ring.unwrap(key_id, wrapped)

    def answer(self, call):
        self.calls.append(call)
        if self.is_down:
            raise ConnectionError("no route")

    def keys(self, **options):
        return CallableKeys("kms-1", self.wrap, self.unwrap, monotonic=lambda: self.now, **options)


def test_a_key_service_is_asked_once_for_each_data_key_until_it_is_forgotten():
    kms = Kms()
    keys = kms.keys(ttl_s=10)
    wrapped = keys.wrap(b"d" * 32)

    for now in (0, 9, 10, 19, 20):
        kms.now = now
        assert keys.unwrap(*wrapped) == b"d" * 32

    assert kms.calls == ["wrap", "unwrap", "unwrap", "unwrap"]


def test_the_memory_of_data_keys_is_bounded_and_forgets_what_has_expired():
    kms = Kms()
    keys = kms.keys(ttl_s=10, entries_max=3)
    many = [keys.wrap(bytes([number]) * 32) for number in range(5)]
    for each in many:
        keys.unwrap(*each)
    kept = len(keys._remembered)
    kms.now = 11

    keys.unwrap(*many[0])

    assert (kept, len(keys._remembered)) == (3, 1)


def test_a_key_service_that_is_down_serves_what_is_remembered_and_is_a_typed_error_for_the_rest():
    kms = Kms()
    keys = kms.keys()
    warm, cold = keys.wrap(b"w" * 32), keys.wrap(b"c" * 32)
    keys.unwrap(*warm)
    kms.is_down = True

    assert keys.unwrap(*warm) == b"w" * 32
    with pytest.raises(errors.KeyProviderFailed) as unwrapping:
        keys.unwrap(*cold)
    with pytest.raises(errors.KeyProviderFailed) as wrapping:
        keys.wrap(b"n" * 32)

    assert (unwrapping.value.action, wrapping.value.action, unwrapping.value.key_id) == ("unwrap", "wrap", "kms-1")
    assert isinstance(unwrapping.value.__cause__, ConnectionError)


def test_what_a_key_service_says_of_a_key_passes_through():
    def refuse(key_id, wrapped):
        raise errors.UnknownEncryptionKey(key_id)

    keys = CallableKeys("kms-2", bytes, refuse)

    with pytest.raises(errors.UnknownEncryptionKey):
        keys.unwrap("kms-0", b"x")
    with pytest.raises(ValueError, match="altered"):
        Kms().keys().unwrap("kms-1", b"x" * 50)


def test_no_repr_shows_a_key():
    kms = Kms()
    keys = kms.keys()
    keys.unwrap(*keys.wrap(b"d" * 32))
    ring = KeyRing({"a": b"1" * 32, "b": b"2" * 32}, "b")

    shown = repr(keys) + str(keys) + repr(ring) + f"{ring}" + repr(pickle.loads(pickle.dumps(ring)))

    assert "dddd" not in shown
    assert "1111" not in shown
    assert "b" in shown


def test_an_id_that_cannot_be_stored_is_refused():
    with pytest.raises(errors.KeysInvalid):
        CallableKeys("k" * 64, bytes, lambda _, key: key)
