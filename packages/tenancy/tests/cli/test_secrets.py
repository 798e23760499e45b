from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from roomtone_tenancy import KeyRing


@pytest.fixture
def rotating(postgres_site, run_on):
    """Tenants a and b under an old master key, and a command line whose application has a new one."""
    old = postgres_site.keys
    tenancy = postgres_site.tenancy()
    for key in ("a", "b"):
        postgres_site.make(tenancy, key)
    new = KeyRing({**KeyRing.generate("new").keys, **old.keys}, "new")
    return postgres_site.tenancy(keys=new), run_on(postgres_site, keys=new)


def user(tenancy, key):
    with tenancy.use(key), tenancy.session() as session:
        return session.scalar(text("SELECT session_user"))


def test_every_secret_is_brought_under_the_new_master_key_and_a_second_run_has_nothing_to_do(rotating):
    _, run = rotating

    code, output = run("rotate-keys", "--batch", "1")

    assert code == 0
    assert output.splitlines() == ["1 under new, 1 to go", "2 under new, 0 to go", "new: 2 secrets brought under it, 0 under other keys"]
    assert json.loads(run("rotate-keys", "--json")[1]) == {"key_id": "new", "rewrapped": 0, "left": 0, "failed": {}}


def test_a_secret_that_does_not_open_is_named_and_fails_the_command(rotating, postgres_site, run_on):
    run = run_on(postgres_site, keys=KeyRing.generate("stranger"))

    code, output = run("rotate-keys")

    assert code == 1
    assert "stranger: 0 secrets brought under it, 2 under other keys" in output
    assert output.count("tenancy_credentials/") == 2


def test_tenants_get_new_logins_and_an_interrupted_run_goes_on_with_those_that_are_left(rotating):
    tenancy, run = rotating
    before = {key: user(tenancy, key) for key in ("a", "b")}

    first = run("rotate-passwords", "a", "--json")
    rest = run("rotate-passwords", "--json", "--older-than", json.loads(first[1])["older_than"])

    assert (first[0], json.loads(first[1])["done"]) == (0, ["a"])
    assert (rest[0], json.loads(rest[1])["done"]) == (0, ["b"])
    tenancy._registry.forget()
    assert all(user(tenancy, key) != before[key] for key in before)


def test_replaced_logins_are_retired(rotating):
    _, run = rotating
    run("rotate-passwords", "--yes", "--drain", "0")

    code, output = run("rotate-passwords", "--retire", "--drain", "0", "--yes")

    assert (code, output.splitlines()[-1]) == (0, "2 retired, 0 without a login to replace, 0 failed")


def test_a_second_rotation_within_the_drain_fails_with_each_reason_and_cutting_off_is_asked_for(rotating):
    _, run = rotating
    run("rotate-passwords")

    refused, unanswered = run("rotate-passwords"), run("rotate-passwords", "--drain", "0", answers="n\n")
    agreed = run("rotate-passwords", "--drain", "0", answers="y\n")

    assert (refused[0], refused[1].count("StillDraining")) == (1, 2)
    assert (unanswered[0], "Aborted" in unanswered[1]) == (1, True)
    assert agreed[0] == 0


@pytest.mark.parametrize(("time", "why"), [("yesterday", "no ISO 8601 time"), ("2026-08-01T00:00:00", "lacks its offset")])
def test_a_time_that_cannot_be_read_is_explained(run, time, why):
    code, output = run("rotate-passwords", "--older-than", time)

    assert code == 2
    assert why in output


def test_an_unknown_tenant_is_named_before_anything_is_replaced(run, tenancy):
    code, output = run("rotate-passwords", "a", "nobody")

    assert (code, "There is no tenant 'nobody'" in output) == (1, True)
