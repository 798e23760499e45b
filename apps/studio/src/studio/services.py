"""Everything a request or a job may need, built once per process by `wiring` and handed down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import procrastinate

from roomtone_ai_credits import AiCredits
from roomtone_billing import Billing
from studio.config import Settings
from studio.db import Database


@dataclass(frozen=True, kw_only=True)
class Services:
    """The app's parts.

    Attributes:
        settings: what the operator set.
        database: both data planes.
        billing: subscriptions; its accounts are tenant keys.
        credits: the AI credit ledger; its accounts are tenant keys.
        jobs: the queue, for enqueueing in a control-plane transaction.
        clock: the time that billing and credits go by; the demo can move it.
    """

    settings: Settings
    database: Database
    billing: Billing
    credits: AiCredits
    jobs: procrastinate.App
    clock: Callable[[], datetime]
