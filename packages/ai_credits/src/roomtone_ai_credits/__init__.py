"""AI credits: held before a model call, settled after it; never overspent, never lost."""

from .aio import AsyncAiCredits, AsyncMeter
from .amount import CREDIT, parse, show
from .credits import AiCredits, Within, utc_now
from .entries import EntryKind
from .grants import Grant
from .holds import Explanation, Hold, HoldState, Settlement
from .lots import Lot, LotKind
from .meter import Meter, OnFailure
from .pricing import ModelRate, RateCard, Step
from .reading import Balance, EntryView
from .usage import Usage
from .verification import Verification

__all__ = [
    "CREDIT",
    "AiCredits",
    "AsyncAiCredits",
    "AsyncMeter",
    "Balance",
    "EntryKind",
    "EntryView",
    "Explanation",
    "Grant",
    "Hold",
    "HoldState",
    "Lot",
    "LotKind",
    "Meter",
    "ModelRate",
    "OnFailure",
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
