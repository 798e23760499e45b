"""The rows of this package, a file per topic."""

from .accounts import AccountRow
from .entitlements import HoldRow, OverrideRow, UsedRow, UseRow
from .events import HandledRow, InboxRow, OutboxRow
from .history import HistoryRow
from .metering import MeteredRow
from .previews import PreviewRow
from .row import Counter, Document, Instant, Row, metadata

__all__ = [
    "AccountRow",
    "Counter",
    "Document",
    "HandledRow",
    "HistoryRow",
    "HoldRow",
    "InboxRow",
    "Instant",
    "MeteredRow",
    "OutboxRow",
    "OverrideRow",
    "PreviewRow",
    "Row",
    "UseRow",
    "UsedRow",
    "metadata",
]
