"""What a tenant answers that has no database of its own yet, or only half of one."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from roomtone_tenancy import TenantState, errors
from roomtone_tenancy.ask import CertificateAsk
from roomtone_tenancy.gate import Gate
from roomtone_tenancy.refusal import Reason
from roomtone_tenancy.resolvers import Chain, RequestFacts

SECOND = """
    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        pass
"""


def seed(session, tenant):
    session.execute(text("INSERT INTO artist (name) VALUES ('seeded')"))


@pytest.fixture(params=["requested", "provisioning"])
def half_made(request, site):
    """A Tenancy with the tenant b in that state, beside a whole one."""
    tenancy = site.tenancy(seed=seed)
    site.make(tenancy, "a", domains=["a.example.com"])
    if request.param == "provisioning":
        tenancy.spares.refill(1)
    tenant = site.register(tenancy, "b", domains=["b.example.com"])
    assert tenant.state == request.param
    return tenancy


def test_its_host_is_answered_with_try_again_and_not_with_404_or_500(half_made):
    gate = Gate(chain=Chain(half_made))

    refusal = gate.decide(RequestFacts(host="b.example.com"), route="/")

    assert (refusal.reason, refusal.status, refusal.retry_after_s) == (Reason.PREPARING, 503, 5)


def test_it_gets_no_session_no_certificate_and_no_new_password(half_made):
    with half_made.use("b"), pytest.raises(errors.TenantUnavailable):
        half_made.session()
    with pytest.raises(errors.TenantUnavailable):
        half_made.secrets.rotate_password("b")

    assert not CertificateAsk(half_made).may("b.example.com")
    assert CertificateAsk(half_made).may("a.example.com")


def test_work_on_the_whole_fleet_passes_it_by_and_it_ends_at_the_newest_revision_all_the_same(half_made, site):
    site.add_revision("r2", SECOND)
    later = site.tenancy(seed=seed)

    migrated, replaced = later.migrate().migrated, later.secrets.rotate_passwords(drain_s=0)
    made = later.provision("b")

    assert migrated == ("a",)
    assert "b" not in {*replaced.done, *replaced.skipped, *replaced.failed}
    assert (made.state, made.revision) == (TenantState.ACTIVE, "r2")
    with later.use("b"), later.session() as session:
        assert session.scalars(text("SELECT name FROM artist")).all() == ["seeded"]


def test_it_is_pending_until_it_is_made_and_no_orphan(half_made):
    before = half_made.pending(), half_made.orphans()

    half_made.provision("b")

    assert before == (["b"], [])
    assert (half_made.pending(), half_made.orphans()) == ([], [])
