"""The rows of this package, a file per topic."""

from .accounts import AccountRow
from .events import HandledRow, InboxRow, OutboxRow
from .row import Counter, Document, Instant, Row, metadata

__all__ = ["AccountRow", "Counter", "Document", "HandledRow", "InboxRow", "Instant", "OutboxRow", "Row", "metadata"]
