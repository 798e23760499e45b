"""Which language a page speaks: the person's choice, else the sign-in's, else the browser's, else the studio's."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, g, has_request_context, request, session
from flask_babel import Babel, get_locale

LANGUAGES = {"en": "English", "fr": "Français"}
FORMATS = {"en": "en_GB", "fr": "fr_FR"}  # whose dates and numbers a language writes: European ones, with 24 hours
TRANSLATIONS = Path(__file__).parent.parent / "translations"


def choose_language() -> str:
    """The language of this request, always one of `LANGUAGES`; outside of a request, where mail is written, `force_locale` says."""
    if not has_request_context():
        return "en"
    actor = g.get("actor")
    for wanted in (session.get("locale"), getattr(actor, "locale", None)):
        if wanted in LANGUAGES:
            return str(wanted)
    preferred = request.accept_languages.best_match(list(LANGUAGES)) or g.get("studio_locale")
    return str(preferred) if preferred in LANGUAGES else "en"


def install(app: Flask) -> None:
    """Set up Flask-Babel and the language names that the switch shows."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    Babel(app, locale_selector=lambda: FORMATS[choose_language()], default_locale=FORMATS["en"])
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.context_processor(lambda: {"locale": get_locale().language, "formats": str(get_locale()).replace("_", "-"), "languages": LANGUAGES})
