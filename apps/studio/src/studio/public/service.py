"""A visitor's booking: made once however often the button is pressed, confirmed by e-mail, cancelled by its own link."""

from __future__ import annotations

import hashlib
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from studio.contexts.scheduling import queries, service
from studio.contexts.scheduling.errors import span_text
from studio.contexts.scheduling.service import ClientInput
from studio.contexts.scheduling.shapes import BookingView
from studio.contexts.scheduling.values import Source, Span, State
from studio.contexts.settings.queries import Settings
from studio.errors import NotFound, Refused
from studio.platform import mail
from studio.web.page import money


def book(db: Session, *, token: str, room: str, span: Span, client: ClientInput, notes: str, now: datetime) -> BookingView:
    """Book for a visitor.

    Args:
        token: of the page they booked from; with the same choice it makes the same booking.

    Raises:
        NotFound: no such room.
        BookingRefused: taken, closed or against the room's online rules, without naming other clients.
    """
    facts = [token, room, span.starts_at.isoformat(), str(span.minutes), (client.email or "").lower()]
    key = f"public:{hashlib.sha256('|'.join(facts).encode()).hexdigest()}"
    return service.create_booking(
        db, room=room, span=span, source=Source.public, now=now, client=client, title=client.name, notes=notes, key=key
    )


def find(db: Session, public_id: str) -> BookingView:
    """A visitor's own booking, by its unguessable id.

    Raises:
        NotFound: there is none, or staff made it.
    """
    found = queries.booking(db, public_id)
    if found.source is not Source.public:
        raise NotFound("There is no such booking.")
    return found


def cancel(db: Session, public_id: str, *, now: datetime) -> BookingView:
    """Cancel a visitor's booking, until it begins; again is the same.

    Raises:
        NotFound: as for `find`.
        Refused: it has begun.
    """
    found = find(db, public_id)
    if found.state is not State.cancelled and found.span.starts_at <= now:
        raise Refused(_("This booking has begun, so it cannot be cancelled here. Please contact the studio."))
    return service.cancel_booking(db, public_id, now=now)


def notify_booked(control: Session, booking: BookingView, *, settings: Settings, url: str, locale: str) -> None:
    """Queue the confirmation e-mail in a control-plane transaction; for one booking once.

    Args:
        url: absolute address of the booking's page.
        locale: the visitor's language.
    """
    if booking.client is None or booking.client.email is None:
        return
    context = {
        "studio_name": settings.name,
        "booking": booking,
        "when": span_text(booking.span, settings.zone),
        "timezone": settings.timezone,
        "price": money(booking.price_minor, booking.currency),
        "url": url,
    }
    mail.enqueue(
        control,
        key=f"booking-confirmed:{booking.public_id}",
        to=booking.client.email,
        template="booking_confirmed",
        locale=locale,
        context=context,
    )
