from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from roomtone_tenancy.cli import commands_of, main


def test_list_and_show_tell_what_the_catalog_knows(run, tenancy):
    assert run("list") == (0, "a\tactive\tr1\tmain\ta.test\n")
    code, output = run("show", "a")

    assert code == 0
    assert "provision: attempt 1, done" in output
    assert "requested -> provisioning (provisioning began, system)" in output


def test_a_list_may_be_of_one_state(sqlite_site, run, tenancy):
    sqlite_site.make(tenancy, "b")
    sqlite_site.change(tenancy.suspend, "b", reason="test")

    listed = [[line.split()[0] for line in run("list", "--state", state)[1].splitlines()] for state in ("active", "suspended", "archived")]

    assert listed == [["a"], ["b"], []]


def test_an_unknown_tenant_is_one_line_and_no_traceback(run, tenancy):
    code, output = run("show", "nobody")

    assert code == 1
    assert output.startswith("Error: There is no tenant 'nobody'")


def test_resume_finishes_what_was_only_wished_for_and_doctor_says_so(sqlite_site, run, tenancy):
    sqlite_site.register(tenancy, "b")

    before, resumed, after = run("doctor"), run("resume"), run("doctor")

    assert before[0] == 2
    assert before[1].startswith("error b: a provision was begun and not finished.\n")
    assert "\n    tenancy resume\n" in before[1]
    assert resumed == (0, "b: provision done\n")
    assert after[0] == 0
    assert after[1].startswith("all is well (2 of 2 databases looked into")


def test_migrate_names_every_tenant_and_fails_when_one_did(sqlite_site, run, tenancy, extension):
    sqlite_site.add_revision("r2", extension)
    good = run("migrate")
    sqlite_site.add_revision("r3", extension.replace('"r2", "r1"', '"r3", "r2"').replace('"room"', '"artist"'))
    bad = run("migrate")

    assert good == (0, "a: migrated\nhead r2: 1 migrated, 0 failed\n")
    assert bad[0] == 1


@pytest.mark.parametrize("factory", ["nothing_here", "other"])
def test_an_app_that_cannot_be_loaded_is_explained(run, factory):
    code, output = run("list", factory=factory)

    assert code == 2
    assert "--app" in output


def test_programs_read_json(run, tenancy):
    (code, listed), (_, shown) = run("list", "--json"), run("show", "a", "--json")

    assert code == 0
    assert [(tenant["key"], tenant["state"], tenant["domains"]) for tenant in json.loads(listed)] == [("a", "active", ["a.test"])]
    assert json.loads(shown)["history"][0]["after"] == "requested"


def test_a_domain_is_claimed_shown_and_verified(run, tenancy, monkeypatch):
    dns_lookup = pytest.importorskip("roomtone_tenancy.dns_lookup", reason="the extra 'dns' is not installed")
    _, claimed = run("domains", "add", "a", "acme.example", "--primary")
    value = claimed.split()[-1]
    monkeypatch.setattr(dns_lookup, "txt_values", lambda name: ())
    too_early = run("domains", "verify", "a", "acme.example")
    monkeypatch.setattr(dns_lookup, "txt_values", lambda name: (value,))
    verified = run("domains", "verify", "a", "acme.example")

    assert claimed == f"acme.example\tclaimed\t_roomtone-challenge.acme.example TXT {value}\n"
    assert too_early[0] == 1
    assert "is not proved" in too_early[1]
    assert verified == (0, "acme.example\tprimary\n")
    assert run("domains", "list", "a") == (0, "acme.example\tprimary\na.test\tverified\n")
    assert json.loads(run("domains", "list", "a", "--json")[1])[0]["is_primary"] is True


def test_the_platform_gives_a_domain_without_proof(run, tenancy):
    assert run("domains", "add", "a", "a.app.test", "--verified") == (0, "a.app.test\tverified\n")


def test_an_application_mounts_the_commands_under_its_own(tenancy):
    result = CliRunner().invoke(commands_of(tenancy), ["list"])

    assert (result.exit_code, result.output) == (0, "a\tactive\tr1\tmain\ta.test\n")


def test_servers_are_listed_with_their_tenants(run, tenancy):
    assert run("servers", "list")[1].startswith("main\taccepting\t1/")
    assert json.loads(run("servers", "list", "--json")[1])[0]["tenants"] == 1


