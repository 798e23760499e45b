"""What Flask, WSGI and ASGI have in common: one class of tests, three adapters."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass, field

import pytest
from sqlalchemy import event, text

from roomtone_tenancy import asgi, errors, wsgi
from roomtone_tenancy.refusal import Page
from roomtone_tenancy.resolvers import Chain, CustomDomain, ForwardedHeaders, Header, Path, SessionValue, Subdomain

PROXY, STRANGER = "10.1.2.3", "203.0.113.9"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Host:
    """An application with a few routes behind one adapter, and a way to send it a request."""

    tenancy: object
    resolve: list = field(default_factory=lambda: [CustomDomain()])
    session: dict = field(default_factory=dict)
    on_refusal: object = None
    closed: list = field(default_factory=list)
    options: dict = field(default_factory=dict)

    def who(self):
        try:
            return self.tenancy.current.key
        except errors.NoTenant:
            return "nobody"

    def chunks(self):
        try:
            for _ in range(3):
                yield self.who().encode()
        finally:
            self.closed.append(self.who())

    def chain(self):
        return Chain(self.tenancy, self.resolve, central_hosts=["platform.test"], **self.options)


class WsgiHost(Host):
    name = "wsgi"

    def app(self):
        def application(environ, start_response):
            path = environ["PATH_INFO"]
            if path == "/fail":
                raise KeyError(self.who())
            if path == "/late":
                raise errors.TenantReadOnly(self.who())
            start_response("200 OK", [("Content-Type", "text/plain")])
            if path == "/stream":
                return self.chunks()
            return [f"{self.who()} {environ.get('SCRIPT_NAME', '')}{path}".encode()]

        answer = (lambda refusal, _: self.on_refusal(refusal)) if self.on_refusal else None
        session = lambda _: self.session  # noqa: E731 -- as short as it gets
        return wsgi.TenancyMiddleware(
            application, self.tenancy, self.chain(), exempt=["/health"], on_refusal=answer, session=session,
            stays_open=lambda _, path: path == "/pay",
        )  # fmt: skip

    def open(self, path, host, *, method="GET", headers=(), peer=STRANGER):
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": "", "SERVER_NAME": "x", "SERVER_PORT": "80",
                   "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "http",
                   "REMOTE_ADDR": peer}  # fmt: skip
        if host is not None:
            environ["HTTP_HOST"] = host
        environ |= {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers}
        started = []
        chunks = self.app()(environ, lambda status, headers, exc_info=None: started.append((int(status[:3]), dict(headers))))
        return started, chunks

    def get(self, path, host, **options):
        started, chunks = self.open(path, host, **options)
        try:
            body = b"".join(chunks)
        finally:
            getattr(chunks, "close", lambda: None)()
        return Reply(*started[-1], body)

    def hang_up(self, path, host):
        _, chunks = self.open(path, host)
        first = next(iter(chunks))
        chunks.close()
        return first.decode()


class FlaskHost(WsgiHost):
    name = "flask"

    def app(self):
        flask = pytest.importorskip("flask", reason="the extra 'flask' is not installed")
        from roomtone_tenancy.flask import FlaskTenancy

        app = flask.Flask("host")
        app.secret_key = "k" * 32
        app.config["PROPAGATE_EXCEPTIONS"] = True
        adapter = FlaskTenancy(
            app, self.tenancy, resolve=self.resolve, central_hosts=["platform.test"], exempt=["health"], on_refusal=self._answer,
            stays_open=lambda _, endpoint: endpoint == "pay", **self.options,
        )  # fmt: skip
        adapter.chain.resolvers = tuple(Session(self.session) if isinstance(each, SessionValue) else each for each in self.resolve)

        def fail():
            raise KeyError(self.who())

        def late():
            raise errors.TenantReadOnly(self.who())

        app.add_url_rule("/stream", "stream", self.chunks)
        app.add_url_rule("/fail", "fail", fail)
        app.add_url_rule("/late", "late", late)
        app.add_url_rule("/health", "health", lambda: f"{self.who()} /health")
        app.add_url_rule("/pay", "pay", lambda: f"{self.who()} /pay")
        app.add_url_rule("/", "root", lambda: f"{self.who()} {flask.request.script_root}/", methods=["GET", "POST"])
        return app

    def _answer(self, refusal):
        if self.on_refusal is None:
            return None
        page = self.on_refusal(refusal)
        return (page.body, page.status, dict(page.headers)) if page else None


class Session(SessionValue):
    """The session's value without a cookie: how a cookie is made is Flask's own affair."""

    def __init__(self, values):
        super().__init__("tenant")
        self.values = values

    def resolve(self, facts):
        assert facts.session() is not None
        return super().resolve(type(facts)(host=facts.host, session=lambda: self.values))


class AsgiHost(Host):
    name = "asgi"

    def app(self):
        async def application(scope, receive, send):
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            if path == "/fail":
                raise KeyError(self.who())
            if path == "/late":
                raise errors.TenantReadOnly(self.who())
            await send({"type": "http.response.start", "status": 200, "headers": []})
            if path == "/stream":
                for chunk in (chunks := self.chunks()):
                    try:
                        await asyncio.sleep(0)
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    except OSError:
                        chunks.close()
                        raise
                await send({"type": "http.response.body", "body": b""})
            else:
                body = f"{self.who()} {scope.get('root_path', '')}{path}".encode()
                await send({"type": "http.response.body", "body": body})

        answer = (lambda refusal, _: self.on_refusal(refusal)) if self.on_refusal else None
        session = lambda _: self.session  # noqa: E731 -- as short as it gets
        return asgi.TenancyMiddleware(
            application, self.tenancy, self.chain(), exempt=["/health"], on_refusal=answer, session=session,
            stays_open=lambda _, path: path == "/pay",
        )  # fmt: skip

    def run(self, path, host, send, *, method="GET", headers=(), peer=STRANGER):
        pairs = [(b"host", host.encode())] if host is not None else []
        pairs += [(name.lower().encode(), value.encode()) for name, value in headers]
        scope = {"type": "http", "method": method, "path": path, "headers": pairs, "client": (peer, 1), "root_path": ""}

        async def call():
            await self.app()(scope, None, send)
            assert self.who() == "nobody"

        asyncio.run(call())

    def get(self, path, host, **options):
        sent = []

        async def send(message):
            sent.append(message)

        self.run(path, host, send, **options)
        headers = {name.decode().title(): value.decode() for name, value in sent[0]["headers"]}
        return Reply(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))

    def hang_up(self, path, host):
        got = []

        async def send(message):
            if "body" in message:
                got.append(message["body"])
                raise OSError("the client is gone")

        with pytest.raises(OSError, match="gone"):
            self.run(path, host, send)
        return got[0].decode()


@pytest.fixture(params=[FlaskHost, WsgiHost, AsgiHost], ids=lambda adapter: adapter.name)
def host(request, sqlite_site):
    """The adapters stand before any database: one kind is enough."""
    tenancy = sqlite_site.tenancy()
    for key in ("a", "b"):
        sqlite_site.register(tenancy, key, domains=[f"{key}.test"])
    with sqlite_site.catalog.begin() as catalog:  # as good as provisioned: no adapter opens a tenant's database
        catalog.execute(text("UPDATE tenancy_tenants SET state = 'active'"))
    return request.param(tenancy)


@pytest.fixture
def queries(sqlite_site, host):
    """Statements that reach the catalog."""
    seen = []
    for engine in sqlite_site.engines:
        event.listen(engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]) if "SELECT" in arguments[2] else None)
    return seen


class TestAdapters:
    def test_the_host_chooses_the_tenant_in_every_spelling(self, host):
        answers = [host.get("/", name).text for name in ("a.test", "B.TEST:8080", "a.test.", "A.Test.:443")]

        assert answers == ["a /", "b /", "a /", "a /"]

    @pytest.mark.parametrize("name", ["nobody.test", "test", "a.test.evil.test", "10.0.0.1", "[::1]", "xn--bcher-kva.test"])
    def test_a_host_of_nobody_is_not_found(self, host, name):
        assert host.get("/", name).status == 404

    @pytest.mark.parametrize(
        "name", [None, "", ":80", "a.test, b.test", "a.test,a.test", "a b", "u@a.test", "http://a.test", "a.test/x", "a\0.test", "a" * 300]
    )
    def test_what_is_no_host_is_a_bad_request(self, host, name, queries):
        answer = host.get("/", name)

        assert answer.status == 400
        assert queries == []

    def test_two_host_headers_are_a_bad_request(self, host):
        if host.name != "asgi":
            pytest.skip("WSGI has one value for each header; servers join two with a comma, which is tested above")

        assert host.get("/", "a.test", headers=[("Host", "b.test")]).status == 400

    def test_an_absolute_uri_is_a_bad_request(self, host):
        if host.name == "flask":
            pytest.skip("Flask's router refuses it first")

        assert host.get("http://b.test/", "a.test").status == 400

    def test_a_host_of_nobody_costs_one_query_at_most_once(self, host, queries):
        statuses = [host.get("/", "nobody.test").status for _ in range(20)]

        assert set(statuses) == {404}
        assert len(queries) <= 1

    def test_a_new_tenant_of_a_host_known_as_nobodys_is_seen_at_once(self, host, sqlite_site):
        before = host.get("/", "new.test").status
        sqlite_site.make(host.tenancy, "new", domains=["new.test"])

        assert before == 404
        assert host.get("/", "new.test").text == "new /"

    def test_a_forwarded_host_counts_from_our_proxy_alone(self, host):
        host.options["forwarded"] = forwarded = ForwardedHeaders(trusted=["10.0.0.0/8"])
        headers = [("X-Forwarded-Host", "b.test")]

        answers = [host.get("/", "a.test", headers=headers, peer=peer).text for peer in (PROXY, STRANGER, "garbage", "")]

        assert answers == ["b /", "a /", "a /", "a /"]
        assert forwarded.ignored == 3

    def test_a_forwarded_host_counts_from_nobody_by_default(self, host):
        assert host.get("/", "a.test", headers=[("X-Forwarded-Host", "b.test")], peer="127.0.0.1").text == "a /"

    def test_a_tenant_header_counts_from_our_proxy_alone(self, host):
        host.resolve = [Header("X-Tenant", trusted=["10.0.0.0/8"]), CustomDomain()]
        asked = [("platform.test", PROXY), ("platform.test", STRANGER), ("a.test", STRANGER)]

        answers = [host.get("/", name, headers=[("X-Tenant", "b")], peer=peer).text for name, peer in asked]

        assert answers == ["b /", "nobody /", "a /"]
        assert host.resolve[0].ignored == 2

    def test_a_host_and_a_header_that_disagree_are_refused(self, host):
        host.resolve = [CustomDomain(), Header("X-Tenant", trusted=["10.0.0.0/8"])]
        for key, status in (("b", 400), ("nobody", 400), ("a", 200), ("../a", 400), ("a\0", 400)):
            assert host.get("/", "a.test", headers=[("X-Tenant", key)], peer=PROXY).status == status

    def test_the_first_wins_when_the_host_application_says_so(self, host):
        host.resolve = [CustomDomain(), Header("X-Tenant", trusted=["10.0.0.0/8"])]
        host.options["on_conflict"] = "first_wins"

        assert host.get("/", "a.test", headers=[("X-Tenant", "b")], peer=PROXY).text == "a /"

    def test_a_session_that_names_another_tenant_is_refused(self, host):
        host.resolve = [CustomDomain(), SessionValue("tenant")]
        host.session["tenant"] = "a"

        assert [host.get("/", name).status for name in ("a.test", "b.test")] == [200, 400]

    def test_a_path_names_the_tenant_and_becomes_the_root(self, host):
        host.resolve = [Path("/t")]

        answers = [host.get(path, "platform.test") for path in ("/t/a/", "/t/b/", "/t/nobody/", "/t/A/", "/")]

        assert [answer.text for answer in answers[:2]] == ["a /t/a/", "b /t/b/"]
        assert [answer.status for answer in answers[2:]] == [404, 404, 200]

    def test_the_platforms_own_host_is_nobodys_even_if_the_catalog_gives_it_away(self, host, sqlite_site):
        sqlite_site.change(host.tenancy.add_domain, "a", "platform.test")

        assert host.get("/", "platform.test:5000").text == "nobody /"

    def test_each_state_has_an_answer_of_its_own(self, host, sqlite_site):
        tenancy, change = host.tenancy, sqlite_site.change
        sqlite_site.register(tenancy, "new", domains=["new.test"])
        change(tenancy.suspend, "a", reason="unpaid")
        change(tenancy.read_only, "b", reason="unpaid")
        asked = [("GET", "new.test"), ("GET", "a.test"), ("POST", "b.test"), ("GET", "b.test")]

        answers = [host.get("/", name, method=method) for method, name in asked]

        assert [answer.status for answer in answers] == [503, 403, 403, 200]
        assert [answer.headers.get("Retry-After") for answer in answers] == ["5", None, None, None]
        assert all(answer.headers["Cache-Control"] == "no-store" for answer in answers[:3])
        assert b"<h1>Service Unavailable</h1>" in answers[0].body

    def test_an_archived_tenant_is_gone_and_a_deleted_one_unknown(self, host, sqlite_site):
        with sqlite_site.catalog.begin() as catalog:
            catalog.execute(text("UPDATE tenancy_tenants SET state = 'archived' WHERE key = 'a'"))
            catalog.execute(text("UPDATE tenancy_tenants SET state = 'deleted' WHERE key = 'b'"))
        host.tenancy = sqlite_site.tenancy()

        assert [host.get("/", name).status for name in ("a.test", "b.test")] == [410, 404]

    def test_a_program_gets_problem_details_that_do_not_name_the_tenant(self, host, sqlite_site):
        sqlite_site.change(host.tenancy.suspend, "a", reason="unpaid")

        answer = host.get("/", "a.test", headers=[("Accept", "application/json")])

        assert answer.headers["Content-Type"] == "application/problem+json"
        assert json.loads(answer.body) == {
            "type": "about:blank", "title": "Forbidden", "status": 403,
            "detail": "This site is suspended at the moment.", "reason": "suspended",
        }  # fmt: skip

    def test_a_route_may_stay_open_for_a_suspended_tenant(self, host, sqlite_site):
        sqlite_site.change(host.tenancy.suspend, "a", reason="unpaid")

        assert host.get("/pay", "a.test").text == "a /pay"

    def test_the_host_application_may_answer_itself(self, host):
        host.on_refusal = lambda refusal: Page(status=418, headers={}, body=f"{refusal.reason} {refusal.host}".encode())

        answer = host.get("/", "nobody.test")

        assert (answer.status, answer.text) == (418, "unknown nobody.test")

    def test_central_and_health_routes_need_neither_a_tenant_nor_a_database(self, host, queries):
        answers = [host.get("/", "platform.test").text, host.get("/health", "10.0.0.1").text, host.get("/health", "a.test").text]

        assert answers == ["nobody /", "nobody /health", "nobody /health"]
        assert queries == []

    def test_a_catalog_that_does_not_answer_is_503_and_health_still_works(self, host, monkeypatch):
        def away(host):
            raise errors.CatalogUnavailable(host)

        monkeypatch.setattr(host.tenancy, "resolve", away)

        answer = host.get("/", "a.test")

        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert host.get("/", "platform.test").text == "nobody /"
        assert host.get("/health", "a.test").text == "nobody /health"

    def test_a_streamed_body_keeps_its_tenant_to_its_end(self, host):
        assert host.get("/stream", "a.test").text == "aaa"
        assert host.closed == ["a"]
        assert host.who() == "nobody"

    def test_a_client_that_goes_away_leaves_nothing_behind(self, host):
        assert host.hang_up("/stream", "a.test") == "a"
        assert host.closed == ["a"]
        assert host.who() == "nobody"
        assert host.get("/", "b.test").text == "b /"

    def test_a_body_that_nobody_ends_leaves_nothing_behind(self, host):
        if host.name == "asgi":
            pytest.skip("an ASGI application always returns or raises")

        _, chunks = host.open("/stream", "a.test")
        next(iter(chunks))
        with host.tenancy.use("b"):
            del chunks

            assert host.who() == "b"

    def test_a_request_that_fails_leaves_nothing_behind(self, host):
        with pytest.raises(KeyError, match="a"):
            host.get("/fail", "a.test")

        assert host.who() == "nobody"
        assert host.get("/", "b.test").text == "b /"

    def test_a_state_that_changes_in_a_request_is_answered_like_one_before_it(self, host):
        assert host.get("/late", "a.test").status == 403

    def test_a_subdomain_is_one_label_below_ours(self, host):
        host.resolve = [Subdomain("app.test", "app.example")]
        names = ["a.app.test", "B.app.example", "app.test", "www.app.test", "x.a.app.test", "aapp.test", "nobody.app.test", "10.0.0.1"]

        assert [host.get("/", name).status for name in names] == [200, 200, 404, 404, 404, 404, 404, 404]
