"""What our staff may do to a studio; each deed and its audit row are one transaction."""

from __future__ import annotations

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from studio.errors import BadInput
from studio.platform import standing
from studio.platform.models import AuditEvent
from studio.services import Services

REASON_MIN = 5


def suspend(db: Session, services: Services, tenant_key: str, *, reason: str, actor: str) -> None:
    """Close a studio until our staff opens it again, paid or not; its data stays.

    Raises:
        BadInput: no reason was given.
    """
    standing.settle(db, services, tenant_key, reason=_reason(reason), actor=actor, held=True)
    db.add(AuditEvent(actor=actor, action="studio.suspended", target=tenant_key, detail={"reason": reason}))


def resume(db: Session, services: Services, tenant_key: str, *, reason: str, actor: str) -> None:
    """Open a studio again, to the extent that its subscription allows.

    Raises:
        BadInput: no reason was given.
    """
    standing.settle(db, services, tenant_key, reason=_reason(reason), actor=actor, held=False)
    db.add(AuditEvent(actor=actor, action="studio.resumed", target=tenant_key, detail={"reason": reason}))


def _reason(reason: str) -> str:
    if len(reason.strip()) < REASON_MIN:
        raise BadInput("reason", _("Say why, in at least %(least)s characters: the owner may ask.", least=REASON_MIN))
    return reason.strip()