def test_a_terminal_gets_a_table_with_its_columns_named(tenancy):
    result = CliRunner(env={"FORCE_COLOR": "1", "COLUMNS": "120"}).invoke(commands_of(tenancy), ["list"])

    assert "primary domain" in result.output
    assert "a.test" in result.output


def leaves(command, *path):
    """Every command that does something, with its words."""
    if isinstance(command, click.Group):
        return [leaf for name, each in command.commands.items() for leaf in leaves(each, *path, name)]
    return [(" ".join(path), command)]


@pytest.mark.parametrize(("words", "command"), leaves(main), ids=[words for words, _ in leaves(main)])
def test_every_command_speaks_to_programs_and_says_what_it_does(words, command):
    options = {name for parameter in command.params for name in parameter.opts}

    assert "--json" in options or words == "shell", words  # a console is for people, and its script says what it likes
    assert command.help
    assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option))


def groups(command, *path):
    """The groups, with their words."""
    if not isinstance(command, click.Group):
        return []
    return [path, *(each for name, inner in command.commands.items() for each in groups(inner, *path, name))]


@pytest.mark.parametrize("words", groups(main), ids=" ".join)
def test_help_is_a_page_where_no_line_is_cut_off_and_needs_no_application(words):
    result = CliRunner().invoke(main, [*words, "-h"], terminal_width=100, prog_name="tenancy")

    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: {' '.join(('tenancy', *words))} [OPTIONS] ")
    assert not [line for line in result.output.splitlines() if line.endswith("...") and not line.startswith("Usage")]
    assert max(map(len, result.output.splitlines())) <= 100


ISSUED = (
    *("init", "create", "list", "show", "migrate plan", "migrate run", "migrate status", "migrate verify", "backup", "restore", "move"),
    *("clone", "export", "import", "suspend", "resume", "delete", "rotate-keys", "rotate-passwords", "pool status", "shell", "doctor"),
    *("servers add", "servers drain", "servers list"),
)


def test_the_verbs_that_were_promised_are_there_also_where_they_are_mounted(tenancy):
    mounted = [words for words, _ in leaves(commands_of(tenancy))]

    assert [words for words in ISSUED if words not in mounted] == []
    assert mounted == [words for words, _ in leaves(main)]


def test_verbs_that_destroy_or_refuse_ask_first():
    asking = {words for words, command in leaves(main) if any("--yes" in parameter.opts for parameter in command.params)}

    assert asking >= {"delete", "restore", "move", "pool drain", "servers disable", "rotate-passwords"}


def test_a_tenant_is_made_by_command(run, tenancy):
    planned = run("create", "new", "--domain", "new.test", "--dry-run")
    made = json.loads(run("create", "new", "--domain", "new.test", "--json")[1])

    assert planned == (0, "new: would be made on main\n")
    assert (made["key"], made["state"], made["domains"], made["is_made"]) == ("new", "active", ["new.test"], True)
    assert run("create", "new")[0] == 1


def test_servers_are_added_drained_and_disabled(run, tenancy, tmp_path):
    added = run("servers", "add", "two", "--url", f"sqlite:///{tmp_path}/two", "--capacity", "5")
    said = [run("servers", verb, "two")[1] for verb in ("drain", "accept")]
    declined, disabled = run("servers", "disable", "two", answers="n\n"), run("servers", "disable", "two", "--yes", "--json")

    assert added == (0, "two: accepting, 0/5 tenants\n")
    assert said == ["two: draining, 0/5 tenants\n", "two: accepting, 0/5 tenants\n"]
    assert declined[0] == 1
    assert json.loads(disabled[1])["state"] == "disabled"


def test_what_changes_a_tenant_tells_programs_what_it_is_now(sqlite_site, run, tenancy):
    said = [json.loads(run(*words, "--json")[1])["state"] for words in (("read-only", "a"), ("suspend", "a"), ("resume", "a"))]
    sqlite_site.register(tenancy, "b")

    assert said == ["read_only", "suspended", "active"]
    assert json.loads(run("resume", "--json")[1]) == [{"key": "b", "operation": "provision", "error": None}]
    assert json.loads(run("rename", "b", "c", "--json")[1])["key"] == "c"
    assert json.loads(run("delete", "c", "--dry-run", "--json")[1]) == [{"key": "c", "is_deleted": False}]
    assert json.loads(run("delete", "c", "--yes", "--without-backup", "--json")[1])[0]["is_deleted"] is True
