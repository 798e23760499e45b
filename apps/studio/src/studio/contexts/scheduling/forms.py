"""Forms of bookings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import (
    DateField,
    EmailField,
    Field,
    HiddenField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.validators import DataRequired, Email, InputRequired, Length, Optional, ValidationError

from studio.contexts.scheduling.fields import options
from studio.contexts.scheduling.shapes import RoomView
from studio.contexts.scheduling.values import Span, is_bookable, to_utc
from studio.errors import BadInput
from studio.web.forms import StudioForm

STATES = [("confirmed", _l("Confirmed")), ("held", _l("On hold"))]


class PlaceForm(StudioForm):
    """Which room, and from when to when on the studio's wall clock. An end before its start is on the next day."""

    room = SelectField(_l("Room"), [DataRequired()])
    date = DateField(_l("Date"), [InputRequired(_l("Choose a date."))])
    start = TimeField(_l("From"), [InputRequired(_l("Enter when it starts."))])
    end = TimeField(_l("To"), [InputRequired(_l("Enter when it ends."))])

    def validate_date(self, field: Field) -> None:
        """A mistyped century is no date."""
        if field.data is not None and not is_bookable(field.data):
            raise ValidationError(_("Choose a date."))

    def offer(self, rooms: Sequence[RoomView]) -> None:
        """Set the rooms to choose from."""
        self.room.choices = options((r.public_id, r.name) for r in rooms)

    def place(self, span: Span, zone: ZoneInfo) -> None:
        """Fill in a time."""
        start, end = span.starts_at.astimezone(zone), span.ends_at.astimezone(zone)
        self.date.data, self.start.data, self.end.data = start.date(), start.time(), end.time()
        for field in (self.date, self.start, self.end):
            field.raw_data = None

    def span(self, zone: ZoneInfo) -> Span:
        """The time that was filled in.

        Raises:
            BadInput: the clocks skip it.
        """
        assert self.date.data is not None, "the form was validated"
        assert self.start.data is not None
        assert self.end.data is not None
        start = datetime.combine(self.date.data, self.start.data)
        end = datetime.combine(self.date.data, self.end.data)
        try:
            return Span(starts_at=to_utc(start, zone), ends_at=to_utc(end if end > start else end + timedelta(days=1), zone))
        except ValueError as error:
            raise BadInput("start", _("The clocks go forward over that time, so it does not exist.")) from error


class BookingForm(PlaceForm):
    """A booking that staff make."""

    token = HiddenField(validators=[DataRequired(), Length(min=8, max=64)])
    client = StringField(_l("Client"), [Optional(), Length(max=200)])
    email = EmailField(_l("Client's e-mail"), [Optional(), Email(_l("Enter an e-mail address such as name@example.com.")), Length(max=254)])
    title = StringField(_l("Title"), [Optional(), Length(max=200)])
    notes = TextAreaField(_l("Notes"), [Optional(), Length(max=5000)])
    state = RadioField(_l("State"), choices=options(STATES), default="confirmed")

    def validate_email(self, field: Field) -> None:
        """An address belongs to a named client."""
        if field.data and not (self.client.data or "").strip():
            raise ValidationError(_("Enter the client's name too."))


class DetailsForm(StudioForm):
    """The words of a booking."""

    version = HiddenField(validators=[DataRequired()])
    title = StringField(_l("Title"), [DataRequired(_l("Enter a title.")), Length(max=200)])
    notes = TextAreaField(_l("Notes"), [Optional(), Length(max=5000)])
    state = RadioField(_l("State"), choices=options(STATES))


class MoveForm(PlaceForm):
    """Another place for a booking."""

    version = HiddenField(validators=[DataRequired()])
