"""dj-stripe takes the same webhooks and asks the same Stripe: its side of the comparison, in a process and an environment of its own.

Reads a file of events, one a line, for a SQLite file of its own and a Stripe at an address on this machine. At each line on its input it
sends so many of them to its endpoint with Django's test client, each signed just before, and answers how long each took, in seconds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import sys
import time
import uuid
from pathlib import Path
from typing import Any

SECRET = "whsec_bench"
KEY = "sk_test_" + "0" * 24


def main() -> None:
    """Set it up, then do as the lines say."""
    events, database, stripe_url = Path(sys.argv[1]).read_bytes().splitlines(), sys.argv[2], sys.argv[3]
    client, path = _client(database, stripe_url)
    print(f"ready {_version()}", flush=True)
    left = iter(events)
    for line in sys.stdin:
        seconds, statuses = [], set()
        for payload, _ in zip(left, range(int(line)), strict=False):
            header = _sign(payload)
            began = time.perf_counter()
            answer = client.post(path, data=payload, content_type="application/json", HTTP_STRIPE_SIGNATURE=header)
            seconds.append(time.perf_counter() - began)
            statuses.add(answer.status_code)
        print(json.dumps({"seconds": seconds, "statuses": sorted(statuses)}), flush=True)


def _client(database: str, stripe_url: str) -> tuple[Any, str]:  # Any: of Django, in the other environment
    import django  # type: ignore[import-not-found]
    import stripe
    from django.conf import settings  # type: ignore[import-not-found]
    from django.core.management import call_command  # type: ignore[import-not-found]

    logging.disable(logging.CRITICAL)

    class Client(stripe.RequestsClient):
        # Stripe takes the platform's own name for the platform; the offline one knows names of connected accounts alone.
        def request(self, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
            return super().request(method, url, {name: value for name, value in headers.items() if name != "Stripe-Account"}, post_data)

    stripe.api_base, stripe.default_http_client = stripe_url, Client()
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "djstripe"],
        ROOT_URLCONF="djstripe.urls",
        SECRET_KEY="x" * 40,
        STRIPE_LIVE_MODE=False,
        STRIPE_TEST_SECRET_KEY=KEY,
        DJSTRIPE_FOREIGN_KEY_TO_FIELD="id",
        # Its tables at once, and not migration by migration: that takes minutes, and is not what is measured.
        MIGRATION_MODULES=dict.fromkeys(("auth", "contenttypes", "sessions", "djstripe")),
        USE_TZ=True,
        ALLOWED_HOSTS=["*"],
    )
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    from django.test import Client as Browser  # type: ignore[import-not-found]
    from djstripe.models import Account, APIKey, WebhookEndpoint  # type: ignore[import-not-found]

    owner = Account.objects.create(id="acct_bench", livemode=False)
    APIKey.objects.create(id="key_bench", type="secret", secret=KEY, livemode=False, djstripe_owner_account=owner)
    name = uuid.uuid4()
    WebhookEndpoint.objects.create(
        id="we_bench",
        djstripe_uuid=name,
        secret=SECRET,
        livemode=False,
        url="http://testserver/",
        status="enabled",
        api_version=stripe.api_version,
        enabled_events=["*"],
        djstripe_owner_account=owner,
        djstripe_tolerance=300,
    )
    return Browser(raise_request_exception=False), f"/webhook/{name}/"


def _sign(payload: bytes) -> str:
    at = str(int(time.time()))
    return f"t={at},v1={hmac.new(SECRET.encode(), at.encode() + b'.' + payload, hashlib.sha256).hexdigest()}"


def _version() -> str:
    from importlib.metadata import version

    return version("dj-stripe")


if __name__ == "__main__":
    main()
