"""What the offline model understands, in English and French. Pure: a sentence and a day in, a wish out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from studio.assistant.moments import Days, Hours, read


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What is booked on these days, in one room or all."""

    days: Days
    room: str | None


@dataclass(frozen=True, kw_only=True)
class Checking:
    """Whether a room is free then."""

    room: str
    day: date
    hours: Hours


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A free slot of this length on these days, in one room or any."""

    minutes: int
    days: Days
    room: str | None


@dataclass(frozen=True, kw_only=True)
class Wanting:
    """A booking of a room for a client."""

    room: str
    day: date
    hours: Hours
    client: str


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A wish without what it needs: `room`, `day`, `hours` or `client`."""

    what: str


Intent = Listing | Checking | Finding | Wanting | Missing | None

_FRENCH = re.compile(
    r"\b(réserv\w*|reserve[rsz]|libres?|demain|hier|aujourd|quoi|quels?|quelles?|qu'|est-ce|est-elle|est-il|créneaux?|trouve\w*|cherche\w*|cette|semaine"
    r"|pour|heures|le|la|les|un|une|bonjour|merci|salle|planning|prévue?s?|disponible|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)\b|[éèêàùç]",
    re.IGNORECASE,
)
_ENGLISH = re.compile(
    r"\b(book\w*|free|tomorrow|yesterday|today|what|which|when|is|find|slot|this|week|for|hours?|the|a|an|hello|hi|thanks|room|schedule\w*|available"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b",
    re.IGNORECASE,
)
_POLITE = (
    r"^(?:hello|hi|hey|bonjour|salut)?[\s,!]*(?:please|could you|can you|i want to|i'd like to|peux-tu|pouvez-vous"
    r"|s'il (?:te|vous) pla[iî]t|merci de|je veux|je voudrais)?[\s,]*"
)
_BOOK = re.compile(_POLITE + r"(?:book|reserve|r[ée]serve[rz]?)\s+(?P<rest>.+)$", re.IGNORECASE)
_FIND = re.compile(
    r"\b(?:find|when (?:is|can)|quand)\b|\b(?:trouve\w*|cherche\w*)\b|\bfree (?:slot|time)s?\b|\bcr[ée]neaux?\b|\bslots?\b", re.IGNORECASE
)
_FREE = re.compile(
    r"^(?:(?:est-ce que|is|are)\s+)?(?P<before>.*?)\s*\b(?:est[\s-]*(?:elle|il)\s+|est\s+|is\s+|still\s+|encore\s+)*"
    r"(?:free|available|libres?|disponibles?|dispo)\b(?P<after>.*)$",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"\b(?:booked|bookings?|scheduled?|planned|planning|agenda|calendar|calendrier|r[ée]serv[ée]e?s?|r[ée]servations?|pr[ée]vue?s?|sessions?|s[ée]ances?)\b"
    r"|\bwhat'?s? (?:is )?on\b",
    re.IGNORECASE,
)
_CHANGE = re.compile(r"\b(?:delet|cancel|remov|mov|chang|shift|annul|supprim|d[ée]plac|modifi|effac)\w*", re.IGNORECASE)  # beyond it
_IN_ROOM = re.compile(
    r"\b(?:(?:in|dans|en|au|à)\s+(?P<after>\S.*)$|(?:is|est)\s+(?P<between>.+?)\s+(?:is\s+)?(?:free|libre)\b)", re.IGNORECASE
)
_NO_DATE = re.compile(r"\b\d{1,2}/\d{1,2}\b|\b\d{4}-\d{2}-\d{2}\b")  # looks like one, but `read` left it: no such day


def language(sentence: str, default: str) -> str:
    """`fr` or `en`, by the words; `default` when they do not tell."""
    french, english = len(_FRENCH.findall(sentence)), len(_ENGLISH.findall(sentence))
    return default if french == english else "fr" if french > english else "en"


def understand(sentence: str, today: date) -> Intent:
    """What the sentence asks for; None for anything else."""
    text = " ".join(sentence.split())
    if booking := _BOOK.match(text):
        return _wanting(booking["rest"], today)
    return None if _CHANGE.search(text) else _asking(text, today)


def _asking(text: str, today: date) -> Intent:
    said = read(text, today)
    if _NO_DATE.search(said.rest):
        return Missing(what="day")
    if _FIND.search(text) and (said.minutes or not _LIST.search(text)):
        days = said.days or Days(first=today, last=today + timedelta(days=7))
        return Finding(minutes=said.minutes or _between(said.hours) or 60, days=days, room=_room(said.rest))
    if (free := _FREE.match(said.rest)) and not _LIST.search(text):
        return _checking(_plain(free["before"]) or _plain(free["after"]), said.days, said.hours, today)
    if _LIST.search(text):
        return Listing(days=said.days or Days(first=today, last=today + timedelta(days=1)), room=_room(said.rest))
    return None


def _wanting(rest: str, today: date) -> Intent:
    said = read(rest.rstrip(" .!?"), today)
    if _NO_DATE.search(said.rest):
        return Missing(what="day")
    room, client = _split(said.rest)
    if not room:
        return Missing(what="room")
    if said.hours is None:
        return Missing(what="hours")
    if not client:
        return Missing(what="client")
    return Wanting(room=room, day=said.days.first if said.days else today, hours=said.hours, client=client)


def _checking(room: str, days: Days | None, hours: Hours | None, today: date) -> Intent:
    if not room:
        return Missing(what="room")
    if hours is None:
        return Missing(what="hours")
    return Checking(room=room, day=days.first if days else today, hours=hours)


def _split(text: str) -> tuple[str, str]:
    """Room and client of 'Studio A for Nora Lind'."""
    found = re.search(r"(?:^|\s)(?:for|pour)\s+", text, re.IGNORECASE)
    return (_plain(text[: found.start()]), text[found.end() :].strip(" ,.")) if found else (_plain(text), "")


def _plain(text: str) -> str:
    """A room's name without the small words around it."""
    return re.sub(
        r"^(?:(?:the|le|la|in|dans|is|est)\s+)+|[\s,?!.]+$|\s+(?:is|est|be)$", "", text.strip(" ,?!."), flags=re.IGNORECASE
    ).strip()


def _room(rest: str) -> str | None:
    """The room that a question names, if it does."""
    found = _IN_ROOM.search(rest.rstrip(" ?!."))
    return _plain(found["after"] or found["between"]) or None if found else None


def _between(hours: Hours | None) -> int | None:
    return hours.to_minute - hours.from_minute if hours else None
