"""Proves the books: what is kept must equal what history adds up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, and_, case, func, or_, select

from .entries import Book, EntryKind
from .errors import LedgerMismatch
from .holds import HoldState
from .ledger import ACCOUNT, ENTRY, HOLD, LOT, POSTING

Findings = Iterator[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What was proved: how many accounts and entries were looked at."""

    accounts: int
    entries: int


def verify(engine: Engine, account: str | None = None) -> Verification:
    """Check one account, or all, in one snapshot.

    Raises: LedgerMismatch, naming every rule that does not hold and where.
    """
    with engine.connect() as connection:
        _freeze(connection)
        query = select(ACCOUNT.c.id, ACCOUNT.c.account)
        accounts = connection.execute(query if account is None else query.where(ACCOUNT.c.account == account)).all()
        findings: list[str] = []
        entries = 0
        for account_id, name in accounts:
            for check in (_entries, _continuity, _sums, _lots, _promises, _charges):
                findings += [f"account {name!r}: {finding}" for finding in check(connection, account_id)]
            entries += connection.scalar(select(func.count()).where(ENTRY.c.account_id == account_id)) or 0
        connection.rollback()
    if findings:
        raise LedgerMismatch(findings)
    return Verification(accounts=len(accounts), entries=entries)


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


def _entries(connection: Connection, account_id: int) -> Findings:
    """Postings of an entry sum to zero, and the account's sides of them to its amount."""
    total = func.coalesce(func.sum(POSTING.c.amount), 0)
    ours = func.coalesce(func.sum(case((POSTING.c.book.in_((Book.lot.value, Book.debt.value)), POSTING.c.amount), else_=0)), 0)
    joined = ENTRY.outerjoin(POSTING, and_(POSTING.c.account_id == ENTRY.c.account_id, POSTING.c.seq == ENTRY.c.seq))
    query = select(ENTRY.c.seq, ENTRY.c.amount, total, ours).select_from(joined).where(ENTRY.c.account_id == account_id)
    query = query.group_by(ENTRY.c.account_id, ENTRY.c.seq, ENTRY.c.amount).having(or_(total != 0, ours != ENTRY.c.amount))
    for seq, amount, found, moved in connection.execute(query):
        yield f"entry {seq} says {amount}, its postings move {moved} and sum to {found}"


def _continuity(connection: Connection, account_id: int) -> Findings:
    """Entries are numbered without a gap, and each balance follows from the one before."""
    before = func.lag(ENTRY.c.balance_after, 1, 0).over(order_by=ENTRY.c.seq)
    place = func.row_number().over(order_by=ENTRY.c.seq)
    rows = select(ENTRY.c.seq, ENTRY.c.amount, ENTRY.c.balance_after, before.label("before"), place.label("place"))
    lines = rows.where(ENTRY.c.account_id == account_id).subquery()
    wrong = or_(lines.c.balance_after != lines.c.before + lines.c.amount, lines.c.seq != lines.c.place)
    for line in connection.execute(select(lines).where(wrong)):
        yield f"entry {line.seq} is number {line.place} and goes from {line.before} by {line.amount} to {line.balance_after}"


def _sums(connection: Connection, account_id: int) -> Findings:
    """The sums on the account's row are those of its history and of its lots."""
    row = connection.execute(select(ACCOUNT).where(ACCOUNT.c.id == account_id)).one()
    seq, moved = connection.execute(
        select(func.coalesce(func.max(ENTRY.c.seq), 0), func.coalesce(func.sum(ENTRY.c.amount), 0)).where(ENTRY.c.account_id == account_id)
    ).one()
    count, remaining, held = connection.execute(
        select(func.count(), func.coalesce(func.sum(LOT.c.remaining), 0), func.coalesce(func.sum(LOT.c.held), 0)).where(
            LOT.c.account_id == account_id
        )
    ).one()
    owed = select(func.coalesce(-func.sum(POSTING.c.amount), 0)).where(
        POSTING.c.account_id == account_id, POSTING.c.book == Book.debt.value
    )
    facts = [
        ("seq", row.seq, seq),
        ("lot_count", row.lot_count, count),
        ("balance by history", row.balance, moved),
        ("balance by lots and debt", row.balance, remaining - row.debt),
        ("debt", row.debt, connection.scalar(owed)),
        ("held", row.held, held),
    ]
    for name, kept, found in facts:
        if kept != found:
            yield f"{name} is kept as {kept}, but adds up to {found}"


def _lots(connection: Connection, account_id: int) -> Findings:
    """What remains of a lot is what was posted to it; one with credit left is open."""
    posted = func.coalesce(func.sum(POSTING.c.amount), 0)
    joined = LOT.outerjoin(POSTING, and_(POSTING.c.account_id == LOT.c.account_id, POSTING.c.lot == LOT.c.number))
    query = select(LOT.c.number, LOT.c.remaining, LOT.c.is_open, posted).select_from(joined).where(LOT.c.account_id == account_id)
    query = query.group_by(LOT.c.account_id, LOT.c.number, LOT.c.remaining, LOT.c.is_open)
    for number, remaining, is_open, found in connection.execute(
        query.having(or_(posted != LOT.c.remaining, and_(LOT.c.remaining != 0, ~LOT.c.is_open)))
    ):
        yield f"lot {number} (open: {is_open}) keeps {remaining}, but its postings sum to {found}"


def _promises(connection: Connection, account_id: int) -> Findings:
    """Each lot holds exactly what open holds promise of it, and each open hold all it was made for."""
    promised: Counter[int] = Counter()
    for hold in connection.execute(select(HOLD).where(HOLD.c.account_id == account_id, HOLD.c.state == HoldState.open.value)):
        for number, amount in hold.slices.items():
            promised[int(number)] += amount
        if sum(hold.slices.values()) != hold.amount:
            yield f"hold {hold.id!r} is for {hold.amount}, but promises {sum(hold.slices.values())}"
    for number, held in connection.execute(select(LOT.c.number, LOT.c.held).where(LOT.c.account_id == account_id, LOT.c.held != 0)):
        promised[number] -= held
    for number, difference in promised.items():
        if difference:
            yield f"lot {number} holds {-difference} more than open holds promise of it"


def _charges(connection: Connection, account_id: int) -> Findings:
    """Every settled hold has its one charge, and every charge its settled hold."""
    settled = select(HOLD).where(HOLD.c.account_id == account_id, HOLD.c.state == HoldState.settled.value).subquery()
    charges = select(ENTRY).where(ENTRY.c.account_id == account_id, ENTRY.c.kind == EntryKind.charge.value).subquery()
    pairs = settled.join(charges, settled.c.id == charges.c.hold_id, full=True)
    query = select(settled.c.id, charges.c.seq, settled.c.charged, charges.c.amount).select_from(pairs)
    wrong = or_(settled.c.id.is_(None), charges.c.seq.is_(None), settled.c.charged != -charges.c.amount)
    for hold_id, seq, charged, amount in connection.execute(query.where(wrong)):
        yield f"hold {hold_id!r} was charged {charged}, but entry {seq} says {amount}"
