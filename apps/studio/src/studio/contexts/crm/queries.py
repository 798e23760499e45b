"""Clients as the pages show them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from studio.contexts.crm.models import Party
from studio.errors import NotFound

PAGE = 100


@dataclass(frozen=True, kw_only=True)
class Client:
    """A person or company, for a page."""

    id: int
    public_id: str
    kind: str
    name: str
    email: str | None
    phone: str | None
    notes: str
    version: int


def clients(db: Session, *, search: str = "", limit: int = PAGE) -> list[Client]:
    """Clients by name, at most `limit`; `search` is looked for in name, e-mail and phone."""
    query = select(Party).where(Party.archived_at.is_(None)).order_by(func.lower(Party.display_name), Party.id).limit(limit)
    if words := search.strip():
        query = query.where(or_(*(column.icontains(words, autoescape=True) for column in (Party.display_name, Party.email, Party.phone))))
    return [client_of(row) for row in db.scalars(query)]


def client(db: Session, public_id: str) -> Client:
    """One client.

    Raises:
        NotFound: no such client.
    """
    row = db.scalar(select(Party).where(Party.public_id == public_id))
    if row is None:
        raise NotFound("There is no such client.")
    return client_of(row)


def client_of(row: Party) -> Client:
    """The page's value for a row."""
    return Client(
        id=row.id,
        public_id=row.public_id,
        kind=row.kind,
        name=row.display_name,
        email=row.email,
        phone=row.phone,
        notes=row.notes,
        version=row.version,
    )
