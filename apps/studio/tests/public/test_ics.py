"""A booking as an iCalendar file."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from studio.public.ics import event

START, END = datetime(2026, 11, 24, 13, tzinfo=UTC), datetime(2026, 11, 24, 15, tzinfo=UTC)


def make(summary, *, is_cancelled=False):
    return event(
        uid="1",
        starts_at=START,
        ends_at=END,
        stamp=START,
        sequence=2,
        summary=summary,
        location="Here",
        url="http://x.test/b",
        is_cancelled=is_cancelled,
    )


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=200))
def test_no_line_is_longer_than_75_bytes_and_the_text_comes_back(summary):
    text = make(summary)

    lines = text.split("\r\n")
    assert all(len(line.encode()) <= 75 for line in lines)
    unfolded = text.replace("\r\n ", "")
    [given_back] = [line[len("SUMMARY:") :] for line in unfolded.split("\r\n") if line.startswith("SUMMARY:")]
    assert given_back.replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\") == summary


def test_a_line_break_in_a_name_cannot_start_a_property():
    text = make("A\nATTENDEE:evil")

    assert "\nATTENDEE" not in text
    assert "A\\nATTENDEE:evil" in text


def test_a_cancelled_booking_says_so():
    assert "STATUS:CANCELLED\r\n" in make("x", is_cancelled=True)
