"""kill -9 in the middle of things, then a restart: the sign-up finishes, the webhook counts once, the credits are right."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable

import psycopg
import pytest

from roomtone_ai_credits import CREDIT
from roomtone_tenancy import TenantState
from studio.demo.browser import Browser, Page, PageError
from studio.demo.customer import CARD, pay

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

WITHIN_S = 150.0  # a dead worker's lease runs for 60 s, and whoever takes over may have paused for some more
PASSWORD = "a quiet room with cables"


def until(look: Callable[[], object], complaint: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not look():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)


def kill(demo, name: str) -> None:
    """The process with all that it started: a web server's orphans would answer for a moment more, and hold its port."""
    process = demo.child(name).process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def answers(demo) -> bool:
    try:
        return Browser().get(demo.services.settings.url + "/healthz").status == 200
    except PageError:
        return False


def sign_up(demo, browser: Browser) -> str:
    slug = f"kill-{secrets.token_hex(4)}"
    page = browser.get(demo.services.settings.url + "/signup")
    wish = {"studio_name": "Kill Studio", "slug": slug, "person_name": "Ada", "email": f"{slug}@example.com"}
    page = browser.submit(page, action="", password=PASSWORD, plan="starter", **wish)
    assert "/provisioning/" in page.url, page.text[:300]
    return slug


def open_studio(demo, browser: Browser, slug: str) -> Page:
    page = browser.get(f"{demo.services.settings.url}/open/{slug}")
    assert page.url.startswith(demo.services.settings.studio_url(slug)), page.url
    return page


def is_active(demo, slug: str) -> bool:
    return demo.services.database.tenancy.tenant(slug).state is TenantState.ACTIVE


@pytest.mark.parametrize("after_steps", [0, 1, 2, 3, 4, 5])
def test_a_worker_killed_while_it_provisions_leaves_a_studio_that_is_finished_later(demo, after_steps: int) -> None:
    browser = Browser()
    slug = sign_up(demo, browser)

    def is_far_enough() -> bool:
        progress = demo.services.database.tenancy.progress(slug)
        return progress.is_done or sum(str(step.state) == "done" for step in progress.steps) >= after_steps

    until(is_far_enough, "provisioning did not begin")
    kill(demo, "worker")
    demo.child("worker").start()

    until(lambda: is_active(demo, slug), "the studio was never finished")
    assert open_studio(demo, browser, slug).status == 200
    assert demo.services.database.tenancy.orphans() == []
    until(lambda: demo.services.credits.balance(slug).available == 50 * CREDIT, "the credits were never given")


def test_a_web_server_killed_while_people_sign_up_loses_no_sign_up_that_it_acknowledged(demo) -> None:
    browser = Browser()
    slug = sign_up(demo, browser)
    kill(demo, "web")
    demo.child("web").start()
    until(lambda: answers(demo), "the web server did not come back")

    until(lambda: is_active(demo, slug), "the sign-up was lost")
    assert open_studio(demo, browser, slug).status == 200


def test_a_webhook_is_applied_once_however_often_worker_and_web_are_killed(demo) -> None:
    browser = Browser()
    slug = sign_up(demo, browser)
    until(lambda: is_active(demo, slug), "the studio was not made")
    plan_page = open_studio(demo, browser, slug)
    plan_page = browser.get(demo.services.settings.studio_url(slug) + "/app/plan")

    kill(demo, "worker")
    pay(browser, plan_page, plan="pro", interval="month", card=CARD)
    kill(demo, "web")
    demo.child("web").start()
    until(lambda: answers(demo), "the web server did not come back")
    demo.child("worker").start()
    until(lambda: demo.services.credits.balance(slug).available == 500 * CREDIT, "the credits did not arrive")
    kill(demo, "worker")
    demo.child("worker").start()
    until(lambda: not waiting(demo), "webhooks are left undone")

    entries = [entry for entry in demo.services.credits.entries(slug) if entry.amount == 500 * CREDIT]
    assert len(entries) == 1
    assert demo.services.billing.account(slug).access().plan_key == "pro"
    demo.services.credits.verify(slug)


def test_the_offline_stripe_killed_after_a_payment_still_delivers_its_webhooks(demo) -> None:
    browser = Browser()
    slug = sign_up(demo, browser)
    until(lambda: is_active(demo, slug), "the studio was not made")
    open_studio(demo, browser, slug)
    plan_page = browser.get(demo.services.settings.studio_url(slug) + "/app/plan")

    pay(browser, plan_page, plan="starter", interval="year", card=CARD)
    kill(demo, "offline-stripe")
    demo.child("offline-stripe").start()

    until(lambda: demo.services.billing.account(slug).access().is_subscribed, "the subscription was lost")
    until(lambda: demo.services.billing.account(slug).invoices(), "the invoice was lost")


def test_killing_the_control_databases_connections_is_survived(demo) -> None:
    with demo.services.database.engine.connect() as connection:
        admin = connection.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename IS NOT NULL")

    until(lambda: answers(demo), "the web server did not recover")
    browser = Browser()
    slug = sign_up(demo, browser)
    until(lambda: is_active(demo, slug), "the worker did not recover")


def waiting(demo) -> int:
    """Webhooks that are not applied yet."""
    return sum(1 for row in demo.services.billing.inbox(limit=200) if str(row.state) not in {"done", "ignored", "foreign"})
