"""Stripe subscriptions that end in the right state whatever order the webhooks come in.

Start at `Billing`; what a host's handlers receive are the events.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .access import Access, Cause, GracePolicy, OnDispute, Phase
    from .account import Account
    from .backfill import Backfill
    from .backlog import Backlog
    from .billing import Billing
    from .client_payments import ClientPaymentState
    from .codes import CodeProblem
    from .connect import ClientPayment, Connect, ConnectStatus
    from .connect_state import ConnectState
    from .credit_note import CreditNote
    from .decision import Decision, Source
    from .details import Address, TaxId
    from .dispute import Dispute, DisputeState
    from .doctor import Finding
    from .entitlement import Override
    from .entitlements import Entitlements, Usage
    from .events import (
        AccountClosed,
        AccountErased,
        ClientDisputeClosed,
        ClientPaymentDisputed,
        ClientPaymentFailed,
        ClientPaymentRefunded,
        ClientPaymentSucceeded,
        ConnectChanged,
        DisputeClosed,
        DisputeOpened,
        Event,
        InvoicePaid,
        InvoiceRefunded,
        NoticeDue,
        PackBought,
        PackRefunded,
        PeriodRenewed,
        PhaseChanged,
        PlanChanged,
        SubscriptionEnded,
        SubscriptionStarted,
        TrialStarted,
    )
    from .features import Choice, Limit, Switch
    from .gateway import (
        CancelReason,
        ClientOffer,
        CreditReason,
        CreditTo,
        KnownTaxId,
        MadeCreditNote,
        MadeRefund,
        PreviewLine,
        RefundReason,
    )
    from .history import HistoryEntry
    from .inbox import InboxView, Receipt
    from .invariants import Violation
    from .invoices import InvoiceView
    from .lifecycle import PaymentState, PendingChange, SubscriptionView
    from .notices import NoticePolicy
    from .obstacle import Obstacle
    from .outbox import OutboxView
    from .plans import Catalogue, Interval, Pack, Plan, Price
    from .portal import Portal
    from .preview import Confirmed, Preview
    from .reconcile import Drift, Reconciliation
    from .reconcile_sellers import SellerReconciliation
    from .refunds import PaymentView
    from .snapshot import Discount, Status
    from .transactions import RetryPolicy
    from .upkeep import Upkeep
    from .use import Hold
    from .worker import Rhythm, Worker

__all__ = [
    "Access",
    "Account",
    "AccountClosed",
    "AccountErased",
    "Address",
    "Backfill",
    "Backlog",
    "Billing",
    "CancelReason",
    "Catalogue",
    "Cause",
    "Choice",
    "ClientDisputeClosed",
    "ClientOffer",
    "ClientPayment",
    "ClientPaymentDisputed",
    "ClientPaymentFailed",
    "ClientPaymentRefunded",
    "ClientPaymentState",
    "ClientPaymentSucceeded",
    "CodeProblem",
    "Confirmed",
    "Connect",
    "ConnectChanged",
    "ConnectState",
    "ConnectStatus",
    "CreditNote",
    "CreditReason",
    "CreditTo",
    "Decision",
    "Discount",
    "Dispute",
    "DisputeClosed",
    "DisputeOpened",
    "DisputeState",
    "Drift",
    "Entitlements",
    "Event",
    "Finding",
    "GracePolicy",
    "HistoryEntry",
    "Hold",
    "InboxView",
    "Interval",
    "InvoicePaid",
    "InvoiceRefunded",
    "InvoiceView",
    "KnownTaxId",
    "Limit",
    "MadeCreditNote",
    "MadeRefund",
    "NoticeDue",
    "NoticePolicy",
    "Obstacle",
    "OnDispute",
    "OutboxView",
    "Override",
    "Pack",
    "PackBought",
    "PackRefunded",
    "PaymentState",
    "PaymentView",
    "PendingChange",
    "PeriodRenewed",
    "Phase",
    "PhaseChanged",
    "Plan",
    "PlanChanged",
    "Portal",
    "Preview",
    "PreviewLine",
    "Price",
    "Receipt",
    "Reconciliation",
    "RefundReason",
    "RetryPolicy",
    "Rhythm",
    "SellerReconciliation",
    "Source",
    "Status",
    "SubscriptionEnded",
    "SubscriptionStarted",
    "SubscriptionView",
    "Switch",
    "TaxId",
    "TrialStarted",
    "Upkeep",
    "Usage",
    "Violation",
    "Worker",
]

# Loaded when asked for: whoever uses `roomtone_billing.offline` alone needs neither SQLAlchemy nor pydantic.
_MODULES = {
    "Access": "access",
    "Account": "account",
    "AccountClosed": "events",
    "AccountErased": "events",
    "Address": "details",
    "Backfill": "backfill",
    "Backlog": "backlog",
    "Billing": "billing",
    "CancelReason": "gateway",
    "Catalogue": "plans",
    "Cause": "access",
    "Choice": "features",
    "ClientDisputeClosed": "events",
    "ClientOffer": "gateway",
    "ClientPayment": "connect",
    "ClientPaymentDisputed": "events",
    "ClientPaymentFailed": "events",
    "ClientPaymentRefunded": "events",
    "ClientPaymentState": "client_payments",
    "ClientPaymentSucceeded": "events",
    "Connect": "connect",
    "ConnectChanged": "events",
    "ConnectState": "connect_state",
    "ConnectStatus": "connect",
    "CodeProblem": "codes",
    "Confirmed": "preview",
    "CreditNote": "credit_note",
    "CreditReason": "gateway",
    "CreditTo": "gateway",
    "Decision": "decision",
    "Discount": "snapshot",
    "Dispute": "dispute",
    "DisputeClosed": "events",
    "DisputeOpened": "events",
    "DisputeState": "dispute",
    "Drift": "reconcile",
    "Entitlements": "entitlements",
    "Event": "events",
    "Finding": "doctor",
    "GracePolicy": "access",
    "HistoryEntry": "history",
    "Hold": "use",
    "InboxView": "inbox",
    "Interval": "plans",
    "InvoicePaid": "events",
    "InvoiceRefunded": "events",
    "InvoiceView": "invoices",
    "KnownTaxId": "gateway",
    "MadeCreditNote": "gateway",
    "Limit": "features",
    "MadeRefund": "gateway",
    "NoticeDue": "events",
    "NoticePolicy": "notices",
    "Obstacle": "obstacle",
    "OnDispute": "access",
    "OutboxView": "outbox",
    "Override": "entitlement",
    "Pack": "plans",
    "PackBought": "events",
    "PackRefunded": "events",
    "PaymentState": "lifecycle",
    "PaymentView": "refunds",
    "PendingChange": "lifecycle",
    "PeriodRenewed": "events",
    "Phase": "access",
    "PhaseChanged": "events",
    "Plan": "plans",
    "PlanChanged": "events",
    "Portal": "portal",
    "Preview": "preview",
    "PreviewLine": "gateway",
    "Price": "plans",
    "Receipt": "inbox",
    "Reconciliation": "reconcile",
    "RefundReason": "gateway",
    "RetryPolicy": "transactions",
    "Rhythm": "worker",
    "SellerReconciliation": "reconcile_sellers",
    "Source": "decision",
    "Status": "snapshot",
    "SubscriptionEnded": "events",
    "SubscriptionStarted": "events",
    "SubscriptionView": "lifecycle",
    "Switch": "features",
    "TaxId": "details",
    "TrialStarted": "events",
    "Upkeep": "upkeep",
    "Usage": "entitlements",
    "Violation": "invariants",
    "Worker": "worker",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
