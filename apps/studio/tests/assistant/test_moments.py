"""Days, hours and lengths as people write them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.assistant.moments import Days, Hours, read, wall

TODAY = date(2026, 11, 23)  # a Monday


def day(year: int, month: int, number: int) -> Days:
    return Days(first=date(year, month, number), last=date.fromordinal(date(year, month, number).toordinal() + 1))


@pytest.mark.parametrize(
    ("words", "days"),
    [
        ("today", day(2026, 11, 23)),
        ("tomorrow", day(2026, 11, 24)),
        ("the day after tomorrow", day(2026, 11, 25)),
        ("aujourd’hui", day(2026, 11, 23)),
        ("demain", day(2026, 11, 24)),
        ("après-demain", day(2026, 11, 25)),
        ("on Friday", day(2026, 11, 27)),
        ("monday", day(2026, 11, 23)),
        ("next monday", day(2026, 11, 30)),
        ("vendredi prochain", day(2026, 11, 27)),
        ("on 2026-12-03", day(2026, 12, 3)),
        ("le 3 décembre", day(2026, 12, 3)),
        ("on 1st of January", day(2027, 1, 1)),
        ("le 1er janvier 2028", day(2028, 1, 1)),
        ("December 3rd", day(2026, 12, 3)),
        ("3/12", day(2026, 12, 3)),
        ("3/12/2027", day(2027, 12, 3)),
        ("20 November", day(2026, 11, 20)),
        ("this week", Days(first=TODAY, last=date(2026, 11, 30))),
        ("la semaine prochaine", Days(first=date(2026, 11, 30), last=date(2026, 12, 7))),
        ("31/02", None),
        ("2026-13-01", None),
        ("0 December", None),
        ("Studio A", None),
    ],
)
def test_days_are_understood_in_english_and_french(words, days):
    assert read(words, TODAY).days == days


@pytest.mark.parametrize(
    ("words", "hours"),
    [
        ("14-18", (14, 18)),
        ("14:00–18:00", (14, 18)),
        ("from 14 to 18", (14, 18)),
        ("de 14h à 18h", (14, 18)),
        ("14h30 à 18h", (14.5, 18)),
        ("2pm-6pm", (14, 18)),
        ("2-6pm", (14, 18)),
        ("11-2pm", (11, 14)),
        ("9am to noon", None),
        ("22-4", (22, 28)),
        ("20h-24h", (20, 24)),
        ("25-26", None),
        ("14-18:75", None),
        ("at 14:00 for 3 hours", (14, 17)),
        ("à 9h pendant 90 minutes", (9, 10.5)),
    ],
)
def test_hours_are_understood_in_english_and_french(words, hours):
    expected = Hours(from_minute=int(hours[0] * 60), to_minute=int(hours[1] * 60)) if hours else None

    assert read(words, TODAY).hours == expected


@pytest.mark.parametrize(
    ("words", "minutes"),
    [
        ("3 hours", 180),
        ("3h", 180),
        ("1h30", 90),
        ("2.5 hours", 150),
        ("2,5 heures", 150),
        ("90 min", 90),
        ("an hour", 60),
        ("une demi-heure", 30),
        ("0 hours", None),
    ],
)
def test_lengths_are_understood_in_english_and_french(words, minutes):
    assert read(words, TODAY).minutes == minutes


def test_what_is_no_time_is_left_over():
    said = read("Studio 2 tomorrow 14-18 for The 1975", TODAY)

    assert said.rest == "Studio 2 for The 1975"


def test_wall_clock_minutes_past_midnight_are_the_next_day():
    assert wall(date(2026, 12, 31), 1440 + 90) == "2027-01-01T01:30"


@given(st.text(max_size=200))
def test_no_sentence_is_too_odd_to_read(sentence):
    said = read(sentence, TODAY)

    assert said.days is None or said.days.first < said.days.last
    assert said.hours is None or 0 <= said.hours.from_minute < said.hours.to_minute <= 2880 + 6000
    assert said.minutes is None or said.minutes > 0


@given(st.text(alphabet="0123456789-/:h amp toàdefr", max_size=60))
def test_no_row_of_numbers_is_too_odd_to_read(sentence):
    said = read(sentence, TODAY)

    assert said.hours is None or wall(TODAY, said.hours.to_minute) > wall(TODAY, said.hours.from_minute)
