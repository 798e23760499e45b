"""The rules of an account: limits, alerts, and orders for more credits."""

from __future__ import annotations

from dataclasses import replace

from . import amount as amounts
from . import inputs, noticing
from .acts import Act
from .asking import Asking, rule_once
from .books import Books
from .digest import digest
from .entries import EntryKind, Note
from .errors import BadInput, UnknownOrder
from .limits import EACH, Limit, Scope, Window
from .notices import Alert, TopUp

LIMITS_MAX = 10_000
ALERTS_MAX = 10


class Rules(Asking):
    """The verbs that set rules. Each is booked as an entry that moves nothing, with who set it."""

    def set_limit(
        self,
        account: str,
        name: str,
        *,
        amount: int,
        key: str,
        scope: str = "account",
        subject: str | None = None,
        window: str = "month",
        length_s: int = 0,
        timezone: str = "UTC",
        is_hard: bool = True,
        actor: str | None = None,
    ) -> Act[None]:
        """Let at most `amount` >= 0 be used in each window; `name` names the limit, and setting it again changes it.

        It counts from when it is set. Holds count while they are open, charges when they are made. Settling is never refused: what
        passes a limit is charged and told of by an event. Lowering a limit below what was used refuses the next hold.

        Args:
            scope: "account", "team", "user", "feature" or "key": whose use is counted together.
            subject: the one it is for; None: each of them has the amount. Under one name, the limit for one goes before that for each.
            window: "total", "day", "week" or "month" on the wall clock of `timezone`, or "rolling" with `length_s` seconds.
            is_hard: refuse what is beyond it (LimitReached); else only tell, by a `limit_passed` event.

        Raises: BadAmount, BadInput, IdempotencyConflict.
        """
        if amount != 0:
            amounts.positive(amount)
        limit = Limit(
            name=_name(name),
            scope=inputs.one_of("scope", Scope, scope),
            subject=EACH if subject is None else inputs.key(subject, "subject"),
            amount=amount,
            window=inputs.one_of("window", Window, window),
            length_s=inputs.whole("length_s", length_s, 366 * 86400),
            timezone=inputs.zone(timezone),
            is_hard=is_hard,
        )
        if (limit.window is Window.rolling) != (length_s > 0):
            raise BadInput("length_s", length_s, "above 0 for a rolling window, and only then")
        if limit.scope is Scope.account and subject is not None:
            raise BadInput("subject", subject, "left out: an account has one limit of a name")
        note = Note(digest=digest("set_limit", *_facts(limit)), reason=f"limit {name}: {amounts.show(amount)}", actor=actor)
        return rule_once(account, "rule", key, note, lambda books, at: _put(books, limit, key=at, note=note), subjects=(limit.subject,))

    def remove_limit(self, account: str, name: str, *, key: str, subject: str | None = None, actor: str | None = None) -> Act[None]:
        """Refuse nothing more under a limit; without such a limit nothing changes.

        Raises: BadInput, IdempotencyConflict.
        """
        which = (_name(name), subject or EACH)
        note = Note(digest=digest("remove_limit", *which), reason=f"limit {name}: removed", actor=actor)

        def book(books: Books, entry_key: str) -> None:
            if which in books.limits:
                books.limits[which] = replace(books.limits[which], is_active=False)
            books.post(EntryKind.rule, entry_key, [], note)

        return rule_once(account, "rule", key, note, book, subjects=(which[1],))

    def set_alerts(self, account: str, *, below: dict[int, int], key: str, actor: str | None = None) -> Act[None]:
        """Tell by an event when less than a threshold is available; once, and again after threshold + distance was available.

        Args:
            below: micro-credits to the distance that arms it again, e.g. `{5 * CREDIT: CREDIT}`; takes the place of what was set.

        Raises: BadAmount, BadInput, IdempotencyConflict.
        """
        if len(below) > ALERTS_MAX:
            raise BadInput("below", below, f"at most {ALERTS_MAX} thresholds")
        wanted = tuple(Alert(below=amounts.positive(at, "below"), rearm=amounts.positive(by, "rearm")) for at, by in sorted(below.items()))
        note = Note(digest=digest("set_alerts", sorted(below.items())), reason=f"alerts: {len(below)}", actor=actor)

        def book(books: Books, entry_key: str) -> None:
            known = {(alert.below, alert.rearm): alert for alert in books.alerts}
            books.alerts = tuple(known.get((alert.below, alert.rearm), alert) for alert in wanted)
            books.post(EntryKind.rule, entry_key, [], note)

        return rule_once(account, "rule", key, note, book)

    def set_top_up(
        self,
        account: str,
        *,
        below: int,
        amount: int,
        key: str,
        most_a_month: int | None = None,
        cooldown_s: int = 3600,
        actor: str | None = None,
    ) -> Act[None]:
        """Order `amount` by a `top_up_wanted` event when less than `below` is available, one order at a time.

        Answer the event by paying, with account and intent as the payment's own key, and then `pay_top_up` or `fail_top_up`. The next
        order comes `cooldown_s` after that at the soonest, twice as late after each failure in a row, and never beyond `most_a_month`.

        Raises: BadAmount, BadInput, IdempotencyConflict.
        """
        wanted = TopUp(
            below=amounts.positive(below, "below"),
            amount=amounts.positive(amount),
            most_a_month=amounts.positive(most_a_month, "most_a_month") if most_a_month is not None else None,
            cooldown_s=inputs.whole("cooldown_s", cooldown_s, 366 * 86400),
        )
        reason = f"top-up: {amounts.show(amount)} below {amounts.show(below)}"
        note = Note(digest=digest("set_top_up", below, amount, most_a_month, cooldown_s), reason=reason, actor=actor)

        def book(books: Books, entry_key: str) -> None:
            known = books.top_up or wanted
            rules = {"below": below, "amount": amount, "most_a_month": most_a_month, "cooldown_s": cooldown_s}
            books.top_up = replace(known, **rules)  # type: ignore[arg-type]  # checked above
            books.post(EntryKind.rule, entry_key, [], note)

        return rule_once(account, "rule", key, note, book)

    def remove_top_up(self, account: str, *, key: str, actor: str | None = None) -> Act[None]:
        """Order nothing more. An order under way may still be paid.

        Raises: BadInput, IdempotencyConflict.
        """
        note = Note(digest=digest("remove_top_up"), reason="top-up: removed", actor=actor)

        def book(books: Books, entry_key: str) -> None:
            if books.top_up is not None:
                books.top_up = replace(books.top_up, below=0)
            books.post(EntryKind.rule, entry_key, [], note)

        return rule_once(account, "rule", key, note, book)

    def fail_top_up(self, account: str, *, intent: str, reason: str) -> Act[None]:
        """Say that an order was not paid. If it turns out to be paid later, `pay_top_up` still grants it, once.

        Raises: UnknownOrder, IdempotencyConflict.
        """
        note = Note(digest=digest("fail_top_up", intent), reason=reason)

        def book(books: Books, entry_key: str) -> None:
            order = books.top_up
            if order is None or not order.was_ordered(intent):
                raise UnknownOrder(account, intent)
            books.top_up = noticing.failed(books, order) if order.pending == intent else order
            books.post(EntryKind.rule, entry_key, [], note)

        return rule_once(account, "rule", f"failed-{intent}", note, book)


def _put(books: Books, limit: Limit, *, key: str, note: Note) -> None:
    which = (limit.name, limit.subject)
    other = next((known for (name, _), known in books.limits.items() if name == limit.name and known.is_active), limit)
    if other.scope is not limit.scope:
        raise BadInput("scope", limit.scope.value, f"{other.scope.value!r}, as the limits of this name have")
    if which not in books.limits:
        if books.limit_count >= LIMITS_MAX:
            raise BadInput("limits", books.limit_count, f"below {LIMITS_MAX} in an account")
        books.limit_count += 1
    books.limits[which] = limit
    books.post(EntryKind.rule, key, [], note)


def _name(name: str) -> str:
    if ":" in name:
        raise BadInput("name", name, "without a colon")
    return inputs.key(name, "name", 100)


def _facts(limit: Limit) -> tuple[object, ...]:
    whose = (limit.name, limit.scope, limit.subject)
    return (*whose, limit.amount, limit.window, limit.length_s, limit.timezone, limit.is_hard)
