"""A turn: what it answers, what it costs, and that it happens once."""

import pytest


def test_a_question_is_answered_from_the_bookings_and_costs_one_credit(place):
    place.book(14, 4)

    turn = place.ask("what is booked tomorrow?")

    assert "14:00–18:00 · Studio A · Luna Park (B-1001)" in turn.answer
    assert (turn.state, turn.charged_micro, place.left()) == ("answered", 1_000_000, 4)
