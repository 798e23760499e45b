"""flask-headless-payments takes the same webhooks: its side of the comparison, in a process and an environment of its own.

Reads a file of events, one a line, for a SQLite file of its own. At each line on its input it sends so many of them to its endpoint with
Flask's test client, each signed just before, and answers how long each took, in seconds, and which statuses there were.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

SECRET = "whsec_bench"


def main() -> None:
    """Set it up, then do as the lines say."""
    events, database = Path(sys.argv[1]).read_bytes().splitlines(), sys.argv[2]
    client = _client(database, json.loads(events[0])["data"]["object"]["customer"])
    print(f"ready {_version()}", flush=True)
    left = iter(events)
    for line in sys.stdin:
        seconds, statuses = [], set()
        for payload, _ in zip(left, range(int(line)), strict=False):
            header = _sign(payload)
            began = time.perf_counter()
            answer = client.post("/api/payments/webhook", data=payload, headers={"Stripe-Signature": header})
            seconds.append(time.perf_counter() - began)
            statuses.add(answer.status_code)
        print(json.dumps({"seconds": seconds, "statuses": sorted(statuses)}), flush=True)


def _client(database: str, customer: str) -> Any:  # Any: of Flask, in the other environment
    from flask import Flask
    from flask_headless_payments import PaymentSvc  # type: ignore[import-not-found]
    from flask_headless_payments.mixins import SubscriptionMixin  # type: ignore[import-not-found]
    from flask_sqlalchemy import SQLAlchemy  # type: ignore[import-not-found]

    logging.disable(logging.CRITICAL)
    app = Flask("peer")
    app.config.update(
        SECRET_KEY="x" * 40,
        JWT_SECRET_KEY="x" * 40,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{database}",
        STRIPE_API_KEY="sk_test_x",
        STRIPE_WEBHOOK_SECRET=SECRET,
    )
    db = SQLAlchemy(app)

    class User(SubscriptionMixin, db.Model):  # type: ignore[misc, name-defined]
        __tablename__ = "users"
        id = db.Column(db.Integer, primary_key=True)
        email = db.Column(db.String(120))

    PaymentSvc(app, user_model=User, plans={"pro": {"name": "Pro", "price_id": "price_pro", "features": [], "limits": {}}})
    with app.app_context():
        db.create_all()
        db.session.add(User(email="a@example.org", stripe_customer_id=customer))
        db.session.commit()
    return app.test_client()


def _sign(payload: bytes) -> str:
    at = str(int(time.time()))
    return f"t={at},v1={hmac.new(SECRET.encode(), at.encode() + b'.' + payload, hashlib.sha256).hexdigest()}"


def _version() -> str:
    from importlib.metadata import version

    return version("flask-headless-payments")


if __name__ == "__main__":
    main()
