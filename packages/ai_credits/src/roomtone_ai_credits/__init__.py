"""AI credits: held before a model call, settled after it; never overspent, never lost."""

from .adapters import read_usage
from .aio import AsyncAiCredits, AsyncMeter
from .amount import CREDIT, parse, show
from .credits import AiCredits, Within, utc_now
from .entries import EntryKind
from .grants import Clawback, Grant
from .holds import Explanation, Hold, HoldState, Overrun, Settlement
from .limits import Limit, Scope, Window
from .lots import Lot, LotKind
from .meter import Meter, OnFailure
from .notices import Event, EventKind
from .pricing import ModelRate, RateCard, Step
from .reading import Balance, EntryView, LimitUse
from .reports import Forecast, Margin, Reports, Rerated, Spending
from .usage import Usage
from .verification import Verification

__all__ = [
    "CREDIT",
    "AiCredits",
    "AsyncAiCredits",
    "AsyncMeter",
    "Balance",
    "Clawback",
    "EntryKind",
    "EntryView",
    "Event",
    "EventKind",
    "Explanation",
    "Forecast",
    "Grant",
    "Hold",
    "HoldState",
    "Limit",
    "LimitUse",
    "Lot",
    "LotKind",
    "Margin",
    "Meter",
    "ModelRate",
    "OnFailure",
    "Overrun",
    "RateCard",
    "Reports",
    "Rerated",
    "Scope",
    "Settlement",
    "Spending",
    "Step",
    "Usage",
    "Verification",
    "Window",
    "Within",
    "parse",
    "read_usage",
    "show",
    "utc_now",
]
