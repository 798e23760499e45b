"""The making of one Flask app: the same frame for platform, studio and back-office."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from roomtone_tenancy.flask import BoundSessions
from studio.services import Services
from studio.web import i18n, page, security

WEB = Path(__file__).parent
BODY_BYTES_MAX = 2 * 1024 * 1024


def make_app(plane: str, services: Services, *, secret_key: str, open_to_others: frozenset[str] = frozenset()) -> Flask:
    """Build the app of one plane (`platform`, `studio` or `backoffice`), without its views and the answers to its failures.

    Args:
        secret_key: signs the cookies of this plane.
        open_to_others: endpoints that other sites call; their views are exempted from CSRF where they are registered.
    """
    settings = services.settings
    app = Flask(f"studio.{plane}", root_path=str(WEB), static_folder="static", template_folder="templates")
    secure = settings.scheme == "https"
    app.config.update(
        SECRET_KEY=secret_key,
        SESSION_COOKIE_NAME=f"__Host-{plane}" if secure else f"roomtone-{plane}",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=settings.session_days),
        MAX_CONTENT_LENGTH=BODY_BYTES_MAX,
        WTF_CSRF_TIME_LIMIT=None,  # bound to the session, which has a limit of its own
        WTF_CSRF_SSL_STRICT=False,  # the Origin check of web.security does this on both schemes
    )
    app.session_interface = BoundSessions()
    app.extensions["studio.services"] = services
    CSRFProtect(app)
    security.install(app, settings, exempt=open_to_others)
    i18n.install(app)
    page.install(app)
    return app
