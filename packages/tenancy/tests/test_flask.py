from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from roomtone_tenancy import errors
from roomtone_tenancy.ask import CertificateAsk
from roomtone_tenancy.resolvers import Claim, SessionValue

flask = pytest.importorskip("flask", reason="the extra 'flask' is not installed")
from roomtone_tenancy.flask import FlaskTenancy, central_only, certificate_pages, no_tenant, tenant_only  # noqa: E402  # needs it

Flask, session = flask.Flask, flask.session


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


def test_outside_wsgi_the_scope_ends_with_the_request(app, tenancy):
    with app.test_request_context("/", base_url="http://a.test"):
        app.preprocess_request()

        assert tenancy.current.key == "a"
    with pytest.raises(errors.NoTenant):
        _ = tenancy.current


@pytest.fixture
def marked(tenancy):
    app = Flask(__name__)
    FlaskTenancy(app, tenancy, central_hosts=["platform.test"])
    app.add_url_rule("/central", "central", central_only(lambda: "central"))
    app.add_url_rule("/tenant", "tenant", tenant_only(lambda: tenancy.current.key))
    app.add_url_rule("/none", "none", no_tenant(lambda: "none"))
    return app


def test_marked_routes_exist_where_they_belong(marked):
    hosts = ("platform.test", "a.test", "nobody.test")

    statuses = {path: [get(marked, path, host).status_code for host in hosts] for path in ("/central", "/tenant", "/none")}

    assert statuses == {"/central": [200, 404, 404], "/tenant": [404, 200, 404], "/none": [200, 200, 200]}


@pytest.fixture
def visited(tenancy):
    """Counts a visitor's requests in the cookie session."""
    app = Flask(__name__)
    app.secret_key = "k" * 32
    FlaskTenancy(app, tenancy, central_hosts=["platform.test"], bind_sessions=True)

    @app.get("/")
    def count():
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])

    return app


def cookie_of(response):
    return response.headers["Set-Cookie"].partition(";")[0]


@pytest.mark.parametrize(("made_at", "shown_at"), [("a.test", "b.test"), ("platform.test", "a.test"), ("a.test", "platform.test")])
def test_a_session_carried_to_another_tenant_is_none_there(visited, made_at, shown_at):
    cookie = cookie_of(get(visited, "/", made_at))

    answers = [
        visited.test_client(use_cookies=False).get("/", base_url=f"http://{host}", headers={"Cookie": cookie}).text
        for host in (made_at, shown_at)
    ]

    assert answers == ["2", "1"]


def test_a_session_is_refused_with_a_shared_parent_domain_too(site, visited, tenancy):
    visited.config["SESSION_COOKIE_DOMAIN"] = "app.test"
    for key in ("a", "b"):
        site.change(tenancy.add_domain, key, f"{key}.app.test")
    client = visited.test_client()

    answers = [client.get("/", base_url=f"http://{host}").text for host in ("a.app.test", "a.app.test", "b.app.test", "a.app.test")]

    assert answers == ["1", "2", "1", "1"]


def test_a_session_ends_with_its_tenant_also_when_the_host_has_a_new_one(site, visited, tenancy):
    cookie = cookie_of(get(visited, "/", "a.test"))
    tenancy.delete("a")
    site.make(tenancy, "a", domains=["a.test"])

    assert visited.test_client(use_cookies=False).get("/", base_url="http://a.test", headers={"Cookie": cookie}).text == "1"


def test_a_session_that_names_the_tenant_cannot_be_bound_to_it(tenancy):
    with pytest.raises(ValueError, match="bind_sessions"):
        FlaskTenancy(Flask(__name__), tenancy, resolve=[SessionValue("tenant")], bind_sessions=True)


def test_resolvers_read_flasks_session_and_verified_claims(tenancy):
    app = Flask(__name__)
    app.secret_key = "k" * 32
    adapter = FlaskTenancy(
        app, tenancy, resolve=[SessionValue("tenant"), Claim("org")], central_hosts=["platform.test"],
        claims=lambda request: {"org": request.headers["Authorization"]} if "Authorization" in request.headers else {},
    )  # fmt: skip
    app.add_url_rule("/", "who", lambda: f"{tenancy.current.key}\n{adapter.explain()}")
    client = app.test_client()
    with client.session_transaction(base_url="http://platform.test") as values:
        values["tenant"] = "a"

    answers = [client.get("/", base_url="http://platform.test", headers=headers) for headers in ({}, {"Authorization": "b"})]

    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[0].text.splitlines()[-3:] == ["session tenant: 'a' -> a", "claim org: nothing -> nobody", "so: a"]


def test_trouble_of_another_tenant_than_the_requests_stays_an_error(app, tenancy):
    @app.get("/other")
    def other():
        raise errors.TenantReadOnly("b")

    assert get(app, "/other", "b.test").status_code == 403
    assert get(app, "/other", "a.test").status_code == 500


def test_a_tls_server_asks_on_any_host_and_only_from_this_machine(app, tenancy):
    app.register_blueprint(certificate_pages(CertificateAsk(tenancy)))
    asked = [("a.test", "127.0.0.1"), ("nobody.test", "127.0.0.1"), ("a.test", "203.0.113.9")]

    answers = [
        app.test_client().get(f"/tls/ask?domain={host}", base_url="http://10.0.0.1", environ_base={"REMOTE_ADDR": peer})
        for host, peer in asked
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 404]


def test_what_is_mounted_works_as_it_does_alone(site, app, tenancy):
    run = app.test_cli_runner().invoke
    made = run(args=["tenancy", "create", "new", "--domain", "new.test", "--json"])
    changed = [run(args=["tenancy", verb, "new", "--json"]) for verb in ("read-only", "suspend", "resume")]
    refused, deleted = run(args=["tenancy", "delete", "new"], input="old\n"), run(args=["tenancy", "delete", "new", "--yes", "--json"])

    assert json.loads(made.output)["domains"] == ["new.test"]
    assert [json.loads(result.output)["state"] for result in changed] == ["read_only", "suspended", "active"]
    assert (refused.exit_code, json.loads(deleted.output)[0]["is_deleted"]) == (1, True)
    assert tenancy.tenant("a").key == "a"  # what the application works with is still open


def test_flasks_help_has_the_same_sections(app):
    mounted = app.test_cli_runner().invoke(args=["tenancy", "--help"]).output

    titles = ("Begin:", "Tenants:", "Their data:", "The fleet:")
    assert tuple(line for line in mounted.splitlines() if line in titles) == titles
    assert "shell" in mounted


def test_flasks_own_command_line_has_the_commands(app):
    result = app.test_cli_runner().invoke(args=["tenancy", "list"])

    assert [line.split()[0] for line in result.output.splitlines()] == ["a", "b"]
