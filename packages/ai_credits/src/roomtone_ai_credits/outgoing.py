"""Credits going out: held before a model call, charged after it, put back."""

from __future__ import annotations

import os
from datetime import timedelta

from . import amount as amounts
from . import counting, inputs, reservation
from .acts import Act
from .asking import Asking, once
from .books import Books
from .copies import changed
from .digest import digest
from .entries import Entry, Note
from .errors import IdempotencyConflict, UnknownCharge, UnknownHold
from .grants import Grant
from .holds import Explanation, Hold, HoldState, Overrun, Settlement
from .limits import Use
from .notices import EventKind
from .reservation import charge_key, write_off_key
from .usage import Usage


class Outgoing(Asking):
    """The verbs of a model call."""

    def hold(
        self,
        account: str,
        *,
        model: str,
        estimate: Usage,
        key: str,
        user: str | None = None,
        feature: str | None = None,
        team: str | None = None,
        api_key: str | None = None,
        ttl_s: int | None = None,
        at_least: Usage | None = None,
        parent: str | None = None,
    ) -> Act[Hold]:
        """Promise what `estimate` costs. The same key returns the same hold; if that was released or had expired, it promises anew.

        Args:
            user, feature, team, api_key: whose limits it counts under.
            at_least: promise what there is, when that is less than `estimate` costs but pays for this; see `Hold.affordable`.
            parent: the id of an open hold to take from, such as that of an agent's run; what is left goes back to it.

        Raises: InsufficientCredits, LimitReached, TooManyHolds, UnknownModel, UnknownHold, IdempotencyConflict.
        """
        draft = self._draft(account, model=model, estimate=estimate, key=key, user=user, feature=feature, team=team, api_key=api_key)
        if parent is not None or at_least is not None:
            # Another parent, or another least, is another request. As keys were fingerprinted before there were either, without.
            least_used = sorted(at_least.used().items()) if at_least else None
            draft = changed(draft, parent_id=parent, digest=digest(draft.digest, parent, least_used))
        least = draft.rate.cost(at_least) if at_least is not None else None
        lasts = timedelta(seconds=self._hold_ttl_s if ttl_s is None else inputs.ttl(ttl_s))
        entry_key = charge_key(key)

        def plan(books: Books) -> Hold:
            known = books.hold_of(key)
            if (known.digest != draft.digest) if known else (entry_key in books.past):
                raise IdempotencyConflict(account, key)
            if known is not None and known.state in (HoldState.open, HoldState.settled):
                return known
            if parent is not None:
                _held(books, parent)
            hold_id = known.id if known else draft.id
            return reservation.reserve(books, draft, hold_id, lasts, open_holds_max=self._open_holds_max, at_least=least)

        held = (parent,) if parent is not None else ()
        return Act(plan=plan, account=draft.account, hold_keys=(key,), entry_keys=(entry_key,), hold_ids=held, subjects=_named(draft))

    def explain(
        self,
        account: str,
        *,
        model: str,
        estimate: Usage,
        user: str | None = None,
        feature: str | None = None,
        team: str | None = None,
        api_key: str | None = None,
    ) -> Act[Explanation]:
        """Tell whether a hold would be granted, from which lots, under which limits, and why not; nothing is held.

        Raises: UnknownModel.
        """
        draft = self._draft(account, model=model, estimate=estimate, key="explain", user=user, feature=feature, team=team, api_key=api_key)
        return Act(
            plan=lambda books: reservation.explain(books, draft, open_holds_max=self._open_holds_max),
            account=draft.account,
            subjects=_named(draft),
        )

    def max_affordable(
        self,
        account: str,
        *,
        model: str,
        prompt: Usage,
        most: int,
        user: str | None = None,
        feature: str | None = None,
        team: str | None = None,
        api_key: str | None = None,
    ) -> Act[int]:
        """Return how many output tokens can be paid for after `prompt`, at most `most`: what to pass as `max_tokens`.

        0 when not even the prompt can be paid. Nothing is held: another call may take the credit first.

        Raises: UnknownModel.
        """
        draft = self._draft(account, model=model, estimate=prompt, key="affordable", user=user, feature=feature, team=team, api_key=api_key)

        def plan(books: Books) -> int:
            available = books.available_to(model, feature)
            return draft.rate.affordable(prompt, available=counting.room(books, draft, available), most=most)

        return Act(plan=plan, account=draft.account, subjects=_named(draft))

    def grow(self, hold_id: str, amount: int) -> Act[Hold]:
        """Let an open hold promise `amount` in all and last anew, as a stream goes on. It never shrinks, so repeating it changes nothing.

        Raises: InsufficientCredits when the difference is not available or the hold is no longer open, BadAmount, UnknownHold.
        """
        amounts.positive(amount)

        def plan(books: Books) -> Hold:
            lasts = timedelta(seconds=self._hold_ttl_s)
            return reservation.grow(books, _held(books, hold_id), amount, expires_at=books.now + lasts)

        return Act(plan=plan, hold_ids=(hold_id,))

    def settle(self, hold_id: str, usage: Usage | None, *, overrun: Overrun | None = None) -> Act[Settlement]:
        """Charge what was used, at the price of the hold. Never refused for money: late, above the hold and after a release as well.

        Usage that nobody reported is None, which is not usage of 0: the estimate is charged, or what the hold had grown to.

        What no lot can pay becomes debt, which the next credits pay, or what `overrun` says (None: what the ledger was made with).
        The first settlement is final; a repetition returns it.

        Raises: UnknownHold.
        """

        def plan(books: Books) -> Settlement:
            hold = _held(books, hold_id)
            nano = hold.rate.nano(usage) if usage else reservation.estimated(hold)
            note = Note(
                hold_id=hold.id,
                priced_nano=nano,
                model=hold.model,
                feature=hold.feature,
                user=hold.user,
                team=hold.team,
                api_key=hold.api_key,
                card_version=hold.card_version,
                usage=usage.used() if usage else None,
                reason=None if usage else "no usage was reported: charged as estimated",
            )
            policy = self._overrun if overrun is None else Overrun(overrun)
            settled = reservation.settle(books, hold, nano, note, overrun=policy, overdraft_max=self._overdraft_max)
            if usage is None and not settled.replayed:
                books.tell(EventKind.unreported, hold_id=hold.id, charged=settled.charged)
            return settled if usage else changed(settled, is_estimated=True)

        return Act(plan=plan, hold_ids=(hold_id,))

    def release(self, hold_id: str) -> Act[Hold]:
        """Give back what a hold promises, for work that was not done. A hold that is not open stays as it is; nothing is refused.

        Raises: UnknownHold.
        """
        return Act(plan=lambda books: reservation.release(books, _held(books, hold_id)), hold_ids=(hold_id,))

    def charge(
        self,
        account: str,
        *,
        model: str,
        usage: Usage,
        key: str,
        user: str | None = None,
        feature: str | None = None,
        team: str | None = None,
        api_key: str | None = None,
    ) -> Act[Settlement]:
        """Take what `usage` costs at once, for work whose price is known before it is done, such as an image. Once per key.

        Raises: InsufficientCredits when less is available, LimitReached, UnknownModel, IdempotencyConflict.
        """
        card, used = self.rate_card, usage.used()
        nano = card.rate(model).nano(usage)
        note = Note(
            digest=digest("charge", model, sorted(used.items()), user, feature, *_more(team, api_key)),
            model=model,
            feature=feature,
            user=user,
            team=team,
            api_key=api_key,
            card_version=card.version,
            usage=used,
            priced_nano=nano,
        )
        entry_key = charge_key(inputs.key(key))

        def plan(books: Books) -> Settlement:
            if (booked := books.replayed(entry_key, note.digest)) is not None:
                return Settlement(charged=-booked.amount, replayed=True)
            if books.hold_of(key) is not None:
                raise IdempotencyConflict(account, key)
            return reservation.charge(books, nano, key=entry_key, note=note)

        subject = _named(note)
        return Act(plan=plan, account=inputs.key(account, "account"), hold_keys=(key,), entry_keys=(entry_key,), subjects=subject)

    def reverse(self, account: str, *, key: str, reason: str, actor: str) -> Act[Grant]:
        """Undo the charge with `key`, once: its credits return to the very lots that paid it.

        Credit of a lot that has expired meanwhile expires at once.

        Raises: UnknownCharge.
        """
        note = Note(digest=digest("reverse", key), reason=reason, actor=actor)

        def plan(books: Books, entry_key: str) -> Entry:
            charge = books.past.get(charge_key(key))
            if charge is None:
                raise UnknownCharge(account, key)
            given_up = books.past.get(write_off_key(key))
            return reservation.reverse(books, charge, written_off=given_up.amount if given_up else 0, key=entry_key, note=note)

        return once(account, "reversal", key, note, plan, sees=(charge_key(key), write_off_key(key)))

    def _draft(
        self,
        account: str,
        *,
        model: str,
        estimate: Usage,
        key: str,
        user: str | None,
        feature: str | None,
        team: str | None,
        api_key: str | None,
    ) -> Hold:
        """A hold as it would be made now; its times are set when it is planned."""
        card, now = self.rate_card, self._clock()
        rate = card.rate(model)
        return Hold(
            id=os.urandom(16).hex(),
            account=inputs.key(account, "account"),
            key=inputs.key(key),
            digest=digest("hold", model, sorted(estimate.used().items()), user, feature, *_more(team, api_key)),
            amount=rate.cost(estimate),
            held_at=now,
            expires_at=now,
            rate=rate,
            card_version=card.version,
            estimate=estimate,
            model=model,
            user=user,
            feature=feature,
            team=team,
            api_key=api_key,
        )


def _named(use: Use) -> tuple[str, ...]:
    """Whose limits matter; each name within what the database keeps. Raises: BadInput."""
    names = (("team", use.team), ("user", use.user), ("feature", use.feature), ("key", use.api_key))
    return tuple([inputs.key(subject, scope) for scope, subject in names if subject is not None])


def _more(team: str | None, api_key: str | None) -> tuple[str | None, ...]:
    # As keys were fingerprinted before there were teams.
    return (team, api_key) if team or api_key else ()


def _held(books: Books, hold_id: str) -> Hold:
    hold = books.holds.get(hold_id)
    if hold is None:
        raise UnknownHold(hold_id)
    return hold
