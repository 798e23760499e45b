"""Every refusal of the library, with the facts a host needs to answer it.

```
CreditsError
├── BadInput                 an argument is malformed (key, account, kind, time)
│   └── BadAmount            not an integer, of the wrong sign, or too large
├── InsufficientCredits      a hold or a debit asks for more than is available
│   └── LimitReached         ... or than a limit inside the account leaves
├── IdempotencyConflict      a key was used before for something else
├── TooManyHolds             an account has as many open holds as it may have
├── LedgerBusy               an account is locked, or waited for, by too many
├── UnknownModel             the rate card has no price for a model
├── UnknownHold              no hold has this id
├── UnknownCharge            no settled charge has this key
├── UnknownGrant             no grant has this key
├── UnknownOrder             no top-up of the account has this intent
└── LedgerMismatch           the books do not balance
```
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


class CreditsError(Exception):
    """Base of everything this package raises on purpose."""


class BadInput(CreditsError):
    """An argument is malformed; nothing was written."""

    def __init__(self, field: str, value: object, rule: str) -> None:
        self.field, self.value, self.rule = field, value, rule
        super().__init__(f"{field} is {value!r}, but must be {rule}; correct the call.")


class BadAmount(BadInput):
    """An amount is no integer, has the wrong sign, or is too large; nothing was written."""


class InsufficientCredits(CreditsError):
    """More was asked for than is available; nothing was held. Amounts are micro-credits.

    `next_grant_at` is when the account's monthly allowance returns, None without one.
    """

    def __init__(self, account: str, *, needed: int, available: int, next_grant_at: datetime | None) -> None:
        self.account, self.needed, self.available, self.next_grant_at = account, needed, available, next_grant_at
        then = f"wait until {next_grant_at.isoformat()} or grant more" if next_grant_at else "grant more"
        super().__init__(f"account {account!r} has {available} micro-credits available, {needed} are needed; {then}.")


class LimitReached(InsufficientCredits):
    """A hard limit inside the account leaves less than was asked for; nothing was held. Amounts are micro-credits.

    `limit` is its name, `scope` and `subject` whose use it counts ("" for the account's), `available` what it leaves, and
    `next_grant_at` when its window gives something back, None when it never does.
    """

    def __init__(
        self, account: str, *, limit: str, scope: str, subject: str, needed: int, available: int, next_grant_at: datetime | None
    ) -> None:
        super().__init__(account, needed=needed, available=available, next_grant_at=next_grant_at)
        self.limit, self.scope, self.subject = limit, scope, subject
        then = f"wait until {next_grant_at.isoformat()} or raise it" if next_grant_at else "raise it"
        whose = f" for {scope} {subject!r}" if subject else ""
        self.args = (f"limit {limit!r} of account {account!r} leaves {available} micro-credits{whose}, {needed} are needed; {then}.",)


class IdempotencyConflict(CreditsError):
    """The key already stands for another request; nothing was written."""

    def __init__(self, account: str, key: str) -> None:
        self.account, self.key = account, key
        super().__init__(f"key {key!r} of account {account!r} was used for another request; use a key of its own for each effect.")


class TooManyHolds(CreditsError):
    """The account has `limit` open holds; settle or release one, or let one expire."""

    def __init__(self, account: str, limit: int) -> None:
        self.account, self.limit = account, limit
        super().__init__(f"account {account!r} has {limit} open holds, which is the limit; settle or release one first.")


class LedgerBusy(CreditsError):
    """The account could not be had in time; nothing was written. Try again with the same key."""

    def __init__(self, account: str, reason: str) -> None:
        self.account, self.reason = account, reason
        super().__init__(f"account {account!r} is busy: {reason}; try again with the same key.")


class UnknownModel(CreditsError):
    """The rate card prices no such model and has no price for unknown ones; nothing was held."""

    def __init__(self, model: str, card_version: str) -> None:
        self.model, self.card_version = model, card_version
        super().__init__(f"rate card {card_version!r} has no price for model {model!r}; add a pattern, or a price for unknown models.")


class UnknownHold(CreditsError):
    """No hold has this id."""

    def __init__(self, hold_id: str) -> None:
        self.hold_id = hold_id
        super().__init__(f"no hold has the id {hold_id!r}; pass the id that `hold` returned.")


class UnknownCharge(CreditsError):
    """No charge of this account was settled under this key."""

    def __init__(self, account: str, key: str) -> None:
        self.account, self.key = account, key
        super().__init__(f"account {account!r} has no charge with key {key!r}; pass the key its hold was made with.")


class UnknownGrant(CreditsError):
    """No grant of this account was booked under this key."""

    def __init__(self, account: str, key: str) -> None:
        self.account, self.key = account, key
        super().__init__(f"account {account!r} has no grant with key {key!r}; pass the key it was granted with.")


class UnknownOrder(CreditsError):
    """The account has ordered no credits under this intent."""

    def __init__(self, account: str, intent: str) -> None:
        self.account, self.intent = account, intent
        super().__init__(f"account {account!r} has no top-up {intent!r}; pass the intent of its `top_up_wanted` event.")


class LedgerMismatch(CreditsError):
    """The books do not balance; `findings` says where, one sentence each.

    `repairs` are the statements that would set what is kept to what history says. Look at the findings first, stop charging the
    account, run them in one transaction, and verify again. Where history itself is wrong there is none: adjust by hand.
    """

    def __init__(self, findings: Sequence[str], repairs: Sequence[str] = ()) -> None:
        self.findings, self.repairs = tuple(findings), tuple(repairs)
        super().__init__("the books do not balance; stop charging and look at: " + "; ".join(self.findings))
