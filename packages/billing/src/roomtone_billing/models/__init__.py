"""The rows of this package, a file per topic."""

from .accounts import AccountRow
from .closings import ClosingRow, ErasureRow
from .connect import ClientPaymentRow, SellerRow
from .entitlements import HoldRow, OverrideRow, UsedRow, UseRow
from .events import HandledRow, InboxRow, OutboxRow
from .fenced import FencedRow
from .history import HistoryRow
from .metering import MeteredRow
from .previews import PreviewRow
from .row import Counter, Document, Instant, Row, metadata
from .upkeep import CursorRow, DriftRow

__all__ = [
    "AccountRow",
    "ClientPaymentRow",
    "ClosingRow",
    "Counter",
    "CursorRow",
    "Document",
    "DriftRow",
    "ErasureRow",
    "FencedRow",
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
    "SellerRow",
    "UseRow",
    "UsedRow",
    "metadata",
]
