"""The same seed and the same calls give the same bytes: everything kept, everything sent, and every page."""

import json

import pytest

from roomtone_billing.offline import Chaos
from roomtone_billing.offline.api import Request

DAY = 86400
CARD = {"email": "ana@example.com", "name": "Ana", "expiry": "12/34", "cvc": "123"}


class Life:
    """A broad scenario over plain requests, which name their own idempotency keys as the SDK does not."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.answers = []

    def ask(self, method, path, body="", account=None):
        headers = {"authorization": "Bearer sk_test_x", "idempotency-key": f"key-{len(self.answers)}"}
        headers |= {"stripe-account": account} if account else {}
        query, form = (body, b"") if method == "get" else ("", body.encode())
        answer = self.sandbox.offline.respond(Request(method=method, path=f"/v1/{path}", query=query, body=form, headers=headers))
        self.answers.append((answer.status, answer.body, dict(answer.headers)))
        return json.loads(answer.body)

    def post(self, path, body="", account=None):
        return self.ask("post", path, body, account)

    def page(self, path, **form):
        shown = self.sandbox.browser.post(self.sandbox.path(path), data=form) if form else self.sandbox.browser.get(self.sandbox.path(path))
        self.answers.append((shown.status_code, shown.text, None))

    def run(self):
        month = "currency=eur&unit_amount=2900&recurring[interval]=month&product_data[name]=Solo"
        price, other = self.post("prices", month)["id"], self.post("prices", month.replace("2900", "7900"))["id"]
        meter = self.post("billing/meters", "display_name=M&event_name=m&default_aggregation[formula]=sum")["id"]
        used = f"currency=eur&unit_amount_decimal=0.7&recurring[interval]=month&recurring[usage_type]=metered&recurring[meter]={meter}"
        metered = self.post("prices", f"{used}&product_data[name]=Minutes")["id"]
        customer = self.post("customers", "email=ana@example.com&payment_method=pm_card_visa")["id"]
        method = self.ask("get", f"customers/{customer}/payment_methods")["data"][0]["id"]
        self.post("coupons", "id=half&percent_off=50&duration=once")
        self.post("promotion_codes", "promotion[type]=coupon&promotion[coupon]=half&code=HALF")
        items = f"items[0][price]={price}&items[1][price]={metered}"
        made = self.post("subscriptions", f"customer={customer}&{items}&default_payment_method={method}&discounts[0][coupon]=half")
        self.post("billing/meter_events", f"event_name=m&payload[stripe_customer_id]={customer}&payload[value]=100")
        self.sandbox.offline.advance(10 * DAY)
        item = made["items"]["data"][0]["id"]
        self.post(f"subscriptions/{made['id']}", f"items[0][id]={item}&items[0][price]={other}&proration_behavior=always_invoice")
        self.check_out(price)
        self.sandbox.offline.decline(customer)
        self.sandbox.offline.advance(70 * DAY)
        self.marketplace()
        self.ask("get", "invoices", "limit=100&expand[]=data.customer")
        self.page("/offline")
        self.sandbox.offline.deliver()

    def check_out(self, price):
        asked = f"line_items[0][price]={price}&line_items[0][quantity]=2&mode=subscription&allow_promotion_codes=true"
        session = self.post("checkout/sessions", asked)
        for number, form in (("4000000000000341", {}), ("4242424242424242", {})):
            self.page(f"{session['url']}/code", code="HALF")
            self.page(session["url"])
            self.page(session["url"], **CARD, number=number, **form)
        done = self.ask("get", f"checkout/sessions/{session['id']}")
        portal = self.post("billing_portal/sessions", f"customer={done['customer']}")
        self.page(portal["url"])
        self.page(f"/invoice/{done['invoice']}")

    def marketplace(self):
        account = self.post("accounts", "type=express&country=FR")["id"]
        back = "refresh_url=http://127.0.0.1/&return_url=http://127.0.0.1/"
        self.page(self.post("account_links", f"account={account}&type=account_onboarding&{back}")["url"], done="yes")
        charge = "amount=5000&currency=eur&payment_method=pm_card_visa&confirm=true"
        intent = self.post("payment_intents", f"{charge}&application_fee_amount=500", account)
        self.post("refunds", f"payment_intent={intent['id']}&amount=100&refund_application_fee=true", account)
        clock = self.post("test_helpers/test_clocks", f"frozen_time={int(self.sandbox.offline.now.timestamp())}")
        self.post("customers", f"test_clock={clock['id']}")


def lived(make_sandbox, seed, chaos_seed=1):
    chaos = Chaos(seed=chaos_seed, reorder=True, duplicate=0.3, drop=0.2, delay_s=20, early=0.3)
    sent = []
    sandbox = make_sandbox(seed=seed, chaos=chaos, post=lambda url, body, headers: sent.append((url, body, headers)) or 200)
    life = Life(sandbox)
    life.run()
    store = sandbox.offline.world.store
    kept = {kind: list(objects.items()) for kind, objects in store._kinds.items()}
    return life.answers, json.dumps(kept), sent


def test_everything_is_the_same_again(make_sandbox):
    answers, kept, sent = lived(make_sandbox, 11)
    again = lived(make_sandbox, 11)

    assert {status for status, *_ in answers} <= {200, 303, 402}
    assert len(answers) > 30
    assert len(sent) > 100
    assert answers == again[0]
    assert kept == again[1]
    assert sent == again[2]


@pytest.mark.parametrize(("seeds", "differing"), [(((11, 1), (12, 1)), 0), (((11, 1), (11, 2)), 2)])
def test_another_seed_gives_other_ids_or_another_network(make_sandbox, seeds, differing):
    one, other = (lived(make_sandbox, *each)[differing] for each in seeds)

    assert one != other
