"""The WSGI application: three Flask apps, chosen by the host that was called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import structlog
from flask import Flask, g, render_template, request
from flask_babel import gettext as _
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response
from whitenoise import WhiteNoise

from roomtone_tenancy import Reason, Refusal, Tenant, TenantState, normalise_host
from roomtone_tenancy.ask import AskApp, CertificateAsk
from roomtone_tenancy.errors import BadHost
from roomtone_tenancy.flask import FlaskTenancy
from studio import wiring
from studio.assistant.views import blueprint as assistant_pages
from studio.backoffice.views import pages as backoffice_pages
from studio.contexts.crm.views import blueprint as crm_pages
from studio.contexts.scheduling.views import blueprint as scheduling_pages
from studio.contexts.settings.views import blueprint as settings_pages
from studio.demo.views import pages as demo_pages
from studio.payments import pay
from studio.payments.views import pages as payment_pages
from studio.platform import accounts
from studio.platform.standing import HOLD
from studio.platform.views import change, domains, landing, plan, signin, signup, webhooks
from studio.public.views import blueprint as public_pages
from studio.services import Services
from studio.web import failures
from studio.web.factory import make_app
from studio.web.request import control_db, database

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WEB = Path(__file__).parent / "web"
CERTIFICATES = "/tls/ask"  # on any host, since a TLS server on this machine asks by address
YEAR_S = 31_536_000
OPEN_WHEN_SUSPENDED = frozenset(
    {
        "static",
        "signin.sign_in",
        "signin.sign_out",
        "signin.language",
        "plan.enter",
        "plan.plan",
        "plan.checkout",
        "plan.collect",
        "plan.portal",
        "change.choose",
        "change.ask_to_end",
        "change.end",
        "change.keep",
        "plan.returned",
        "plan.status",
        "settings.theme",
    }
)


class HostDispatcher:
    """One WSGI callable for all hosts.

    Attributes:
        platform: our own host: landing, sign-up, webhooks.
        studio: any studio's host; the catalog says which hosts are some studio's.
        backoffice: our own staff.
    """

    def __init__(self, services: Services, *, platform: Flask, studio: Flask, backoffice: Flask) -> None:
        self.platform, self.studio, self.backoffice = platform, studio, backoffice
        self._ours = {normalise_host(services.settings.host): platform, normalise_host(services.settings.backoffice_host): backoffice}
        self._certificates = AskApp(CertificateAsk(services.database.tenancy))
        self._serve: WSGIApplication = WhiteNoise(
            self._dispatch, root=str(WEB / "static"), prefix="static/", max_age=YEAR_S, immutable_file_test=r"/dist/"
        )
        if services.settings.trusted_proxies:
            count = services.settings.trusted_proxies
            self._serve = ProxyFix(self._serve, x_for=count, x_proto=count, x_host=count)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        return self._serve(environ, start_response)

    def _dispatch(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == CERTIFICATES:
            return self._certificates(environ, start_response)
        try:
            app = self._ours.get(normalise_host(environ.get("HTTP_HOST", "")), self.studio)
        except BadHost:
            app = self.studio  # whose gate says so
        return app(environ, start_response)


def create_app(services: Services) -> HostDispatcher:
    """Build the application on parts that are there. Opens no connection."""
    key = wiring.secret_key(services.settings)
    structlog.contextvars.clear_contextvars()
    return HostDispatcher(services, platform=_platform(services, key), studio=_studio(services, key), backoffice=_backoffice(services, key))


def _platform(services: Services, key: str) -> Flask:
    app = make_app("platform", services, secret_key=key, open_to_others=frozenset({"billing.webhook"}))
    signin.install(app, home="/studios", plane="platform")
    hook = webhooks.webhook_pages(services.billing)
    app.register_blueprint(hook, url_prefix="/webhooks/stripe")
    app.extensions["csrf"].exempt(hook)
    for pages in (landing.pages, signup.pages):
        app.register_blueprint(pages)
    if services.settings.demo:
        app.register_blueprint(demo_pages)
    failures.install(app)
    return app


def _studio(services: Services, key: str) -> Flask:
    app = make_app("studio", services, secret_key=key)
    FlaskTenancy(app, services.database.tenancy, on_refusal=_refused, stays_open=_stays_open)
    app.before_request(lambda: _keep(database().tenancy.current))
    signin.install(app, home="/app", plane="studio")
    for pages in (
        plan.pages,
        change.pages,
        domains.pages,
        settings_pages,
        crm_pages,
        scheduling_pages,
        assistant_pages,
        payment_pages,
        pay.pages,
        public_pages,
    ):
        app.register_blueprint(pages)
    failures.install(app)
    return app


def _backoffice(services: Services, key: str) -> Flask:
    app = make_app("backoffice", services, secret_key=key)
    signin.install(app, home="/", plane="backoffice")
    app.register_blueprint(backoffice_pages)
    failures.install(app)
    return app


def _keep(tenant: Tenant) -> None:
    """Keep what the page's frame needs of the studio that the host named."""
    g.tenant_key = tenant.key
    g.zone = ZoneInfo(str(tenant.metadata.get("timezone", "UTC")))
    g.studio_locale = str(tenant.metadata.get("locale", "en"))
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(tenant=tenant.key)


def _stays_open(tenant: Tenant, endpoint: str) -> bool:
    """A read-only studio's database refuses what writes to it; the rest, such as signing in and paying, is not its own."""
    return tenant.state is TenantState.READ_ONLY or (tenant.state is TenantState.SUSPENDED and endpoint in OPEN_WHEN_SUSPENDED)


def _owners(tenant: Tenant) -> list[str]:
    """Who can pay for a studio; asked only for people of its own."""
    if g.get("actor") is None:
        return []
    with control_db() as db:
        return accounts.owner_names(db, tenant.key)


def _refused(refusal: Refusal) -> Response:
    """What a studio's state forbids, as a page of ours. A suspended studio shows why, and lets its owner in to pay."""
    tenant = refusal.tenant
    if tenant is None:
        return failures.failure(refusal.status)
    if request.accept_mimetypes.best == "text/css":
        return Response("", mimetype="text/css")  # the page that says so has the app's own colours, and no failed request
    _keep(tenant)
    signin.load_actor()
    if refusal.reason is Reason.SUSPENDED:
        return Response(
            render_template("suspended.html", is_held=bool(tenant.metadata.get(HOLD)), owners=_owners(tenant)),
            status=503,
            mimetype="text/html",
        )
    if refusal.reason is Reason.READ_ONLY:
        return failures.failure(409, _("This studio is read-only until its plan is paid. Nothing is lost; open “Plan” to pay."))
    return failures.failure(503)
