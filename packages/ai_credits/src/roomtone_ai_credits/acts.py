"""Acts: what one caller asks of an account, planned on its books without any database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from . import noticing
from .books import Books

A = TypeVar("A")


@dataclass(frozen=True, kw_only=True, slots=True)
class Act(Generic[A]):
    """One request, and what of an account's past it must see.

    Attributes:
        plan: changes the books and returns the answer, or raises and is undone. It may be planned again, on other books.
        account: None when only a hold's id is known.
        subjects: whose limits matter, beside those of the holds.
    """

    plan: Callable[[Books], A]
    account: str | None = None
    entry_keys: tuple[str, ...] = ()
    hold_keys: tuple[str, ...] = ()
    hold_ids: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one act: its answer, or the problem to raise to its caller and to nobody else."""

    # Any: acts of one batch have answers of many types.
    answer: Any = None
    problem: BaseException | None = None

    def get(self) -> Any:
        """Return the answer or raise the problem."""
        if self.problem is not None:
            raise self.problem
        return self.answer


def plan(books: Books, act: Act[A]) -> A:
    """Plan one act, and notice what the host is to be told of it."""
    answer = act.plan(books)
    noticing.look(books)
    return answer


def carry_out(books: Books, acts: Sequence[Act[Any]]) -> list[Outcome]:
    """Plan acts one after the other; one that raises leaves the books as it found them, and its neighbours unharmed.

    Acts are pure, and few are refused: what is undone with one of those is planned again, each act once at most.
    """
    outcomes: list[Outcome] = []
    mark, marked_at = books.mark(), 0
    for act in acts:
        try:
            outcomes.append(Outcome(answer=plan(books, act)))
        except Exception as problem:  # noqa: BLE001  # it is raised again, to the caller it belongs to
            books.undo(mark)
            for undone in acts[marked_at : len(outcomes)]:
                plan(books, undone)
            outcomes.append(Outcome(problem=problem))
            mark, marked_at = books.mark(), len(outcomes)
    return outcomes
