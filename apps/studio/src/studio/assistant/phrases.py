"""The offline model's sentences, in English and French. It answers in the language of the question, which need not be the page's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from babel.dates import format_date, format_time

from studio.assistant.moments import Days

Row = Mapping[str, Any]  # Any: a tool's JSON


@dataclass(frozen=True, kw_only=True)
class Phrases:
    """One language's words. `{}` names are filled in from tools' results."""

    locale: str
    on: str
    between: str
    nothing: str
    nothing_in: str
    one: str
    many: str
    more: str
    is_free: str
    is_free_unpriced: str
    not_free: str
    slots: str
    no_slots: str
    card: str
    needs: Mapping[str, str]
    help: str

    def abilities(self) -> str:
        """What it can do, with examples."""
        return self.help

    def missing(self, what: str) -> str:
        """What a wish needs."""
        return self.needs[what]

    def listed(self, bookings: Sequence[Row], days: Days, room: str | None, *, more: bool) -> str:
        """What is booked, a line each; with the day when there are several."""
        when, several = self._days(days), days.last - days.first > timedelta(days=1)
        if not bookings:
            return _sentence(self.nothing_in.format(room=room, when=when) if room else self.nothing.format(when=when))
        head = self.one.format(when=when) if len(bookings) == 1 else self.many.format(count=len(bookings), when=when)
        lines = [f"• {self._span(b, with_day=several)} · {b['room']} · {b['client'] or b['title']} ({b['code']})" for b in bookings]
        return "\n".join([_sentence(head), *lines, *([self.more] if more else [])])

    def found(self, slots: Sequence[Row], minutes: int, days: Days) -> str:
        """The free slots, a line each."""
        length = f"{minutes // 60} h {minutes % 60:02d}" if minutes % 60 else f"{minutes // 60} h"
        if not slots:
            return _sentence(self.no_slots.format(length=length, when=self._days(days)))
        lines = [" · ".join(["• " + self._span(s, with_day=True), s["room"], *([s["price"]] if s["price"] else [])]) for s in slots]
        return "\n".join([_sentence(self.slots.format(length=length)), *lines])

    def checked(self, result: Row) -> str:
        """Whether a room can be had, and for how much; else why not."""
        if not result["is_free"]:
            return self.not_free.format(reason=result["reason"])
        words = self.is_free if result["price"] else self.is_free_unpriced
        return words.format(room=result["room"], when=self._span(result, with_day=True), price=result["price"])

    def proposed(self, result: Row) -> str:
        """That a card waits for the person."""
        when = self._span(result, with_day=True)
        return self.card.format(room=result["room"], when=when, client=result["client"], price=result["price"])

    def _days(self, days: Days) -> str:
        last = days.last - timedelta(days=1)
        if last == days.first:
            return self.on.format(day=self._day(days.first))
        return self.between.format(first=self._day(days.first), last=self._day(last))

    def _day(self, day: date) -> str:
        return str(format_date(day, "EEEE d MMMM", locale=self.locale))

    def _span(self, row: Row, *, with_day: bool) -> str:
        start, end = datetime.fromisoformat(row["starts_at"]), datetime.fromisoformat(row["ends_at"])
        hours = f"{format_time(start, 'HH:mm', locale=self.locale)}–{format_time(end, 'HH:mm', locale=self.locale)}"
        return f"{self._day(start.date())}, {hours}" if with_day else hours


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


ENGLISH = Phrases(
    locale="en",
    on="on {day}",
    between="from {first} to {last}",
    nothing="nothing is booked {when}.",
    nothing_in="nothing is booked in {room} {when}.",
    one="there is one booking {when}:",
    many="there are {count} bookings {when}:",
    more="There may be more: ask about fewer days.",
    is_free="Yes, {room} is free on {when}. It costs {price}.",
    is_free_unpriced="Yes, {room} is free on {when}.",
    not_free="No. {reason}",
    slots="these times are free for {length}:",
    no_slots="no {length} are free {when}.",
    card="I prepared {room} on {when} for {client}, at {price}. Nothing is booked until you confirm it on the card.",
    needs={
        "room": "Which room? For example: “is Studio A free tomorrow 14-18?”",
        "day": "There is no such day or time. Write a day such as 2026-12-03, “tomorrow” or “Friday”.",
        "hours": "From when to when? For example: “tomorrow 14-18”.",
        "client": "For whom? For example: “book Studio A tomorrow 14-18 for Nora Lind”.",
    },
    help=(
        "I look into your rooms and bookings, and prepare bookings for you to confirm. Ask me, for example:\n"
        "• What is booked tomorrow?\n• Is Studio A free tomorrow 14-18?\n• Find a free slot of 3 hours this week\n"
        "• Book Studio A tomorrow 14-18 for Nora Lind"
    ),
)

FRENCH = Phrases(
    locale="fr",
    on="le {day}",
    between="du {first} au {last}",
    nothing="rien n’est réservé {when}.",
    nothing_in="rien n’est réservé en {room} {when}.",
    one="il y a une réservation {when} :",
    many="il y a {count} réservations {when} :",
    more="Il y en a peut-être d’autres : demandez moins de jours.",
    is_free="Oui, {room} est libre le {when}. Prix : {price}.",
    is_free_unpriced="Oui, {room} est libre le {when}.",
    not_free="Non. {reason}",
    slots="ces horaires sont libres pour {length} :",
    no_slots="il n’y a pas {length} de libre {when}.",
    card="J’ai préparé {room} le {when} pour {client}, à {price}. Rien n’est réservé tant que vous n’avez pas confirmé sur la carte.",
    needs={
        "room": "Quelle salle ? Par exemple : « Studio A est-il libre demain 14h-18h ? »",
        "day": "Ce jour ou cette heure n’existe pas. Écrivez par exemple 2026-12-03, « demain » ou « vendredi ».",
        "hours": "De quelle heure à quelle heure ? Par exemple : « demain 14h-18h ».",
        "client": "Pour qui ? Par exemple : « réserve Studio A demain 14h-18h pour Nora Lind ».",
    },
    help=(
        "Je consulte vos salles et vos réservations, et je prépare des réservations que vous confirmez. Demandez-moi par exemple :\n"
        "• Qu’est-ce qui est réservé demain ?\n• Studio A est-il libre demain 14h-18h ?\n• Trouve un créneau de 3 heures cette semaine\n"
        "• Réserve Studio A demain 14h-18h pour Nora Lind"
    ),
)


def phrases(locale: str) -> Phrases:
    """The words of a language; English for one that it does not speak."""
    return FRENCH if locale == "fr" else ENGLISH
