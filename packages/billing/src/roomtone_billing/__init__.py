"""Stripe subscriptions that end in the right state whatever order the webhooks come in.

Start at `Billing`; what a host's handlers receive are the events.
"""

from .access import Access, GracePolicy, Phase
from .account import Account, InvoiceView
from .billing import Billing
from .events import Event, PeriodRenewed, PhaseChanged, PlanChanged, SubscriptionEnded, SubscriptionStarted, TrialStarted
from .inbox import InboxView, Receipt
from .outbox import OutboxView
from .plans import Catalogue, Interval, Plan, Price
from .transactions import RetryPolicy

__all__ = [
    "Access",
    "Account",
    "Billing",
    "Catalogue",
    "Event",
    "GracePolicy",
    "InboxView",
    "Interval",
    "InvoiceView",
    "OutboxView",
    "PeriodRenewed",
    "Phase",
    "PhaseChanged",
    "Plan",
    "PlanChanged",
    "Price",
    "Receipt",
    "RetryPolicy",
    "SubscriptionEnded",
    "SubscriptionStarted",
    "TrialStarted",
]
