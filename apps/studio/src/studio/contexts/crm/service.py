"""Changes to clients."""

from __future__ import annotations

from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from studio.contexts.crm.models import Party
from studio.contexts.crm.queries import Client, client_of
from studio.contexts.crm.rules import PartyKind, normal_email, normal_name
from studio.errors import BadInput, NotFound, Refused


def find_or_create(db: Session, *, name: str, email: str | None = None, phone: str | None = None) -> Client:
    """The client with this e-mail, else a new person. A client found keeps the name and phone the studio gave them.

    Without an e-mail, the oldest client of this name is taken, else one is made.

    Raises:
        BadInput: the name is empty.
    """
    name, email = _required_name(name), normal_email(email)
    if found := _find(db, name=name, email=email):
        return client_of(found)
    row = Party(kind=PartyKind.person, display_name=name, email=email, phone=phone, notes="")
    try:
        with db.begin_nested():
            db.add(row)
    except IntegrityError:  # another visitor with this e-mail was a moment earlier
        found = _find(db, name=name, email=email)
        if found is None:
            raise
        return client_of(found)
    return client_of(row)


def add(db: Session, *, kind: str, name: str, email: str | None, phone: str | None, notes: str) -> Client:
    """Write a new client.

    Raises:
        BadInput: the name is empty, or another client has this e-mail.
    """
    row = Party(kind=PartyKind(kind), display_name=_required_name(name), email=normal_email(email), phone=phone or None, notes=notes)
    return _write(db, row)


def change(db: Session, public_id: str, *, version: int, kind: str, name: str, email: str | None, phone: str | None, notes: str) -> Client:
    """Change a client.

    Args:
        version: the version the person saw.

    Raises:
        NotFound: no such client.
        Refused: someone else changed it since.
        BadInput: the name is empty, or another client has this e-mail.
    """
    row = db.scalar(select(Party).where(Party.public_id == public_id).with_for_update())
    if row is None:
        raise NotFound("There is no such client.")
    if row.version != version:
        raise Refused(_("Somebody else changed this client while you were writing. Look at it again, then repeat your change."))
    row.kind, row.display_name, row.email = PartyKind(kind), _required_name(name), normal_email(email)
    row.phone, row.notes = phone or None, notes
    return _write(db, row)


def _write(db: Session, row: Party) -> Client:
    email = row.email
    try:
        with db.begin_nested():
            db.add(row)
    except IntegrityError as error:
        raise BadInput("email", _("Another client already has the e-mail %(email)s.", email=email)) from error
    return client_of(row)


def _find(db: Session, *, name: str, email: str | None) -> Party | None:
    if email is not None:
        return db.scalar(select(Party).where(Party.email == email))
    same_name = select(Party).where(func.lower(Party.display_name) == name.lower(), Party.archived_at.is_(None))
    return db.scalar(same_name.order_by(Party.id).limit(1))


def _required_name(name: str) -> str:
    if normal := normal_name(name):
        return normal
    raise BadInput("name", _("Give the client a name."))
