"""From a sign-up's wish to a studio that works: run by the worker, resumed wherever it was stopped."""

from __future__ import annotations

import structlog
from sqlalchemy import select

from roomtone_tenancy import Tenant
from studio.platform import mail, queue
from studio.platform.models import SignUp
from studio.services import Services

log = structlog.get_logger()


def run(services: Services, tenant_key: str) -> Tenant:
    """Make or finish the studio's database and tell its owner, once. Runs in the worker, inside an app context.

    Raises:
        roomtone_tenancy.errors.ProvisioningFailed: a step failed; the next run continues there.
        roomtone_tenancy.errors.OperationBusy: another worker is at it.
    """
    tenant = services.database.tenancy.provision(tenant_key)
    log.info("studio is provisioned", tenant=tenant_key)
    with services.database.control() as db:
        sign_up = db.scalar(select(SignUp).where(SignUp.tenant_key == tenant_key))
        if sign_up is not None:
            mail.enqueue(
                db,
                key=f"studio-ready:{sign_up.public_id}",
                to=sign_up.user.email,
                template="studio_ready",
                locale=sign_up.user.locale,
                context={
                    "name": sign_up.user.name,
                    "studio_name": tenant.metadata["name"],
                    "url": services.settings.studio_url(tenant_key),
                },
            )
            queue.enqueue(db, services.jobs, "deliver_mail")
    return tenant
