from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from roomtone_tenancy import TenantState, events
from roomtone_tenancy.errors import ProvisioningFailed
from roomtone_tenancy.events import StateChanged, StepFailed, StepFinished, StepStarted, TenantActivated, TenantRegistered


def test_each_step_is_told_before_and_after_and_each_move_once_committed(site):
    tenancy, told = site.tenancy(), []
    tenancy.on(StepStarted)(lambda event: told.append(f"{event.operation} {event.step} begins"))
    tenancy.on(StepFinished)(lambda event: told.append(f"{event.operation} {event.step} ends"))
    tenancy.on(StateChanged)(lambda event: told.append(f"{event.before} to {event.after}"))
    tenancy.on(TenantRegistered)(lambda event: told.append(f"{event.tenant.key} registered"))
    tenancy.on(TenantActivated)(lambda event: told.append(f"{event.tenant.key} activated"))

    site.make(tenancy, "acme")

    steps = [step.name for step in tenancy.progress("acme").steps]
    expected = ["acme registered", "requested to provisioning"]
    for step in steps:
        expected.append(f"provision {step} begins")
        if step == "activation":
            expected += ["provisioning to active", "acme activated"]
        expected.append(f"provision {step} ends")
    assert told == expected


def test_a_transaction_that_is_rolled_back_tells_nothing(site):
    tenancy, told = site.tenancy(), []
    site.make(tenancy, "acme")
    tenancy.on(StateChanged)(told.append)
    tenancy.on(TenantRegistered)(told.append)

    with Session(site.catalog) as session:
        tenancy.suspend(session, "acme", reason="test")
        tenancy.register(session, "other")
        session.rollback()
        tenancy.read_only(session, "acme", reason="test")
        session.commit()

    assert [(event.before, event.after) for event in told] == [(TenantState.ACTIVE, TenantState.READ_ONLY)]


def test_a_savepoint_that_is_rolled_back_tells_nothing(postgres_site):
    tenancy, told = postgres_site.tenancy(), []
    postgres_site.make(tenancy, "acme")
    tenancy.on(StateChanged)(lambda event: told.append(event.after))

    with Session(postgres_site.catalog) as session, session.begin():
        tenancy.read_only(session, "acme", reason="kept")
        savepoint = session.begin_nested()
        tenancy.suspend(session, "acme", reason="undone")
        savepoint.rollback()

    assert told == [TenantState.READ_ONLY]


@pytest.mark.parametrize("kind", [StepStarted, StepFinished])
def test_a_hook_that_fails_fails_its_step_and_is_called_again(site, kind):
    tenancy, calls, failures = site.tenancy(), [], []

    @tenancy.on(kind)
    def hook(event):
        calls.append(event.step)
        if event.step == "schema" and calls.count("schema") == 1:
            raise OSError("not yet")

    tenancy.on(StepFailed)(lambda event: failures.append((event.step, str(event.error))))
    site.register(tenancy, "acme")

    with pytest.raises(ProvisioningFailed, match="not yet") as caught:
        tenancy.provision("acme")
    state = tenancy.tenant("acme").state
    tenancy.provision("acme")

    assert (caught.value.step, state, failures) == ("schema", TenantState.PROVISIONING, [("schema", "not yet")])
    assert (calls.count("schema"), calls.count("database")) == (2, 1)


def test_a_listener_that_fails_after_the_fact_undoes_nothing_and_is_logged(site, caplog):
    tenancy, told = site.tenancy(), []

    @tenancy.on(TenantActivated)
    def failing(event):
        raise OSError("mail is down")

    tenancy.on(TenantActivated)(lambda event: told.append(event.tenant.key))

    assert site.make(tenancy, "acme").state is TenantState.ACTIVE
    assert told == ["acme"]
    assert "mail is down" in caplog.text


def test_progress_names_the_process_at_work_and_nobody_afterwards(site):
    tenancy, owners = site.tenancy(), []
    tenancy.on(StepStarted)(lambda event: owners.append(tenancy.progress("acme").owner))

    site.make(tenancy, "acme")

    assert len(set(owners)) == 1
    assert owners[0] is not None
    assert tenancy.progress("acme").owner is None


def test_every_event_is_in_the_table_of_the_guide(request):
    page = (request.config.rootpath / "docs/tenancy/how-to/events.md").read_text()
    kinds = [
        kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event) and kind is not events.Event
    ]

    assert len(kinds) > 25
    assert [kind.__name__ for kind in kinds if f"| `{kind.__name__}` |" not in page] == []
