from __future__ import annotations

import json

import pytest

from roomtone_tenancy import Server
from roomtone_tenancy.life.stores import FolderStore


@pytest.fixture
def run(run_on, sqlite_site, tmp_path):
    servers = [Server("main", sqlite_site.server_url), Server("other", f"sqlite:///{tmp_path}/elsewhere")]
    return run_on(sqlite_site, servers=servers, backups=FolderStore(tmp_path / "backups"))


@pytest.fixture
def tenancy(sqlite_site):
    tenancy = sqlite_site.tenancy(cache_ttl_s=0)
    sqlite_site.make(tenancy, "a", domains=["a.test"])
    return tenancy


def test_states_are_changed_by_name(run, tenancy):
    said = [run(*words)[1] for words in (("read-only", "a"), ("suspend", "a"), ("archive", "a"), ("suspend", "a"), ("resume", "a"))]

    assert said == ["a: read_only\n", "a: suspended\n", "a: archived\n", "a: suspended\n", "a: active\n"]


def test_a_tenant_is_renamed(run, tenancy):
    assert run("rename", "a", "b") == (0, "a: is b now\n")
    assert run("rename", "a", "b")[0] == 1


def test_a_move_asks_first_and_says_how_long_writes_were_refused(run, tenancy):
    planned, declined = run("move", "a", "other", "--dry-run"), run("move", "a", "other", answers="n\n")
    code, moved = run("move", "a", "other", "--yes", "--keep-days", "0", "--json")
    kept, planned_drop, dropped = run("retired"), run("retired", "--drop", "--dry-run"), run("retired", "--drop", "--json")

    assert "would go from main to other" in planned[1]
    assert (declined[0], code, json.loads(moved)["target"]) == (1, 0, "other")
    assert json.loads(moved)["refused_s"] > 0
    assert kept[1].startswith("a\tmain\t")
    assert planned_drop == kept
    assert json.loads(dropped[1])[0]["key"] == "a"
    assert run("retired") == (0, "")


def test_a_tenant_is_backed_up_and_put_back(run, tenancy):
    made = json.loads(run("backup", "a", "--json")[1])
    listed, checked, planned = run("backups", "a"), run("backups", "a", "--check", "newest", "--json"), run("restore", "a", "--dry-run")
    declined, restored = run("restore", "a", answers="n\n"), run("restore", "a", "--yes")

    assert listed[1].startswith(made["id"])
    assert json.loads(checked[1]) == [made]
    assert "it is sound" in planned[1]
    assert (declined[0], restored[0]) == (1, 0)
    assert restored[1].startswith(f"a\t{made['id']}\tr1\t")
    assert run("restore", "a", "never")[0] == 1


def test_a_deletion_wants_the_key_typed_and_tells_its_proof(run, tenancy):
    planned, wrong = run("delete", "a", "--dry-run"), run("delete", "a", answers="b\n")
    code, deleted = run("delete", "a", answers="a\n")

    assert planned == (0, "a: would be deleted\n")
    assert wrong[0] == 1
    assert code == 0
    assert "seen absent at 20" in deleted
    assert "last backup 20" in deleted
    assert run("delete", "a", "--yes")[0] == 1


def test_a_deletion_with_a_grace_archives_now_and_deletes_what_is_due(run, tenancy):
    planned = run("delete", "a", "--grace-days", "30", "--dry-run")
    assert (planned, tenancy.tenant("a").state) == ((0, "a: would be archived, and due for deletion in 30 days\n"), "active")
    assert run("delete", "a", "--grace-days", "30") == (0, "a: archived\n")
    assert run("delete", "--due", "--grace-days", "30")[0] == 2
    assert run("delete", "--due", "--yes") == (0, "")
    assert run("delete", "a", "--yes")[0] == 1
    assert run("delete", "a", "--grace-days", "0") == (0, "a: archived\n")
    assert run("delete", "--due", "--yes", "--without-backup")[0] == 0
    assert run("delete")[0] == 2


def test_a_clone_is_scrubbed_unless_it_is_said_that_it_need_not_be(run, run_on, sqlite_site, tenancy):
    def tidy(session, clone):
        """Nothing to tidy up."""

    planned, taken = json.loads(run("clone", "a", "b", "--dry-run", "--json")[1]), run("clone", "a", "a", "--dry-run")
    refused, declined = run("clone", "a", "b"), run("clone", "a", "b", "--unscrubbed", answers="n\n")
    copied = run("clone", "a", "b", "--unscrubbed", "--yes", "--domain", "b.test", "--json")
    scrubbing = run_on(sqlite_site, scrubs=[tidy])
    scrubbed = scrubbing("clone", "a", "c")

    assert (planned["source"], planned["is_made"], taken[0]) == ("a", False, 1)
    assert planned["server"] == json.loads(copied[1])["server"]
    assert (refused[0], "scrub=()" in refused[1], declined[0]) == (1, True, 1)
    assert json.loads(copied[1])["scrubs"] == []
    assert tenancy.resolve("b.test").key == "b"
    assert scrubbed == (0, "c\ta\t-\tmain\tr1\t1\ttidy\n")
    assert scrubbing("clone", "a", "d", "--scrub", "tidy", "--unscrubbed")[0] == 2


def test_a_tenant_is_exported_checked_and_imported(run, tenancy, tmp_path):
    file = str(tmp_path / "a.zip")
    exported, again = run("export", "a", file, "--json"), run("export", "a", file)
    checked, imported = run("import", file, "b", "--dry-run"), run("import", file, "b", "--domain", "b.test")
    second, as_json = run("import", file, "b"), run("import", file, "c", "--json")

    assert (json.loads(exported[1])["rows"], again[0]) == (0, 1)
    assert checked[1].startswith("a\tsqlite\tr1\t2\t0\t")
    assert imported == (0, "b\tother\ta\tsqlite\tr1\t2\t0\n")
    assert (second[0], json.loads(as_json[1])["key"]) == (1, "c")
    assert tenancy.resolve("b.test").key == "b"


def test_a_deleted_tenants_backup_becomes_a_new_tenant(run, tenancy):
    deleted = tenancy.tenant("a").id
    run("delete", "a", "--yes")
    planned_json = json.loads(run("restore-deleted", deleted, "b", "--dry-run", "--json")[1])
    planned, declined = run("restore-deleted", deleted, "b", "--dry-run"), run("restore-deleted", deleted, "b", answers="n\n")
    restored, again = run("restore-deleted", deleted, "b", "--yes", "--json"), run("restore-deleted", deleted, "c", "never", "--yes")
    unknown = run("restore-deleted", "0" * 32, "c", "--yes")

    assert [found["tenant_id"] for found in planned_json] == [deleted]
    assert (planned[1].count("\n"), declined[0], again[0], unknown[0]) == (1, 1, 1, 1)
    assert (json.loads(restored[1])["source"], tenancy.tenant("b").id != deleted, tenancy.exists("c")) == ("a", True, False)
