"""The studio's one row, its set-up steps and its colours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from studio.contexts.settings import queries, service
from studio.contexts.settings.models import StudioSettings
from studio.contexts.settings.rules import contrast, is_colour, text_on
from studio.contexts.settings.steps import Step, next_step
from studio.errors import BadInput, NotFound

colours = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}")


@given(colours)
def test_text_on_any_accent_can_be_read(colour):
    assert is_colour(colour)
    assert contrast(colour, text_on(colour)) >= 4.5


@given(colours, colours)
def test_contrast_is_symmetric_and_within_its_bounds(first, second):
    assert contrast(first, second) == contrast(second, first)
    assert 1 <= contrast(first, second) <= 21.0001


@given(st.sets(st.sampled_from([s.value for s in Step])))
def test_the_next_step_is_the_first_that_is_not_saved(saved):
    found = next_step(saved)

    assert found is None if len(saved) == len(Step) else found not in saved


def test_initialising_again_changes_nothing(place):
    with place.session() as db, db.begin():
        service.initialise(db, name="Other", timezone="Asia/Tokyo", currency="JPY", locale="en")

        assert (queries.load(db).name, queries.load(db).currency) == ("Studio Belleville", "EUR")


def test_an_unknown_zone_is_refused(place):
    with place.session() as db, db.begin(), pytest.raises(BadInput, match="Mars"):
        service.initialise(db, name="x", timezone="Mars/Olympus", currency="EUR", locale="en")


def test_steps_are_remembered_in_any_order_and_once(place):
    with place.session() as db, db.begin():
        for step in (Step.hours, Step.rooms, Step.hours):
            service.save_step(db, step)

        assert queries.load(db).saved_steps == {"hours", "rooms"}
        assert queries.load(db).next_step is Step.rates


def test_the_database_holds_one_settings_row_only(place):
    with place.session() as db, pytest.raises(IntegrityError), db.begin():
        db.add(StudioSettings(id=2, name="x", timezone="UTC", currency="EUR", locale="en", accent="#000000", onboarding={}))


def test_a_database_that_was_never_initialised_says_so(engine, migrate):
    migrate(engine)
    with Session(engine) as db, pytest.raises(NotFound, match="provisioning"):
        queries.load(db)
