"""From Stripe's word to what a studio may do: plan, credits, and the way down and back up when payments fail."""

from datetime import timedelta

import pytest
from roomtone_ai_credits import CREDIT
from roomtone_billing import Phase
from roomtone_tenancy import TenantState
from sqlalchemy import select
from studio.platform import jobs
from studio.platform.models import AuditEvent, OutboundMail
from studio.platform.standing import settle, wanted_state


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("held", [False, True])
def test_a_hold_of_our_staff_is_stronger_than_any_phase(phase: Phase, held: bool) -> None:
    state = wanted_state(phase, held=held)

    assert (state is TenantState.SUSPENDED) == (held or phase is Phase.suspended)
    assert (state is TenantState.READ_ONLY) == (not held and phase is Phase.read_only)


def test_a_lifted_hold_gives_what_the_subscription_allows(services, studio) -> None:
    with services.database.control() as db:
        settle(db, services, studio.key, reason="complaint", held=True)
    with services.database.control() as db:
        settle(db, services, studio.key, reason="paid late", phase=Phase.active)
    assert services.database.tenancy.tenant(studio.key).state is TenantState.SUSPENDED

    with services.database.control() as db:
        settle(db, services, studio.key, reason="settled", held=False)

    assert services.database.tenancy.tenant(studio.key).state is TenantState.ACTIVE
