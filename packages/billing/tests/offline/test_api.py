"""The API's manners: keys, parameters, idempotency, pages of lists, expansion, refusals."""

import pytest
import stripe

from roomtone_billing.offline import OfflineOnly, OfflineStripe


def test_products_and_prices_are_found_by_lookup_key(sandbox):
    price = sandbox.price(2900, lookup_key="solo_month")

    found = sandbox.v1.prices.list({"lookup_keys": ["solo_month", "other"], "expand": ["data.product"]})
    assert [each.id for each in found.data] == [price.id]
    assert found.data[0].product.name == "Solo"


def test_a_lookup_key_moves_only_when_asked(sandbox):
    old = sandbox.price(2900, lookup_key="solo_month")
    with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
        sandbox.price(3900, lookup_key="solo_month")
    new = sandbox.price(3900, lookup_key="solo_month", transfer_lookup_key=True)

    assert (new.lookup_key, sandbox.v1.prices.retrieve(old.id).lookup_key) == ("solo_month", None)


def test_metadata_is_merged_and_an_empty_value_removes_its_key(sandbox):
    customer = sandbox.v1.customers.create({"metadata": {"account": "a", "old": "x"}})
    changed = sandbox.v1.customers.update(customer.id, {"metadata": {"old": "", "new": "y"}})

    assert changed.metadata.to_dict() == {"account": "a", "new": "y"}


def test_an_unknown_parameter_is_refused_by_name(sandbox):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sandbox.v1.customers.create({"nickname": "x"})

    assert (refused.value.code, refused.value.param, refused.value.http_status) == ("parameter_unknown", "nickname", 400)


def test_an_unknown_nested_parameter_is_refused_by_name(sandbox):
    price = sandbox.price()
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sandbox.v1.subscriptions.create({"customer": sandbox.customer().id, "items": [{"price": price.id, "amount": 3}]})

    assert (refused.value.code, refused.value.param) == ("parameter_unknown", "items[0][amount]")


def test_a_missing_parameter_is_refused_by_name(sandbox):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sandbox.v1.prices.create({"unit_amount": 100})

    assert (refused.value.code, refused.value.param) == ("parameter_missing", "currency")


def test_a_wrong_enum_is_refused(sandbox):
    with pytest.raises(stripe.InvalidRequestError, match="must be one of"):
        sandbox.price(interval="fortnight")


def test_what_stripe_knows_and_this_does_not_is_a_501_that_names_it(sandbox):
    with pytest.raises(stripe.APIError) as path:
        sandbox.v1.payouts.list()
    with pytest.raises(stripe.APIError) as parameter:
        sandbox.v1.subscriptions.create({"customer": "cus_x", "items": [{"price": "price_x"}], "billing_thresholds": {"amount_gte": 100}})

    assert (path.value.http_status, "GET /v1/payouts" in path.value.user_message) == (501, True)
    assert (parameter.value.http_status, "billing_thresholds.amount_gte" in parameter.value.user_message) == (501, True)


def test_a_path_stripe_does_not_have_is_a_404(sandbox):
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        sandbox.client.raw_request("get", "/v1/unicorns")


def test_a_missing_object_is_stripes_resource_missing(sandbox):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sandbox.v1.subscriptions.retrieve("sub_none")

    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


@pytest.mark.parametrize(("key", "status"), [("sk_live_1", 403), ("pk_test_1", 401), ("nothing", 401)])
def test_only_test_keys_are_taken(sandbox, key, status):
    client = stripe.StripeClient(key, http_client=sandbox.offline.http_client())
    with pytest.raises(stripe.StripeError) as refused:
        client.v1.customers.list()

    assert refused.value.http_status == status


def test_only_this_machine_is_answered(sandbox):
    away = sandbox.browser.get("/offline", environ_overrides={"REMOTE_ADDR": "203.0.113.9"})
    rebound = sandbox.browser.get("/offline", headers={"Host": "attacker.example"})
    forged = sandbox.browser.post("/offline/console/advance", data={"seconds": "60"}, headers={"Sec-Fetch-Site": "cross-site"})

    assert [each.status_code for each in (away, rebound, forged)] == [403, 403, 403]


def test_an_idempotency_key_gives_the_same_answer_and_one_object(sandbox):
    options = {"idempotency_key": "k1"}
    first = sandbox.v1.customers.create({"email": "a@b.example"}, options)
    second = sandbox.v1.customers.create({"email": "a@b.example"}, options)

    assert first.id == second.id
    assert len(sandbox.v1.customers.list().data) == 1
    assert second.last_response.headers["idempotent-replayed"] == "true"


def test_an_idempotency_key_with_other_parameters_is_an_error(sandbox):
    sandbox.v1.customers.create({"email": "a@b.example"}, {"idempotency_key": "k1"})
    with pytest.raises(stripe.IdempotencyError):
        sandbox.v1.customers.create({"email": "c@d.example"}, {"idempotency_key": "k1"})

    assert len(sandbox.v1.customers.list().data) == 1


def test_a_refusal_is_replayed_too(sandbox):
    asks = {"customer": "cus_none", "return_url": "http://localhost/"}
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            sandbox.v1.billing_portal.sessions.create(asks, {"idempotency_key": "k2"})

    assert refused.value.headers["idempotency-key"] == "k2"
    assert refused.value.headers["idempotent-replayed"] == "true"


def test_an_idempotency_key_is_forgotten_after_a_day(sandbox):
    first = sandbox.v1.customers.create({}, {"idempotency_key": "k1"})
    sandbox.offline.advance(86400)
    second = sandbox.v1.customers.create({}, {"idempotency_key": "k1"})

    assert first.id != second.id


