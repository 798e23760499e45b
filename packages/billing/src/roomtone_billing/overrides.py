"""Exceptions for one account: made, listed and taken back by named people, for stated reasons."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from .decision import Source
from .entitlement import Override
from .errors import KeyReused, UnknownAccount, UnknownOverride
from .models import AccountRow, OverrideRow
from .transactions import writing


def add(engine: Engine, account: str, wanted: Override, *, key: str) -> Override:
    """Store the exception once for its key; returns it as stored, with its id.

    Raises:
        UnknownAccount: billing has never heard of it.
        KeyReused: the key stands for another exception.
    """
    with writing(engine) as session:
        if session.get(AccountRow, account, with_for_update=True) is None:
            raise UnknownAccount(account)
        row = session.scalar(select(OverrideRow).where(OverrideRow.account == account, OverrideRow.key == key))
        if row is not None:
            before, now = (row.feature, row.source, row.granted), (wanted.feature, wanted.source.value, wanted.units)
            if before != now:
                raise KeyReused(key, before=str(before), now=str(now))
            return view(row)
        row = OverrideRow(
            account=account,
            feature=wanted.feature,
            source=wanted.source,
            key=key,
            granted=wanted.units,
            units=wanted.units,
            reason=wanted.reason,
            actor=wanted.actor,
            created_at=wanted.created_at,
            until=wanted.until,
        )
        session.add(row)
        session.flush()
        return view(row)


def revoke(engine: Engine, account: str, override: int, *, actor: str, now: datetime) -> Override:
    """Take the account's exception back; one taken back before stays as it was.

    Raises:
        UnknownOverride: the account has no exception of that id.
    """
    with writing(engine) as session:
        row = session.get(OverrideRow, override, with_for_update=True)
        if row is None or row.account != account:
            raise UnknownOverride(account, override)
        if row.revoked_at is None:
            row.revoked_at, row.revoked_by = now, actor
        return view(row)


def listed(engine: Engine, account: str) -> list[Override]:
    """Every exception the account ever had, newest first."""
    with Session(engine) as session:
        rows = session.scalars(select(OverrideRow).where(OverrideRow.account == account).order_by(OverrideRow.id.desc()))
        return [view(row) for row in rows]


def view(row: OverrideRow) -> Override:
    """The row as a value."""
    return Override(
        id=row.id,
        feature=row.feature,
        source=Source(row.source),
        units=row.units,
        reason=row.reason,
        actor=row.actor,
        created_at=row.created_at,
        until=row.until,
        revoked_at=row.revoked_at,
        revoked_by=row.revoked_by,
    )
