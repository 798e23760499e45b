"""What the offline model understands."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.assistant.intents import Checking, Finding, Listing, Missing, Wanting, language, understand
from studio.assistant.moments import Days, Hours

TODAY = date(2026, 11, 23)
TOMORROW = Days(first=date(2026, 11, 24), last=date(2026, 11, 25))
WEEK = Days(first=TODAY, last=date(2026, 11, 30))
AFTERNOON = Hours(from_minute=840, to_minute=1080)
BOOKING = Wanting(room="Studio A", day=TOMORROW.first, hours=AFTERNOON, client="Nora Lind")


@pytest.mark.parametrize(
    ("sentence", "intent"),
    [
        ("what is booked tomorrow?", Listing(days=TOMORROW, room=None)),
        ("What’s booked in Studio A tomorrow?", Listing(days=TOMORROW, room="Studio A")),
        ("qu'est-ce qui est réservé demain ?", Listing(days=TOMORROW, room=None)),
        ("Quoi de prévu demain ?", Listing(days=TOMORROW, room=None)),
        ("what is booked this week?", Listing(days=WEEK, room=None)),
        ("is Studio A free tomorrow 14-18?", Checking(room="Studio A", day=TOMORROW.first, hours=AFTERNOON)),
        ("Le Studio A est-il libre demain 14h-18h ?", Checking(room="Studio A", day=TOMORROW.first, hours=AFTERNOON)),
        ("est-ce que Studio A est disponible demain de 14h à 18h ?", Checking(room="Studio A", day=TOMORROW.first, hours=AFTERNOON)),
        ("find a free slot of 3 hours this week", Finding(minutes=180, days=WEEK, room=None)),
        ("When is Studio A free for 3 hours this week?", Finding(minutes=180, days=WEEK, room="Studio A")),
        ("trouve un créneau de 3 heures cette semaine", Finding(minutes=180, days=WEEK, room=None)),
        ("book Studio A tomorrow 14-18 for Nora Lind", BOOKING),
        ("Please book the Studio A for Nora Lind tomorrow 2pm-6pm.", BOOKING),
        ("Réserve le Studio A demain de 14h à 18h pour Nora Lind", BOOKING),
        ("book Studio A tomorrow for Nora Lind", Missing(what="hours")),
        ("book Studio A tomorrow 14-18", Missing(what="client")),
        ("is free tomorrow 14-18?", Missing(what="room")),
        ("what is booked on 31/02?", Missing(what="day")),
        ("delete every booking now", None),
        ("hello", None),
        ("", None),
    ],
)
def test_sentences_are_understood_in_english_and_french(sentence, intent):
    assert understand(sentence, TODAY) == intent


def test_the_language_is_that_of_the_words_else_the_default():
    assert language("Qu'est-ce qui est réservé demain ?", "en") == "fr"
    assert language("What is booked tomorrow?", "fr") == "en"
    assert language("xyz", "fr") == "fr"


@given(st.text(max_size=300))
def test_no_sentence_is_too_odd_to_understand(sentence):
    understand(sentence, TODAY)
    language(sentence, "en")
