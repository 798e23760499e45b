"""Signing up: one transaction, once, and a studio at the end."""

import uuid

import pytest
from sqlalchemy import func, select

from roomtone_ai_credits import CREDIT
from roomtone_billing import Interval, Phase
from roomtone_tenancy import TenantState
from studio.errors import BadInput
from studio.platform import jobs
from studio.platform.models import OutboundMail, SignUp, User
from studio.platform.signup import Wish, sign_up


@pytest.fixture
def wish():
    slug = f"w{uuid.uuid4().hex[:10]}"
    return Wish(
        attempt=uuid.uuid4().hex, studio_name="Écho", slug=slug, person_name="Ada", email=f"{slug}@example.com",
        password="a quiet room with cables", plan="pro", interval=Interval.year, locale="fr",
    )  # fmt: skip


@pytest.fixture
def fields():
    slug = f"f{uuid.uuid4().hex[:10]}"
    return {
        "attempt": uuid.uuid4().hex, "studio_name": "Écho", "slug": slug, "person_name": "Ada", "email": f"{slug}@example.com",
        "password": "a quiet room with cables", "plan": "starter", "interval": "month",
    }  # fmt: skip


def test_the_form_leads_to_progress_and_then_into_the_studio(platform_client, app, services, fields) -> None:
    answer = platform_client.post("/signup", data=fields)
    progress = answer.headers["Location"]
    waiting = platform_client.get(progress, headers={"HX-Request": "true"})
    jobs.catch_up(app.platform, services)
    done = platform_client.get(progress, headers={"HX-Request": "true"})

    assert answer.status_code == 303
    assert "Creating the database" in waiting.text
    assert done.headers["HX-Redirect"] == f"/open/{fields['slug']}?first=1"
    entered = platform_client.get(done.headers["HX-Redirect"]).headers["Location"]
    assert entered.startswith(f"http://{fields['slug']}.localhost:8000/enter?token=")


def test_the_same_form_twice_is_one_sign_up(platform_client, services, fields) -> None:
    first = platform_client.post("/signup", data=fields)
    second = platform_client.post("/signup", data=fields)

    assert first.headers["Location"] == second.headers["Location"]
    with services.database.control() as db:
        assert db.scalar(select(func.count()).select_from(SignUp).where(SignUp.tenant_key == fields["slug"])) == 1


def test_a_refused_sign_up_leaves_nothing(services, studio, wish) -> None:
    taken = Wish(**{**vars(wish), "slug": studio.key})

    with pytest.raises(BadInput, match="taken"), services.database.control() as db:
        sign_up(db, services, taken)

    with services.database.control() as db:
        assert db.scalar(select(User).where(User.email == wish.email)) is None


def test_a_new_studio_is_on_trial_with_the_credits_of_its_plan(app, services, wish) -> None:
    with app.platform.app_context(), services.database.control() as db:
        sign_up(db, services, wish)
    jobs.catch_up(app.platform, services)

    access = services.billing.account(wish.slug).access()
    assert (access.phase, access.plan_key, access.interval) == (Phase.trialing, "pro", Interval.year)
    assert services.credits.balance(wish.slug).available == 500 * CREDIT
    assert services.database.tenancy.tenant(wish.slug).state is TenantState.ACTIVE


def test_the_owner_is_told_once_when_the_studio_is_ready(app, services, wish) -> None:
    with app.platform.app_context(), services.database.control() as db:
        sign_up(db, services, wish)
    jobs.catch_up(app.platform, services)
    jobs.catch_up(app.platform, services)

    with services.database.control() as db:
        mails = db.scalars(select(OutboundMail).where(OutboundMail.recipient == wish.email)).all()
    assert len(mails) == 1
    assert f"http://{wish.slug}.localhost:8000" in mails[0].text
    assert mails[0].sent_at is not None


def test_a_known_address_needs_its_own_password(services, studio, wish) -> None:
    stranger = Wish(**{**vars(wish), "email": studio.owner_email, "password": "another password"})

    with pytest.raises(BadInput, match="another password"), services.database.control() as db:
        sign_up(db, services, stranger)


def test_a_known_person_adds_a_second_studio(app, services, studio, wish, platform_client) -> None:
    second = Wish(**{**vars(wish), "email": studio.owner_email, "password": studio.password})
    with app.platform.app_context(), services.database.control() as db:
        sign_up(db, services, second)

    platform_client.post("/sign-in", data={"email": studio.owner_email, "password": studio.password})
    page = platform_client.get("/studios").text

    assert studio.key in page
    assert wish.slug in page


@pytest.mark.parametrize(
    ("slug", "said"),
    [("ab", "at least 3"), ("Not A Slug", "lower-case"), ("backoffice", "kept for ourselves"), ("www", "kept for ourselves")],
)
def test_the_live_check_says_what_is_wrong(platform_client, slug: str, said: str) -> None:
    assert said in platform_client.get("/signup/slug", query_string={"slug": slug.lower() if slug == "ab" else slug}).text


def test_the_live_check_knows_free_from_taken(platform_client, studio, wish) -> None:
    assert "is free" in platform_client.get("/signup/slug", query_string={"slug": wish.slug}).text
    assert "taken" in platform_client.get("/signup/slug", query_string={"slug": studio.key}).text


def test_another_person_cannot_see_the_progress(platform_client, app, studio, new_studio) -> None:
    other = new_studio()
    platform_client.post("/sign-in", data={"email": other.owner_email, "password": other.password})

    assert platform_client.get(f"/provisioning/{studio.sign_up_id}").status_code == 404
    assert platform_client.get(f"/open/{studio.key}").status_code == 404
