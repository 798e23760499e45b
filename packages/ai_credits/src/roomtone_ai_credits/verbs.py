"""The verbs: everything that changes an account, as acts. `AiCredits` commits them, `Within` leaves that to a host's session."""

from __future__ import annotations

from .incoming import Incoming
from .outgoing import Outgoing
from .rules import Rules


class Verbs(Incoming, Outgoing, Rules):
    """What can be asked of an account. Every verb checks its arguments and returns an act to be carried out.

    Amounts are micro-credits. Every verb may be repeated with the same key: the first answer stands. A key used for something else
    raises IdempotencyConflict. See `AiCredits` for the arguments.
    """
