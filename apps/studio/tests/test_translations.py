"""Every sentence of the app is there in every language, with the same placeholders."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from studio import frontend

TRANSLATIONS = frontend.HERE.translations
LANGUAGES = sorted(path.name for path in TRANSLATIONS.iterdir() if path.is_dir())
KEYWORDS = {**DEFAULT_KEYWORDS, "_l": None, "lazy_gettext": None}


@pytest.fixture(scope="module")
def template() -> Catalog:
    """Everything the sources mark for translation."""
    with (TRANSLATIONS / "babel.cfg").open() as config:
        methods, options = parse_mapping_cfg(config)
    found = Catalog()
    for name, _line, message, _comments, context in extract_from_dir(
        str(frontend.HERE.package), method_map=methods, options_map=options, keywords=KEYWORDS
    ):
        found.add(message if isinstance(message, str) else tuple(message[:2]), None, [(Path(name).as_posix(), 0)], context=context)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated(template: Catalog, language: str) -> None:
    translated = _catalogue(language)

    missing = [f"{message.locations[0][0]}: {message.id}" for message in template if message.id and not _is_done(message, translated)]

    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_the_placeholders(language: str) -> None:
    wrong = [str(message.id) for message in _catalogue(language) if message.id and list(message.check())]

    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_is_a_guess_or_left_over(template: Catalog, language: str) -> None:
    translated = _catalogue(language)

    assert [message.id for message in translated if message.id and message.fuzzy] == []
    assert [message.id for message in translated if message.id and template.get(_first(message)) is None] == []


def test_sentences_are_found_in_templates_and_in_code(template: Catalog) -> None:
    suffixes = {Path(where[0]).suffix for message in template for where in message.locations}

    assert suffixes == {".html", ".py", ".txt"}


def _catalogue(language: str) -> Catalog:
    with (TRANSLATIONS / language / "LC_MESSAGES" / "messages.po").open("rb") as source:
        return read_po(source, locale=language)


def _first(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _is_done(message: Message, translated: Catalog) -> bool:
    found = translated.get(_first(message))
    if found is None or not found.string:
        return False
    return all(found.string) if isinstance(found.string, tuple | list) else True
