"""Everything the app refuses, as facts. The views map each kind to a status; nothing here knows HTTP.

StudioError
├── NotSignedIn            nobody is signed in on this host
├── NotAllowed             the person may not do this
├── NotFound               no such record in this studio
├── Refused                a rule says no; the sentence is shown as it is
│   ├── BadInput           a value cannot be used; `field` names which
│   └── TooManyAttempts    come back in `retry_after_s` seconds
└── SetupError             the app cannot start; the sentence says what to do
"""

from __future__ import annotations


class StudioError(Exception):
    """Base of everything this app raises on purpose."""


class NotSignedIn(StudioError):
    """Nobody is signed in on this host."""


class NotAllowed(StudioError):
    """The signed-in person may not do this."""


class NotFound(StudioError):
    """No such record in this studio, or not one that this person may know of."""


class Refused(StudioError):
    """A rule says no. The message is a whole, translated sentence for the person who asked."""


class BadInput(Refused):
    """A value cannot be used.

    Attributes:
        field: the form field at fault.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class TooManyAttempts(Refused):
    """A rate limit was reached.

    Attributes:
        retry_after_s: seconds until another attempt is counted.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many attempts; the next one counts in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class SetupError(StudioError):
    """The app cannot start as configured. The message says what is wrong and what to do."""
