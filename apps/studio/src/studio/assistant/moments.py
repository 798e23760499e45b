"""Days, hours and lengths as people write them in English and French, taken out of a sentence. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time, timedelta

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan janvier janv", "february feb février fevrier févr fevr", "march mar mars", "april apr avril avr", "may mai",
            "june jun juin", "july jul juillet juil", "august aug août aout", "september sep sept septembre", "october oct octobre",
            "november nov novembre", "december dec décembre decembre déc",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        ("monday lundi", "tuesday mardi", "wednesday mercredi", "thursday jeudi", "friday vendredi", "saturday samedi", "sunday dimanche")
    )
    for name in names.split()
}
_RELATIVE = {
    "the day after tomorrow": 2, "day after tomorrow": 2, "après-demain": 2, "apres-demain": 2, "après demain": 2, "apres demain": 2,
    "tomorrow": 1, "demain": 1, "today": 0, "tonight": 0, "aujourd'hui": 0, "aujourd’hui": 0, "ce soir": 0, "yesterday": -1, "hier": -1,
}  # fmt: skip
_MONTH, _WEEKDAY = "|".join(sorted(_MONTHS, key=len, reverse=True)), "|".join(_WEEKDAYS)
_CLOCK = r"(\d{1,2})(?:\s*[:h]\s*(\d{2}))?\s*(?:h(?:eures?|rs?)?\b|o'clock)?\s*(am|pm)?"

_ISO = re.compile(r"(?:\b(?:on|le)\s+)?\b(\d{4})-(\d{2})-(\d{2})\b")
_SLASHED = re.compile(r"(?:\b(?:on|le)\s+)?\b(\d{1,2})/(\d{1,2})(?:/(\d{4}))?\b")
_DAY_MONTH = re.compile(
    rf"(?:\b(?:on|le)\s+)?(?:the\s+)?\b(\d{{1,2}})(?:st|nd|rd|th|er)?\s+(?:of\s+)?({_MONTH})\b\.?(?:\s+(\d{{4}})\b)?", re.IGNORECASE
)
_MONTH_DAY = re.compile(rf"(?:\bon\s+)?\b({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(\d{{4}})\b)?", re.IGNORECASE)
_NAMED = re.compile(rf"(?:\b(?:on|next|this|le|ce)\s+)*\b({_WEEKDAY})\b(?:\s+(prochain))?", re.IGNORECASE)
_RELATED = re.compile("|".join(rf"\b{re.escape(words)}\b" for words in _RELATIVE), re.IGNORECASE)
_WEEK = re.compile(r"\b(this week|cette semaine|next week|(?:la )?semaine prochaine)\b", re.IGNORECASE)
_HOURS = re.compile(
    rf"(?:\b(?:from|between|de|entre)\s+)?\b{_CLOCK}\s*(?:-|–|—|\bto\b|\btill\b|\buntil\b|\band\b|à|\bet\b|jusqu'à)\s*{_CLOCK}",
    re.IGNORECASE,
)
_START = re.compile(rf"\b(?:at|from|à|dès)\s+{_CLOCK}", re.IGNORECASE)
_LENGTH = re.compile(
    r"(?:\b(?:for|of|during|pendant|de|d'|durant)\s*)?\b(?:(\d{1,2})\s*h\s*(\d{2})\b|(\d{1,2})(?:[.,](\d))?\s*-?\s*(?:hours?|heures?|hrs?|h)\b"
    r"|(\d{2,3})\s*-?\s*(?:minutes?|mins?)\b|(half an hour|une demi-heure)|(an|one|une)\s+(?:hour|heure)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Days:
    """Whole days: from the first up to, and without, the last."""

    first: date
    last: date


@dataclass(frozen=True, kw_only=True)
class Hours:
    """Wall-clock minutes after midnight; past 1440 is the next day."""

    from_minute: int
    to_minute: int


@dataclass(frozen=True, kw_only=True)
class Moments:
    """What a sentence says about time, and the sentence without it."""

    days: Days | None
    hours: Hours | None
    minutes: int | None
    rest: str


def read(sentence: str, today: date) -> Moments:
    """Take days, hours and a length out of a sentence, each at most once. What cannot be a date or an hour stays in it."""
    days, rest = _days(sentence, today)
    hours, rest = _hours(rest)
    start, without_start = _start(rest) if hours is None else (None, rest)
    minutes, left = _length(without_start)
    if start is not None and minutes is not None:
        hours, rest = Hours(from_minute=start, to_minute=start + minutes), left
    else:
        minutes, rest = _length(rest)
    return Moments(days=days, hours=hours, minutes=minutes, rest=" ".join(rest.split()))


def _days(text: str, today: date) -> tuple[Days | None, str]:
    if found := _WEEK.search(text):
        monday = today - timedelta(days=today.weekday())
        is_this = found[1].lower() in {"this week", "cette semaine"}
        first = today if is_this else monday + timedelta(days=7)
        return Days(first=first, last=monday + timedelta(days=7 if is_this else 14)), _without(text, found)
    for pattern, day_of in _DATES.items():
        found = pattern.search(text)
        day = day_of(found, today) if found else None
        if found and day:
            return Days(first=day, last=day + timedelta(days=1)), _without(text, found)
    return None, text


def _iso(found: re.Match[str], _today: date) -> date | None:
    return _date(int(found[1]), int(found[2]), int(found[3]))


def _slashed(found: re.Match[str], today: date) -> date | None:
    return _nearest(found[3], int(found[2]), int(found[1]), today)


def _day_month(found: re.Match[str], today: date) -> date | None:
    return _nearest(found[3], _MONTHS[found[2].lower()], int(found[1]), today)


def _month_day(found: re.Match[str], today: date) -> date | None:
    return _nearest(found[3], _MONTHS[found[1].lower()], int(found[2]), today)


def _named(found: re.Match[str], today: date) -> date | None:
    ahead = (_WEEKDAYS[found[1].lower()] - today.weekday()) % 7
    is_next = "next" in found[0].lower() or found[2] is not None
    return today + timedelta(days=ahead or (7 if is_next else 0))


def _related(found: re.Match[str], today: date) -> date | None:
    return today + timedelta(days=_RELATIVE[found[0].lower()])


_DATES = {_ISO: _iso, _DAY_MONTH: _day_month, _MONTH_DAY: _month_day, _SLASHED: _slashed, _RELATED: _related, _NAMED: _named}


def _nearest(year: str | None, month: int, day: int, today: date) -> date | None:
    """The date; without a year, the one closest to today."""
    years = [int(year)] if year else [today.year - 1, today.year, today.year + 1]
    dates = [found for y in years if (found := _date(y, month, day))]
    return min(dates, key=lambda found: abs(found - today), default=None)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _hours(text: str) -> tuple[Hours | None, str]:
    for found in _HOURS.finditer(text):
        first = _minute(found[1], found[2], found[3] or (found[6] if found[1] != "12" else None))
        last = _minute(found[4], found[5], found[6])
        if first is None or last is None:
            continue
        if found[6] and not found[3] and first > last:  # 11-2pm begins in the morning
            first -= 720
        return Hours(from_minute=first, to_minute=last if last > first else last + 1440), _without(text, found)
    return None, text


def _start(text: str) -> tuple[int | None, str]:
    found = _START.search(text)
    first = _minute(found[1], found[2], found[3]) if found else None
    return (first, _without(text, found)) if found and first is not None else (None, text)


def _minute(hour: str, minute: str | None, half: str | None) -> int | None:
    number, past = int(hour), int(minute or 0)
    if half:
        number = number % 12 + (12 if half.lower() == "pm" else 0) if number <= 12 else 99
    return number * 60 + past if (number < 24 or (number == 24 and past == 0)) and past < 60 else None


def _length(text: str) -> tuple[int | None, str]:
    found = _LENGTH.search(text)
    if not found:
        return None, text
    hours, past, whole, tenth, minutes, half, _one = found.groups()
    if hours:
        length = int(hours) * 60 + int(past)
    elif whole:
        length = int(whole) * 60 + int(tenth or 0) * 6
    else:
        length = int(minutes) if minutes else 30 if half else 60
    return length or None, _without(text, found)


def _without(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]} {text[found.end() :]}"


def wall(day: date, minute: int) -> str:
    """A wall-clock minute after a day's midnight, as the tools take it: 2026-11-24T14:00."""
    moment = day + timedelta(days=minute // 1440)
    return f"{moment.isoformat()}T{time(minute % 1440 // 60, minute % 60).isoformat('minutes')}"
