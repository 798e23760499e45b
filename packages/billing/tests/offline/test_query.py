"""Stripe's search language, and what is no sentence of it."""

import pytest

from roomtone_billing.offline import InvalidRequest
from roomtone_billing.offline.query import compile_query

FIELDS = frozenset({"created", "email", "metadata", "name", "status"})
ANA = {"created": 100, "email": "Ana@Example.com", "metadata": {"tenant": "a b"}, "name": None, "status": "active"}


@pytest.mark.parametrize(
    "text",
    [
        "email:'ana@example.com'",
        'email~"example"',
        "metadata['tenant']:'a b'",
        'metadata["tenant"]:"a b" AND status:"active"',
        "status:'canceled' OR created>99",
        "created>=100 created<=100",
        "-status:'canceled'",
        "name:null",
        "-metadata['plan']:'x'",
    ],
)
def test_a_query_that_is_true_of_ana(text):
    assert compile_query(text, fields=FIELDS)(ANA)


@pytest.mark.parametrize("text", ["email:'bo@example.com'", "created<100", "metadata['tenant']:'a'", "status:'active' AND created>100"])
def test_a_query_that_is_not(text):
    assert not compile_query(text, fields=FIELDS)(ANA)


@pytest.mark.parametrize(
    "text", ["", "ana", "phone:'1'", "metadata:'x'", "email:", "status:'a' AND", "status:'a' AND name:'b' OR name:'c'"]
)
def test_no_query_at_all_is_refused(text):
    with pytest.raises(InvalidRequest):
        compile_query(text, fields=FIELDS)
