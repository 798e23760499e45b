"""The back-office's pages."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from roomtone_tenancy.errors import UnknownTenant
from studio.backoffice import queries, service
from studio.errors import NotFound
from studio.web.access import platform_staff_only
from studio.web.request import actor, control_db, services

pages = Blueprint("backoffice", __name__, template_folder="templates")


@pages.get("/")
@platform_staff_only
def index() -> str:
    """All studios: state, plan, database, schema version, credits."""
    with control_db() as db:
        rows = queries.studios(db, services())
    return render_template("backoffice/index.html", rows=rows, head=services().database.tenancy.head)


@pages.get("/studios/<tenant_key>")
@platform_staff_only
def studio(tenant_key: str) -> str:
    """One studio: its facts, its history, and what may be done."""
    tenancy = services().database.tenancy
    try:
        tenant = tenancy.tenant(tenant_key)
    except UnknownTenant as error:
        raise NotFound from error
    with control_db() as db:
        row = queries.row(services(), tenant, queries.owner_of(db, tenant_key))
        audit = queries.audit(db, tenant_key)
    size = tenancy.size_bytes(tenant_key) if tenant.database else 0
    return render_template(
        "backoffice/studio.html",
        row=row,
        audit=audit,
        history=tenancy.history(tenant_key),
        progress=tenancy.progress(tenant_key),
        size_bytes=size,
        head=tenancy.head,
        entries=services().credits.entries(tenant_key),
        host=services().settings.studio_url(tenant_key),
    )


@pages.post("/studios/<tenant_key>/suspension")
@platform_staff_only
def suspend(tenant_key: str) -> Response:
    """Suspend the studio."""
    with control_db() as db:
        service.suspend(db, services(), tenant_key, reason=request.form.get("reason", ""), actor=actor().user_id)
    flash(_("The studio is suspended. Its data stays."), "success")
    return redirect(f"/studios/{tenant_key}", 303)


@pages.post("/studios/<tenant_key>/resumption")
@platform_staff_only
def resume(tenant_key: str) -> Response:
    """Open the studio again."""
    with control_db() as db:
        service.resume(db, services(), tenant_key, reason=request.form.get("reason", ""), actor=actor().user_id)
    flash(_("The studio is open again."), "success")
    return redirect(f"/studios/{tenant_key}", 303)
