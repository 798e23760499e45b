"""Which language a page speaks: the person's choice, else the sign-in's, else the browser's, else the studio's."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, g, has_request_context, request, session
from flask_babel import Babel, get_locale

LANGUAGES = {"en": "English", "fr": "Français"}
TRANSLATIONS = Path(__file__).parent.parent / "translations"


def choose_locale() -> str:
    """The language of this request, always one of `LANGUAGES`; outside of a request, where mail is written, `force_locale` says."""
    if not has_request_context():
        return "en"
    actor = g.get("actor")
    for wanted in (session.get("locale"), getattr(actor, "locale", None)):
        if wanted in LANGUAGES:
            return str(wanted)
    return request.accept_languages.best_match(list(LANGUAGES)) or str(g.get("studio_locale", "en"))


def install(app: Flask) -> None:
    """Set up Flask-Babel and the language names that the switch shows."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    Babel(app, locale_selector=choose_locale, default_locale="en")
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.context_processor(lambda: {"locale": str(get_locale()), "languages": LANGUAGES})
