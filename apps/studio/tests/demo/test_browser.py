"""The browser without a screen reads forms and words as a real one would."""

import pytest

from studio.demo.browser import Browser, Page, PageError

HTML = """
<meta name="csrf-token" content="abc">
<form method="post" action="/sign-out"><input type="hidden" name="csrf_token" value="t"></form>
<form method="post" action="/book"><input type="hidden" name="token" value="1"><input name="name">
<input type="radio" name="plan" value="starter" checked><input type="radio" name="plan" value="pro">
<input type="checkbox" name="news"><select name="room"><option value="a">A</option><option value="b" selected>B</option></select>
<textarea name="notes">loud</textarea><button name="go" value="1">Book</button></form><script>hidden()</script><p>Some   words</p>
"""


@pytest.fixture
def page() -> Page:
    return Page(url="http://localhost/", status=200, headers={}, body=HTML)


def test_a_form_holds_what_a_browser_sends_untouched(page: Page) -> None:
    form = page.form(action="/book")

    assert form.fields == {"token": "1", "name": "", "plan": "starter", "room": "b", "notes": "loud"}
    assert form.names == {"token", "name", "plan", "news", "room", "notes", "go"}


def test_the_frames_forms_never_count(page: Page) -> None:
    assert page.form(action="").action == "/book"


def test_a_missing_form_or_field_is_said_with_what_the_page_says(page: Page) -> None:
    with pytest.raises(PageError, match="Some words"):
        page.form(action="/pay")
    with pytest.raises(PageError, match="no field nmae"):
        Browser().submit(page, action="/book", nmae="x")


def test_words_are_without_scripts(page: Page) -> None:
    assert "hidden" not in page.text
    assert page.csrf_token == "abc"


def test_an_address_that_nobody_answers_is_an_error() -> None:
    with pytest.raises(PageError, match="does not answer"):
        Browser().get("http://localhost:1/")
