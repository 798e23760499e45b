"""The sandbox with which the acceptance suite is put to a real Stripe, tried on an offline one."""

import pytest

from roomtone_billing.offline import OfflineStripe

DAY = 86400


@pytest.fixture
def real(make_real_sandbox):
    made = make_real_sandbox(OfflineStripe(validate=True).client())
    yield made
    made.close()


def test_time_is_the_test_clocks(real):
    subscription = real.subscribe(real.price(2900))
    real.offline.advance(70 * DAY)

    assert [each.total for each in real.v1.invoices.list({"subscription": subscription.id}).data] == [2900] * 3
    assert real.offline.now.strftime("%d %b %Y") == "11 Apr 2026"


@pytest.mark.parametrize("ask", [lambda real: real.browser, lambda real: real.offline.decline("cus_x"), lambda real: real.event_types()])
def test_what_a_real_stripe_has_not_skips_with_a_reason(real, ask):
    with pytest.raises(pytest.skip.Exception, match="offline Stripe"):
        ask(real)


def test_what_a_real_stripe_cannot_be_set_to_skips_with_a_reason(make_real_sandbox):
    with pytest.raises(pytest.skip.Exception, match="after_retries"):
        make_real_sandbox(OfflineStripe().client(), after_retries="canceled")


def test_its_end_takes_the_customers_away(make_real_sandbox):
    offline = OfflineStripe()
    made = make_real_sandbox(offline.client())
    made.customer()
    made.close()

    assert offline.client().v1.customers.list().data == []


def test_a_live_key_ends_everything(choose_real_client):
    with pytest.raises(pytest.exit.Exception, match="must be a test key"):
        choose_real_client("sk_live_x")