def test_a_list_is_walked_page_by_page_newest_first(sandbox):
    ids = [sandbox.v1.customers.create({}).id for _ in range(7)]

    walked = [each.id for each in sandbox.v1.customers.list({"limit": 3}).auto_paging_iter()]
    back = sandbox.v1.customers.list({"limit": 2, "ending_before": ids[0]})
    assert walked == ids[::-1]
    assert ([each.id for each in back.data], back.has_more) == ([ids[2], ids[1]], True)


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"starting_after": "cus_none"}])
def test_a_list_refuses_a_senseless_page(sandbox, query):
    with pytest.raises(stripe.InvalidRequestError):
        sandbox.v1.customers.list(query)


def test_what_cannot_be_expanded_is_said(sandbox):
    customer = sandbox.v1.customers.create({"email": "a@b.example"})
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        sandbox.v1.customers.retrieve(customer.id, {"expand": ["email"]})


def test_a_deleted_customer_is_retrieved_whatever_was_to_be_expanded(sandbox):
    customer = sandbox.v1.customers.create({"email": "a@b.example"})
    sandbox.v1.customers.delete(customer.id)
    found = sandbox.v1.customers.retrieve(customer.id, {"expand": ["invoice_settings.default_payment_method"]})

    assert (found.id, found.deleted) == (customer.id, True)


def test_a_refused_request_leaves_no_trace(sandbox):
    price = sandbox.price()
    before = sandbox.event_types()
    with pytest.raises(stripe.InvalidRequestError):
        sandbox.v1.subscriptions.create({"customer": "cus_none", "items": [{"price": price.id}]})

    assert sandbox.event_types() == before


def test_the_same_seed_and_calls_give_the_same_bytes(make_sandbox):
    def run():
        sandbox = make_sandbox()
        sandbox.subscribe(sandbox.price())
        sandbox.offline.advance(40 * 86400)
        # The SDK draws its idempotency keys at random, and events name them.
        return [{**each, "request": None} for each in sandbox.offline.world.store.all("event")]

    assert run() == run()


def test_a_live_card_number_is_never_taken(sandbox):
    with pytest.raises(stripe.CardError) as refused:
        sandbox.v1.payment_methods.create(
            {"type": "card", "card": {"number": "4000000000000010", "exp_month": 12, "exp_year": 2034, "cvc": "123"}}
        )

    assert refused.value.error.decline_code == "test_mode_live_card"


@pytest.mark.parametrize(
    ("alias", "decline"),
    [("pm_card_visa_chargeDeclined", "generic_decline"), ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds")],
)
def test_a_declining_card_cannot_be_saved(sandbox, alias, decline):
    customer = sandbox.v1.customers.create({})
    with pytest.raises(stripe.CardError) as refused:
        sandbox.v1.payment_methods.attach(alias, {"customer": customer.id})

    assert refused.value.error.decline_code == decline


@pytest.mark.parametrize("seconds", [-1, 10**12])
def test_time_goes_forward_and_not_too_far(seconds):
    offline = OfflineStripe()
    with pytest.raises(OfflineOnly):
        offline.advance(seconds)


def test_the_control_endpoints_move_time_and_decline_cards(sandbox):
    customer = sandbox.customer()
    moved = sandbox.browser.post("/offline/advance", json={"seconds": 3600})
    declined = sandbox.browser.post(f"/offline/customers/{customer.id}/decline", json={"decline": True})
    state = sandbox.browser.get("/offline/state").json

    assert (moved.status_code, declined.status_code) == (200, 200)
    assert state["now"] == "2026-01-31T13:00:00+00:00"
    assert (state["counts"]["customer"], state["is_stripe"]) == (1, False)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/offline/advance", {"seconds": "60"}, 400),
        ("/offline/advance", {"seconds": True}, 400),
        ("/offline/advance", [], 400),
        ("/offline/customers/cus_none/decline", {"decline": True}, 404),
        ("/offline/customers/cus_none/decline", {}, 400),
    ],
)
def test_the_control_endpoints_refuse_nonsense(sandbox, path, body, status):
    assert sandbox.browser.post(path, json=body).status_code == status


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"items": [{"quantity": 1}]}, "items[0][price]"),
        ({"items": []}, "items"),
        ({"quantity": -1}, "items[0][quantity]"),
        ({"trial_period_days": -1}, "trial_period_days"),
        ({"trial_period_days": 10**6}, "trial_period_days"),
        ({"customer": None}, "customer"),
    ],
)
def test_a_senseless_subscription_is_refused_by_name(sandbox, change, param):
    quantity = change.pop("quantity", 1)
    asked = {"customer": sandbox.customer().id, "items": [{"price": sandbox.price().id, "quantity": quantity}], **change}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sandbox.v1.subscriptions.create({name: value for name, value in asked.items() if value is not None})

    assert refused.value.param == param


def test_a_proration_date_outside_the_period_is_refused(sandbox):
    subscription = sandbox.subscribe(sandbox.price())
    item = {"id": subscription["items"].data[0].id, "quantity": 2}
    with pytest.raises(stripe.InvalidRequestError, match="within the current period"):
        sandbox.v1.subscriptions.update(subscription.id, {"items": [item], "proration_date": 1})

    assert sandbox.v1.subscriptions.retrieve(subscription.id)["items"].data[0].quantity == 1


def test_a_portal_needs_a_customer(sandbox):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        sandbox.v1.billing_portal.sessions.create({"return_url": "http://localhost/"})

    assert (refused.value.code, refused.value.param) == ("parameter_missing", "customer")
