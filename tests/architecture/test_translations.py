"""Every sentence the app can show exists in French."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

STUDIO = Path(__file__).parents[2] / "apps/studio/src/studio"
FRENCH = STUDIO / "translations/fr/LC_MESSAGES/messages.po"
METHODS = [("**.py", "python"), ("**.html", "jinja2"), ("**.txt", "jinja2"), ("**.js", "ignore")]
KEYWORDS = {
    "_": None, "_l": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "lazy_ngettext": (1, 2),
    "pgettext": ((1, "c"), 2), "npgettext": ((1, "c"), 2, 3),
}  # fmt: skip
PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]|\{(\w+)\}")


@pytest.fixture(scope="module")
def used() -> Catalog:
    """What the code and the templates ask for."""
    catalog = Catalog()
    options = {"**.html": {"silent": "false"}, "**.txt": {"silent": "false"}}
    for file, line, message, _comments, context in extract_from_dir(STUDIO, METHODS, options, KEYWORDS, ()):
        if not file.startswith(("web/static", "translations")):
            catalog.add(message, locations=[(file, line)], context=context)
    return catalog


@pytest.fixture(scope="module")
def french() -> Catalog:
    with FRENCH.open("rb") as file:
        return read_po(file, locale="fr")


def test_every_sentence_has_a_french_one(used, french):
    missing = [f"{message.locations[0]}: {message.id}" for message in used if message.id and not _translated(french, message)]

    assert not missing, f"{len(missing)} sentences are not translated"


def test_translations_keep_the_placeholders(used, french):
    wrong = []
    for message in used:
        found = french.get(message.id if isinstance(message.id, str) else message.id[0], message.context) if message.id else None
        if found and found.string and _placeholders(found.id) != _placeholders(found.string):
            wrong.append(found.id)

    assert not wrong


def test_no_translation_is_left_over_or_fuzzy(used, french):
    wanted = {(message.id, message.context) for message in used}

    assert not [message.id for message in french if message.id and ((message.id, message.context) not in wanted or message.fuzzy)]


def test_the_extraction_finds_code_and_templates(used):
    files = {location[0] for message in used for location in message.locations}

    assert any(name.endswith(".py") for name in files)
    assert any(name.endswith(".html") for name in files)


def _translated(french: Catalog, message) -> bool:
    found = french.get(message.id if isinstance(message.id, str) else message.id[0], message.context)
    strings = [] if found is None else [found.string] if isinstance(found.string, str) else list(found.string)
    return bool(strings) and all(strings)


def _placeholders(text) -> set[str]:
    return {name for part in ([text] if isinstance(text, str) else text) for pair in PLACEHOLDER.findall(part) for name in pair if name}
