from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sqlalchemy import text

from roomtone_tenancy import errors, spans
from roomtone_tenancy.tracing import OpenTelemetrySpans

SECOND = """
    from alembic import op

    revision, down_revision, branch_labels, depends_on = "r2", "r1", None, None

    def upgrade():
        op.execute("CREATE TABLE room (id int)")
"""


class Traces:
    """A provider that keeps what ended."""

    def __init__(self):
        self.exporter, self.provider = InMemorySpanExporter(), TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def all(self):
        return self.exporter.get_finished_spans()

    def names(self):
        return [span.name for span in self.all()]

    def named(self, name):
        return [span for span in self.all() if span.name == name]

    def parents(self):
        """The names of spans' parents, by their own."""
        by_id, found = {span.context.span_id: span.name for span in self.all()}, defaultdict(set)
        for span in self.all():
            found[span.name].add(by_id[span.parent.span_id] if span.parent else None)
        return found


@pytest.fixture
def traces():
    traces = Traces()
    yield traces
    traces.provider.shutdown()


def test_a_request_is_resolved_and_takes_a_connection(site, traces):
    site.make(site.tenancy(), "acme", domains=["acme.example"])
    tenancy = site.tenancy(spans=OpenTelemetrySpans(traces.provider))

    for _ in range(2):
        with tenancy.use(tenancy.resolve("acme.example")), tenancy.session() as session:
            session.execute(text("SELECT 1"))

    parents = traces.parents()
    assert (parents["tenancy.resolve"], parents["tenancy.connect"]) == ({None}, {"tenancy.checkout"})
    assert "tenancy.resolve" in parents["tenancy.catalog"]
    assert [len(traces.named(f"tenancy.{name}")) for name in ("resolve", "checkout", "connect")] == [2, 2, 1]
    assert dict(traces.named("tenancy.resolve")[0].attributes) == {"tenancy.by": "host", "tenancy.found": True}


def test_that_there_is_no_such_tenant_is_no_error(site, traces):
    tenancy = site.tenancy(spans=OpenTelemetrySpans(traces.provider))

    with pytest.raises(errors.UnknownHost):
        tenancy.resolve("nobody.example")

    (span,) = traces.named("tenancy.resolve")
    assert (span.status.status_code, span.attributes["tenancy.found"]) == (StatusCode.UNSET, False)


def test_provisioning_shows_its_steps_and_the_one_that_failed(site, traces):
    def seed(session, tenant):
        raise OSError("no seeds")

    tenancy = site.tenancy(seed=seed, spans=OpenTelemetrySpans(traces.provider))
    site.register(tenancy, "acme")

    with pytest.raises(errors.ProvisioningFailed):
        tenancy.provision("acme")

    steps = [step.name for step in tenancy.progress("acme").steps]
    parents, status = traces.parents(), {span.name: span.status.status_code for span in traces.all()}
    assert all(parents[f"tenancy.provision.{step}"] == {"tenancy.provision"} for step in steps[: steps.index("seed") + 1])
    assert status["tenancy.provision.schema"] is StatusCode.UNSET
    assert status["tenancy.provision.seed"] is status["tenancy.provision"] is StatusCode.ERROR


def test_verbs_of_a_tenants_life_are_spans(sqlite_site, traces, tmp_path):
    tenancy = sqlite_site.tenancy(spans=OpenTelemetrySpans(traces.provider))
    sqlite_site.make(tenancy, "acme")

    sqlite_site.change(tenancy.suspend, "acme", reason="test")
    tenancy.exports.create("acme", tmp_path / "acme.zip")
    tenancy.clones.clone("acme", "copy", scrub=())
    tenancy.delete("acme")

    names = set(traces.names())
    assert {
        f"tenancy.{verb}" for verb in ("change_state", "door", "export", "clone", "clone.activation", "delete", "delete.removal")
    } <= names


def test_a_runs_turns_and_tenants_are_spans_of_the_run(sqlite_site, traces):
    old = sqlite_site.tenancy()
    for key in ("acme", "globex"):
        sqlite_site.make(old, key)
    sqlite_site.add_revision("r2", SECOND)
    tenancy = sqlite_site.tenancy(spans=OpenTelemetrySpans(traces.provider, names_tenants=True))

    tenancy.fleet.run()

    parents = traces.parents()
    assert parents["tenancy.run.turn"] == parents["tenancy.run.migrate"] == {"tenancy.run"}
    assert {span.attributes["tenancy.tenant"] for span in traces.named("tenancy.run.migrate")} == {"acme", "globex"}


def test_what_is_called_for_each_tenant_is_a_part_of_what_called_it(sqlite_site, traces):
    tenancy = sqlite_site.tenancy(spans=OpenTelemetrySpans(traces.provider))
    for key in ("acme", "globex"):
        sqlite_site.make(tenancy, key)
    traces.exporter.clear()

    with traces.provider.get_tracer("host").start_as_current_span("report"):
        outcomes = list(tenancy.map(lambda session, _: session.scalar(text("SELECT 1"))))

    assert [outcome.value for outcome in outcomes] == [1, 1]
    assert (traces.parents()["tenancy.map.call"], traces.parents()["tenancy.checkout"]) == ({"report"}, {"tenancy.map.call"})


def test_no_tenant_is_named_unless_it_was_asked_for(site, traces):
    tenancy = site.tenancy(spans=OpenTelemetrySpans(traces.provider))
    site.make(tenancy, "unmistakable")
    with tenancy.use("unmistakable"), tenancy.session() as session:
        session.execute(text("SELECT 1"))

    assert traces.all()
    assert "unmistakable" not in str([(span.name, dict(span.attributes)) for span in traces.all()])


def test_who_does_not_trace_pays_nothing_on_the_warm_way(site):
    tenancy = site.tenancy()
    site.make(tenancy, "acme", domains=["acme.example"])
    called = set()

    def request():
        with tenancy.use(tenancy.resolve("acme.example")), tenancy.session() as session:
            session.scalar(text("SELECT 1"))

    request()
    sys.setprofile(lambda frame, kind, _: called.add(frame.f_code.co_filename) if kind == "call" else None)
    try:
        request()
    finally:
        sys.setprofile(None)

    ours = {Path(name).stem for name in called if "roomtone_tenancy" in name}
    assert {"tenancy", "registry", "pool", "engines"} <= ours
    assert not ours & {Path(spans.__file__).stem, "traced", "tracing", "comments"}
