from __future__ import annotations

import pytest
from sqlalchemy import select

from roomtone_tenancy import errors

Flask = pytest.importorskip("flask", reason="the extra 'flask' is not installed").Flask
from roomtone_tenancy.flask import FlaskTenancy  # noqa: E402  # needs it


@pytest.fixture
def site(sqlite_site):
    """The adapter stands before any database."""
    return sqlite_site


@pytest.fixture
def tenancy(site):
    tenancy = site.tenancy()
    for key in ("a", "b"):
        site.make(tenancy, key, domains=[f"{key}.test"])
    return tenancy


@pytest.fixture
def app(site, tenancy):
    app = Flask(__name__)
    FlaskTenancy(app, tenancy, central_hosts=["platform.test"], exempt=["health"])

    @app.get("/")
    def who():
        return tenancy.current.key

    @app.get("/central")
    def central():
        try:
            return tenancy.current.key
        except errors.NoTenant:
            return "nobody"

    @app.get("/health")
    def health():
        return central()

    @app.get("/fail")
    def fail():
        raise KeyError(tenancy.current.key)

    @app.post("/artists")
    def add():
        with tenancy.session() as session:
            session.add(site.Artist(name="new"))
            session.commit()
            return str(len(session.scalars(select(site.Artist)).all()))

    return app


def get(app, path, host):
    return app.test_client().get(path, base_url=f"http://{host}")


def test_the_host_chooses_the_tenant(app):
    assert [get(app, "/", host).text for host in ("a.test", "B.TEST:8080", "a.test")] == ["a", "b", "a"]


def test_a_central_host_has_no_tenant(app):
    assert get(app, "/central", "platform.test:5000").text == "nobody"


@pytest.mark.parametrize("host", ["nobody.test", "test", "a.test.evil.test", "10.0.0.1"])
def test_a_host_of_nobody_is_not_found(app, host):
    assert get(app, "/", host).status_code == 404


def test_an_exempt_endpoint_answers_on_any_host(app):
    assert get(app, "/health", "10.0.0.1").text == "nobody"


def test_a_forwarded_host_is_ignored_unless_the_app_trusts_its_proxy(app):
    response = app.test_client().get("/", base_url="http://a.test", headers={"X-Forwarded-Host": "b.test"})

    assert response.text == "a"


def test_after_a_request_that_failed_no_tenant_is_left(app, tenancy):
    before = get(app, "/fail", "a.test").status_code

    assert before == 500
    with pytest.raises(errors.NoTenant):
        _ = tenancy.current
    assert get(app, "/", "b.test").text == "b"


def test_a_host_may_answer_unknown_hosts_itself(tenancy):
    app = Flask(__name__)
    FlaskTenancy(app, tenancy, central_hosts=[], on_unknown=lambda host: (f"no {host}", 410))

    response = get(app, "/", "nobody.test")

    assert (response.status_code, response.text) == (410, "no nobody.test")


def test_states_have_answers_of_their_own(site, app, tenancy):
    site.register(tenancy, "new", domains=["new.test"])
    site.change(tenancy.suspend, "a", reason="unpaid")
    site.change(tenancy.read_only, "b", reason="unpaid")

    answers = [app.test_client().post("/artists", base_url=f"http://{key}.test") for key in ("new", "a", "b")]

    assert [answer.status_code for answer in answers] == [503, 403, 403]
    assert answers[0].headers["Retry-After"] == "5"


def test_a_streamed_body_outlives_the_scope_and_fails_closed(app, tenancy):
    @app.get("/stream")
    def stream():
        return (tenancy.current.key for _ in range(1))

    with pytest.raises(errors.NoTenant):
        _ = get(app, "/stream", "a.test").data
