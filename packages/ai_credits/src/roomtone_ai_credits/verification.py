"""Proves the books: what is kept must equal what history adds up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Engine, Row, Select, Update, and_, case, func, or_, select, true, update

from .entries import Book, EntryKind
from .errors import LedgerMismatch
from .holds import HoldState
from .limits import tally_key
from .models import ACCOUNT, ENTRY, HOLD, LOT, POSTING, TALLY


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What was proved: how many accounts and entries were looked at."""

    accounts: int
    entries: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A rule that does not hold.

    Attributes:
        repair: the statement that sets what is kept to what history says; None where history itself is wrong, which only an
            adjustment made by hand can answer.
    """

    account: str
    fact: str
    repair: str | None = None


Findings = Iterator[Finding]


def verify(engine: Engine, account: str | None = None) -> Verification:
    """Check one account, or all, in one snapshot.

    Raises: LedgerMismatch, naming every rule that does not hold and where, and how to repair what can be.
    """
    mine = ACCOUNT.c.account == account if account is not None else true()
    with engine.connect() as connection:
        _freeze(connection)
        proof = _Proof(connection, select(ACCOUNT.c.id, ACCOUNT.c.account).where(mine), is_whole=account is None)
        checks: list[Callable[[], Findings]] = [proof.entries, proof.continuity, proof.sums, proof.carried, proof.lots]
        checks += [proof.promises, proof.charges, proof.tallies, proof.transfers, proof.strays]
        findings = [finding for check in checks for finding in check()]
        accounts, entries = proof.count()
        connection.rollback()
    if findings:
        facts = [f"account {finding.account!r}: {finding.fact}" for finding in findings]
        # A statement may answer two findings.
        repairs = dict.fromkeys(finding.repair for finding in findings if finding.repair)
        raise LedgerMismatch(facts, repairs=[*repairs, *proof.touch({finding.account for finding in findings if finding.repair})])
    return Verification(accounts=accounts, entries=entries)


class _Proof:
    """The checks, each one query over all the accounts that were asked for."""

    def __init__(self, connection: Connection, accounts: Select[tuple[int, str]], *, is_whole: bool) -> None:
        self._is_whole = is_whole
        self._connection = connection
        self._accounts = accounts.subquery()
        self._names = {row.id: row.account for row in connection.execute(accounts)}
        self._all = select(self._accounts.c.id)

    def count(self) -> tuple[int, int]:
        """How many accounts and entries there are."""
        entries = self._connection.scalar(select(func.count()).select_from(ENTRY).where(ENTRY.c.account_id.in_(self._all)))
        return len(self._names), entries or 0

    def touch(self, accounts: set[str]) -> Iterator[str]:
        """Write the rows of accounts as they are, so that no process goes on with books it had read before a repair."""
        if ids := [account_id for account_id, name in self._names.items() if name in accounts]:
            yield _statement(update(ACCOUNT).where(ACCOUNT.c.id.in_(ids)).values(seq=ACCOUNT.c.seq))

    def entries(self) -> Findings:
        """Postings of an entry sum to zero, and the account's sides of them to its amount."""
        total = func.coalesce(func.sum(POSTING.c.amount), 0)
        ours = func.coalesce(func.sum(case((POSTING.c.book.in_((Book.lot.value, Book.debt.value)), POSTING.c.amount), else_=0)), 0)
        joined = ENTRY.outerjoin(POSTING, and_(POSTING.c.account_id == ENTRY.c.account_id, POSTING.c.seq == ENTRY.c.seq))
        query = select(ENTRY.c.account_id, ENTRY.c.seq, ENTRY.c.amount, total.label("found"), ours.label("moved")).select_from(joined)
        query = query.group_by(ENTRY.c.account_id, ENTRY.c.seq, ENTRY.c.amount).having(or_(total != 0, ours != ENTRY.c.amount))
        for row in self._rows(query.where(ENTRY.c.account_id.in_(self._all))):
            yield self._found(row, f"entry {row.seq} says {row.amount}, its postings move {row.moved} and sum to {row.found}")

    def continuity(self) -> Findings:
        """Entries are numbered without a gap, and each balance follows from the one before."""
        before = func.lag(ENTRY.c.balance_after, 1, 0).over(partition_by=ENTRY.c.account_id, order_by=ENTRY.c.seq).label("before")
        place = func.row_number().over(partition_by=ENTRY.c.account_id, order_by=ENTRY.c.seq).label("place")
        lines = select(ENTRY.c.account_id, ENTRY.c.seq, ENTRY.c.amount, ENTRY.c.balance_after, before, place)
        line = lines.where(ENTRY.c.account_id.in_(self._all)).subquery()
        wrong = or_(line.c.balance_after != line.c.before + line.c.amount, line.c.seq != line.c.place)
        for row in self._rows(select(line).where(wrong)):
            fact = f"entry {row.seq} is number {row.place} and goes from {row.before} by {row.amount} to {row.balance_after}"
            yield self._found(row, fact)

    def sums(self) -> Findings:
        """The sums on the account's row are those of its history and its lots."""
        moved = self._by_account(ENTRY.c.account_id, func.max(ENTRY.c.seq), func.sum(ENTRY.c.amount))
        stock = self._by_account(LOT.c.account_id, func.count(), func.sum(LOT.c.remaining))
        owed = self._by_account(POSTING.c.account_id, func.sum(case((POSTING.c.book == Book.debt.value, -POSTING.c.amount), else_=0)))
        for row in self._rows(select(ACCOUNT).where(ACCOUNT.c.id.in_(self._all))):
            seq, balance = moved.get(row.id, (0, 0))
            lot_count, remaining = stock.get(row.id, (0, 0))
            (debt,) = owed.get(row.id, (0,))
            for name, found in (("seq", seq), ("lot_count", lot_count), ("balance", balance), ("debt", debt)):
                if (kept := getattr(row, name)) != found:
                    repair = _statement(update(ACCOUNT).where(ACCOUNT.c.id == row.id).values({name: found}))
                    yield Finding(account=row.account, fact=f"{name} is kept as {kept}, but adds up to {found}", repair=repair)
            if balance != remaining - debt:
                yield Finding(account=row.account, fact=f"history comes to {balance}, its lots less its debt to {remaining - debt}")

    def carried(self) -> Findings:
        """What charges have cost exactly is what was taken for them, and what the account carries."""
        exact = func.sum(ENTRY.c.priced_nano + 1000 * ENTRY.c.amount)
        query = select(ENTRY.c.account_id, exact).where(ENTRY.c.priced_nano.is_not(None), ENTRY.c.account_id.in_(self._all))
        found = {account_id: int(nano) for account_id, nano in self._connection.execute(query.group_by(ENTRY.c.account_id))}
        for row in self._rows(select(ACCOUNT).where(ACCOUNT.c.id.in_(self._all))):
            if row.carry_nano != (nano := found.get(row.id, 0)):
                statement = update(ACCOUNT).where(ACCOUNT.c.id == row.id).values(carry_nano=nano)
                fact = f"carry_nano is kept as {row.carry_nano}, but adds up to {nano}"
                yield Finding(account=row.account, fact=fact, repair=_statement(statement) if 0 <= nano < 1000 else None)

    def lots(self) -> Findings:
        """What remains of a lot is what was posted to it; one with credit left is open."""
        posted = func.coalesce(func.sum(POSTING.c.amount), 0)
        joined = LOT.outerjoin(POSTING, and_(POSTING.c.account_id == LOT.c.account_id, POSTING.c.lot == LOT.c.number))
        query = select(LOT.c.account_id, LOT.c.number, LOT.c.remaining, LOT.c.is_open, posted.label("found")).select_from(joined)
        query = query.group_by(LOT.c.account_id, LOT.c.number, LOT.c.remaining, LOT.c.is_open)
        wrong = or_(posted != LOT.c.remaining, and_(LOT.c.remaining != 0, ~LOT.c.is_open))
        for row in self._rows(query.having(wrong).where(LOT.c.account_id.in_(self._all))):
            statement = update(LOT).where(LOT.c.account_id == row.account_id, LOT.c.number == row.number)
            repair = _statement(statement.values(remaining=int(row.found), is_open=true())) if row.found >= 0 else None
            fact = f"lot {row.number} (open: {row.is_open}) keeps {row.remaining}, but its postings sum to {row.found}"
            yield self._found(row, fact, repair)

    def promises(self) -> Findings:
        """Open holds promise what they were made for, lots hold what open holds promise of them, and accounts the sum of that."""
        promised: Counter[tuple[int, int]] = Counter()
        is_open = HOLD.c.state == HoldState.open.value
        for hold in self._rows(select(HOLD).where(HOLD.c.account_id.in_(self._all), is_open)):
            for number, amount in hold.slices.items():
                promised[hold.account_id, int(number)] += amount
            if hold.amount != (found := sum(hold.slices.values())):
                repair = _statement(update(HOLD).where(HOLD.c.id == hold.id).values(amount=found))
                yield self._found(hold, f"hold {hold.id!r} is for {hold.amount}, but promises {found}", repair)
        yield from self._held_by_lots(promised)
        held: Counter[int] = Counter()
        for (account_id, _), amount in promised.items():
            held[account_id] += amount
        for row in self._rows(select(ACCOUNT).where(ACCOUNT.c.id.in_(self._all))):
            if row.held != held[row.id]:
                repair = _statement(update(ACCOUNT).where(ACCOUNT.c.id == row.id).values(held=held[row.id]))
                yield Finding(account=row.account, fact=f"held is kept as {row.held}, but adds up to {held[row.id]}", repair=repair)

    def _held_by_lots(self, promised: Mapping[tuple[int, int], int]) -> Findings:
        query = select(LOT.c.account_id, LOT.c.number, LOT.c.held).where(LOT.c.account_id.in_(self._all), LOT.c.held != 0)
        kept = {(row.account_id, row.number): row.held for row in self._rows(query)}
        for account_id, number in promised.keys() | kept.keys():
            held, found = kept.get((account_id, number), 0), promised.get((account_id, number), 0)
            if held != found:
                repair = _statement(update(LOT).where(LOT.c.account_id == account_id, LOT.c.number == number).values(held=found))
                fact = f"lot {number} holds {held - found} more than open holds promise of it"
                yield Finding(account=self._names[account_id], fact=fact, repair=repair)

    def charges(self) -> Findings:
        """Every settled hold has its one charge, and every charge of a hold its settled hold."""
        settled = select(HOLD).where(HOLD.c.account_id.in_(self._all), HOLD.c.state == HoldState.settled.value).subquery()
        of_holds = and_(ENTRY.c.kind == EntryKind.charge.value, ENTRY.c.hold_id.is_not(None))
        charges = select(ENTRY).where(ENTRY.c.account_id.in_(self._all), of_holds).subquery()
        pairs = settled.join(charges, settled.c.id == charges.c.hold_id, full=True)
        account_id = func.coalesce(settled.c.account_id, charges.c.account_id).label("account_id")
        query = select(account_id, settled.c.id, charges.c.hold_id, charges.c.seq, settled.c.charged, charges.c.amount).select_from(pairs)
        wrong = or_(settled.c.id.is_(None), charges.c.seq.is_(None), settled.c.charged != -charges.c.amount)
        for row in self._rows(query.where(wrong)):
            settling = update(HOLD).where(HOLD.c.id == row.hold_id).values(state=HoldState.settled.value, charged=-(row.amount or 0))
            fact = f"hold {row.id!r} was charged {row.charged}, but entry {row.seq} says {row.amount}"
            yield self._found(row, fact, _statement(settling) if row.hold_id else None)

    def tallies(self) -> Findings:
        """What is counted under limits is what open holds promise and charges took."""
        held: Counter[tuple[int, str]] = Counter()
        spent: Counter[tuple[int, str]] = Counter()
        is_open = HOLD.c.state == HoldState.open.value
        for row in self._rows(select(HOLD).where(HOLD.c.account_id.in_(self._all), is_open)):
            held.update({(row.account_id, key): row.amount for key in row.limits})
        charged = select(ENTRY).where(ENTRY.c.account_id.in_(self._all), ENTRY.c.limits.is_not(None))
        for row in self._rows(charged):
            spent.update({(row.account_id, key): -row.amount for key in row.limits})
        for row in self._rows(select(TALLY).where(TALLY.c.account_id.in_(self._all))):
            key = row.account_id, tally_key(row.name, row.subject)
            kept, found = (row.held, row.before + sum(row.spent.values())), (held.pop(key, 0), spent.pop(key, 0))
            if kept != found:
                which = and_(TALLY.c.account_id == row.account_id, TALLY.c.name == row.name, TALLY.c.subject == row.subject)
                repair = _statement(update(TALLY).where(which).values(held=found[0])) if kept[1] == found[1] else None
                yield self._found(row, f"tally {key[1]!r} keeps {kept} as held and charged, but they add up to {found}", repair)
        for account_id, lost in {key for key, amount in [*held.items(), *spent.items()] if amount}:
            yield Finding(account=self._names[account_id], fact=f"holds or charges are counted in {lost!r}, which is kept nowhere")

    def transfers(self) -> Findings:
        """What left one account came into another; proved only of all accounts together."""
        if not self._is_whole:
            return
        moved = self._connection.scalar(select(func.sum(POSTING.c.amount)).where(POSTING.c.book == Book.transferred.value))
        if moved:
            yield Finding(account="", fact=f"{moved} more left accounts by transfers than came into others")

    def strays(self) -> Findings:
        """History belongs to accounts that there are; proved only of all accounts together."""
        for table in (ENTRY, POSTING, HOLD) if self._is_whole else ():
            query = select(table.c.account_id).where(table.c.account_id.not_in(select(ACCOUNT.c.id))).distinct()
            for row in self._rows(query):
                yield Finding(account=f"number {row.account_id}", fact=f"{table.name} has rows of it, but there is no such account")

    # Any: a row's columns have many types.
    def _rows(self, query: Select[Any]) -> Iterator[Row[Any]]:
        yield from self._connection.execute(query)

    def _found(self, row: Row[Any], fact: str, repair: str | None = None) -> Finding:
        return Finding(account=self._names[row.account_id], fact=fact, repair=repair)

    def _by_account(self, account_id: Column[Any], *sums: ColumnElement[Any]) -> dict[int, tuple[int, ...]]:
        query = select(account_id, *sums).where(account_id.in_(self._all)).group_by(account_id)
        # PostgreSQL sums whole numbers as decimals.
        return {row[0]: tuple(int(value) for value in row[1:]) for row in self._connection.execute(query)}


def _statement(repair: Update) -> str:
    """Write a repair as SQL that both databases read."""
    return str(repair.compile(compile_kwargs={"literal_binds": True})).replace("\n", "")


def _freeze(connection: Connection) -> None:
    """Begin a transaction whose statements all see the same state."""
    if connection.dialect.name != "sqlite":
        connection.execution_options(isolation_level="REPEATABLE READ")
        return
    connection.begin()
    driver = connection.connection.driver_connection
    # By default the driver opens a transaction only to write; a host may have set it up to do so at once.
    if driver is not None and not driver.in_transaction:
        connection.exec_driver_sql("BEGIN")
