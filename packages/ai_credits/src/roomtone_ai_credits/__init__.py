"""AI credits: held before a model call, settled after it; never overspent, never lost."""

from .amount import CREDIT, parse, show
from .credits import AiCredits, Within, utc_now
from .entries import EntryKind
from .grants import Grant
from .holds import Hold, HoldState, Settlement
from .lots import Lot, LotKind
from .meter import Meter
from .pricing import ModelRate, RateCard, Step
from .reading import Balance, EntryView
from .usage import Usage
from .verification import Verification

__all__ = [
    "CREDIT",
    "AiCredits",
    "Balance",
    "EntryKind",
    "EntryView",
    "Grant",
    "Hold",
    "HoldState",
    "Lot",
    "LotKind",
    "Meter",
    "ModelRate",
    "RateCard",
    "Settlement",
    "Step",
    "Usage",
    "Verification",
    "Within",
    "parse",
    "show",
    "utc_now",
]
