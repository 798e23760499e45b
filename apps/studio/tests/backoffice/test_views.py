"""The back-office: what our staff sees and does, and who is kept out."""

from sqlalchemy import select

from studio.platform.models import AuditEvent


def test_strangers_and_owners_are_kept_out(app, studio, staff_client) -> None:
    visitor = app.backoffice.test_client()
    visitor.host = staff_client.host

    assert visitor.get("/").status_code == 302
    visitor.post("/sign-in", data={"email": studio.owner_email, "password": studio.password})
    assert visitor.get("/").status_code == 302


def test_studios_are_listed_with_plan_database_and_schema(staff_client, studio, services) -> None:
    page = staff_client.get("/").text

    tenant = services.database.tenancy.tenant(studio.key)
    for fact in (studio.key, studio.owner_email, tenant.database, tenant.revision, "starter"):
        assert fact in page


def test_suspending_closes_the_studio_and_resuming_opens_it(staff_client, studio, client_of, services) -> None:
    owner = client_of(studio)

    answer = staff_client.post(f"/studios/{studio.key}/suspension", data={"reason": "asked by the owner"})
    assert answer.status_code == 303
    assert owner.get("/app").status_code == 503
    assert owner.get("/app/plan").status_code == 200

    staff_client.post(f"/studios/{studio.key}/resumption", data={"reason": "asked by the owner"})
    assert owner.get("/app").status_code == 200
    with services.database.control() as db:
        deeds = db.scalars(select(AuditEvent.action).where(AuditEvent.target == studio.key).order_by(AuditEvent.id)).all()
    assert deeds[-2:] == ["studio.suspended", "studio.resumed"]


def test_a_deed_without_a_reason_is_refused_and_leaves_no_trace(staff_client, studio, services) -> None:
    answer = staff_client.post(f"/studios/{studio.key}/suspension", data={"reason": " "})

    assert answer.status_code == 409
    with services.database.control() as db:
        assert db.scalars(select(AuditEvent).where(AuditEvent.target == studio.key)).all() == []


def test_an_unknown_studio_is_not_found(staff_client) -> None:
    assert staff_client.get("/studios/no-such-studio").status_code == 404
