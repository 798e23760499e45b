from __future__ import annotations

import io
import logging
import threading

import pytest

from roomtone_tenancy.logs import TenantFilter, tenant_processor


@pytest.fixture
def tenancy(sqlite_site):
    tenancy = sqlite_site.tenancy()
    for key in "ab":
        sqlite_site.make(tenancy, key)
    return tenancy


@pytest.fixture
def written(tenancy):
    """A logger of any library's, and what its handler wrote."""
    stream, logger = io.StringIO(), logging.Logger("somebody")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(tenant)s %(message)s"))
    handler.addFilter(TenantFilter(tenancy))
    logger.addHandler(handler)
    return logger, stream


def test_every_line_names_the_tenant_in_scope_and_none_where_there_is_none(tenancy, written):
    logger, stream = written

    logger.warning("before")
    with tenancy.use("a"):
        logger.warning("inside")
        with tenancy.use("b", allow_switch=True):
            logger.warning("further inside")
        logger.warning("back")
    logger.warning("after")

    assert stream.getvalue().splitlines() == ["- before", "a inside", "b further inside", "a back", "- after"]


def test_a_line_of_another_thread_names_its_own_tenant(tenancy, written):
    logger, stream = written

    with tenancy.use("a"):
        targets = {"alone": logger.warning, "with it": tenancy.scope.bound(logger.warning)}
        for thread in [threading.Thread(target=target, args=[text]) for text, target in targets.items()]:
            thread.start()
            thread.join()

    assert stream.getvalue().splitlines() == ["- alone", "a with it"]


def test_a_record_that_names_a_tenant_keeps_it(tenancy, written):
    logger, stream = written

    with tenancy.use("a"):
        logger.warning("moved", extra={"tenant": "b"})

    assert stream.getvalue() == "b moved\n"


def test_a_processor_adds_the_tenant_unless_there_is_none_or_it_is_named(tenancy):
    process = tenant_processor(tenancy)

    with tenancy.use("a"):
        inside, named = process(None, "info", {"event": "x"}), process(None, "info", {"event": "x", "tenant": "b"})

    assert (inside, named) == ({"event": "x", "tenant": "a"}, {"event": "x", "tenant": "b"})
    assert process(None, "info", {"event": "x"}) == {"event": "x"}
