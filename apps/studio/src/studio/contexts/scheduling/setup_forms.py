"""Forms of rooms, opening hours and rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    HiddenField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from studio.contexts.scheduling.fields import MoneyField, options
from studio.contexts.scheduling.shapes import RoomView
from studio.contexts.scheduling.values import DAY_MINUTES, Opening
from studio.web.forms import StudioForm

ROOM_KINDS = [
    ("live", _l("Live room")),
    ("control", _l("Control room")),
    ("booth", _l("Booth")),
    ("mix", _l("Mixing")),
    ("mastering", _l("Mastering")),
    ("rehearsal", _l("Rehearsal")),
    ("podcast", _l("Podcast")),
]
WEEKDAYS = [
    (0, _l("Monday")),
    (1, _l("Tuesday")),
    (2, _l("Wednesday")),
    (3, _l("Thursday")),
    (4, _l("Friday")),
    (5, _l("Saturday")),
    (6, _l("Sunday")),
]
GRIDS = [(15, _l("15 minutes")), (30, _l("30 minutes")), (60, _l("60 minutes"))]


class RoomForm(StudioForm):
    """A room, whole."""

    version = HiddenField()
    name = StringField(_l("Name"), [DataRequired(_l("Give the room a name.")), Length(max=120)])
    kind = SelectField(_l("Kind"), choices=options(ROOM_KINDS))
    capacity = IntegerField(_l("People it holds"), [InputRequired(), NumberRange(1, 999)], default=4)
    description = TextAreaField(_l("What is in it"), [Optional(), Length(max=2000)], description=_l("Shown on your public page."))
    slot_minutes = SelectField(_l("Bookings start every"), coerce=int, choices=options(GRIDS), default=30)
    min_minutes = IntegerField(_l("Shortest online booking, in minutes"), [InputRequired(), NumberRange(15, DAY_MINUTES)], default=60)
    max_minutes = IntegerField(_l("Longest online booking, in minutes"), [InputRequired(), NumberRange(15, DAY_MINUTES)], default=720)
    min_notice_hours = IntegerField(_l("Notice for online bookings, in hours"), [InputRequired(), NumberRange(0, 720)], default=2)
    horizon_days = IntegerField(_l("Bookable online how many days ahead"), [InputRequired(), NumberRange(1, 365)], default=90)
    is_public = BooleanField(_l("Can be booked on the public page"), default=True)


class RoomRow(Form):
    """A room in the wizard: only what is needed to begin."""

    public_id = HiddenField()
    name = StringField(_l("Name"), [DataRequired(_l("Give the room a name.")), Length(max=120)])
    kind = SelectField(_l("Kind"), choices=options(ROOM_KINDS), default="live")
    capacity = IntegerField(_l("People"), [InputRequired(_l("How many people does it hold?")), NumberRange(1, 999)], default=4)


class RoomsForm(StudioForm):
    """The rooms of a new studio; rows are added and removed by buttons that need no JavaScript."""

    rooms = FieldList(FormField(RoomRow), min_entries=1, max_entries=50)


class DayRow(Form):
    """One weekday's hours."""

    is_open = BooleanField(_l("Open"))
    opens = TimeField(_l("From"), [Optional()])
    closes = TimeField(_l("To"), [Optional()])

    def validate(self, extra_validators: Any = None) -> bool:  # Any: WTForms' own
        """An open day needs both times."""
        if not super().validate(extra_validators):
            return False
        if self.is_open.data and (self.opens.data is None or self.closes.data is None):
            self.opens.errors = [_("Enter when it opens and closes.")]
            return False
        return True


class HoursForm(StudioForm):
    """A week of opening hours: one opening a day; closing at or before the opening means the next day."""

    days = FieldList(FormField(DayRow), min_entries=7, max_entries=7)

    def fill(self, hours: Iterable[Opening]) -> None:
        """Show some openings."""
        by_day = {h.weekday: h for h in hours}
        for weekday, row in enumerate(self.days):
            found = by_day.get(weekday)
            row.form.is_open.data = found is not None
            row.form.opens.data = _time(found.opens_minute if found else 600)
            row.form.closes.data = _time(found.closes_minute if found else 1320)

    def openings(self, room_id: int | None = None) -> list[Opening]:
        """What was filled in."""
        found = []
        for weekday, row in enumerate(self.days):
            if row.form.is_open.data:
                opens, closes = _minute(row.form.opens.data), _minute(row.form.closes.data)
                closes = closes if closes > opens else closes + DAY_MINUTES
                found.append(Opening(room_id=room_id, weekday=weekday, opens_minute=opens, closes_minute=closes))
        return found


class RateRow(Form):
    """One room's hourly price."""

    public_id = HiddenField()
    price = MoneyField(_l("Price of an hour"), [InputRequired(_l("Enter the price of an hour."))])


class RatesForm(StudioForm):
    """The hourly price of each room."""

    rates = FieldList(FormField(RateRow))

    def fill(self, rooms: Sequence[RoomView], prices: dict[int, int], default: int | None) -> None:
        """One row for each room, with the price it has, else a default in minor units."""
        while len(self.rates):
            self.rates.pop_entry()
        for found in rooms:
            self.rates.append_entry({"public_id": found.public_id, "price": prices.get(found.id, default)})

    def use(self, currency: str) -> None:
        """Read and show amounts in this currency."""
        for row in self.rates:
            row.form.price.use(currency)


class SpecialRateForm(StudioForm):
    """A rate for some days and hours."""

    name = StringField(_l("Name"), [DataRequired(_l("Name it, such as Evenings.")), Length(max=120)])
    room = SelectField(_l("Room"))
    price = MoneyField(_l("Price of an hour"), [InputRequired(_l("Enter the price of an hour."))])
    weekdays = SelectMultipleField(
        _l("Days"), coerce=int, choices=options(WEEKDAYS), widget=ListWidget(prefix_label=False), option_widget=CheckboxInput()
    )
    from_time = TimeField(_l("From"), [InputRequired()])
    to_time = TimeField(_l("To"), [InputRequired()])

    def minutes(self) -> tuple[int, int]:
        """From and to in minutes; an end at midnight is the end of the day."""
        return _minute(self.from_time.data), _minute(self.to_time.data) or DAY_MINUTES


def _time(minute: int) -> Any:  # Any: WTForms' field data
    return (datetime.min + timedelta(minutes=minute % DAY_MINUTES)).time()  # noqa: DTZ901  # only its time of day is used


def _minute(time: Any) -> int:  # Any: WTForms' field data
    return int(time.hour) * 60 + int(time.minute)
