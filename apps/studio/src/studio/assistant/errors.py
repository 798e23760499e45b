"""What the assistant refuses.

StudioError
├── ModelFailed        the model gave no answer: it failed, took too long, or asked for more than a turn may use
└── Refused
    ├── Busy           the person's last question is still being answered
    ├── ProposalClosed the proposal was decided or ran out, so it can no longer be confirmed
    └── PriceChanged   a proposed booking would cost something else by now
"""

from __future__ import annotations

from flask_babel import gettext as _

from studio.errors import Refused, StudioError


class ModelFailed(StudioError):
    """The model gave no answer. The reason is for the log; the person is told that nothing was charged.

    Attributes:
        reason: the kind of failure, such as `RunTimedOut`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The model gave no answer ({reason}); nothing is charged, ask again.")
        self.reason = reason


class Busy(Refused):
    """The person's last question is still being answered."""

    def __init__(self) -> None:
        super().__init__(_("Your last question is still being answered. Wait a moment, then ask again."))


class ProposalClosed(Refused):
    """The proposal was decided or ran out.

    Attributes:
        state: where it stands.
    """

    def __init__(self, state: str) -> None:
        super().__init__(_("This proposal can no longer be confirmed. Ask the assistant again."))
        self.state = state


class PriceChanged(Refused):
    """A proposed booking would cost something else by now. Amounts in minor units."""

    def __init__(self, *, shown_minor: int, now_minor: int) -> None:
        super().__init__(_("The price changed since this was proposed. Ask the assistant again to see the new one."))
        self.shown_minor, self.now_minor = shown_minor, now_minor
