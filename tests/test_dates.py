"""Which dates a text names: what is one, what only looks like one, and where it stands."""

import pytest

from rag.answer.dates import find_dates


def dates(text: str) -> list[tuple[str, str]]:
    return [(text[named.span.start : named.span.end], named.value) for named in find_dates(text)]


@pytest.mark.parametrize(
    ("text", "words", "value"),
    [
        ("It began at 2019-02-28T10:00.", "2019-02-28", "2019-02-28"),
        ("They met on 28 February 2019.", "28 February 2019", "2019-02-28"),
        ("They met on February 28th, 2019, in Basel.", "February 28th, 2019", "2019-02-28"),
        ("They met on the 28th of\nFebruary, 2019.", "28th of\nFebruary, 2019", "2019-02-28"),
        ("They met on 27-28 February 2019.", "27-28 February 2019", "2019-02-27"),
        ("They met on December 24-26, 2004.", "December 24-26, 2004", "2004-12-24"),
        ("Opened Feb. 28, 2019.", "Feb. 28, 2019", "2019-02-28"),
        ("It opened in March 2019, and 300 came.", "March 2019", "2019-03"),
        ("it closed in may 2019 for good", "may 2019", "2019-05"),
        ("it closed on february 28 for good", "february 28", "XXXX-02-28"),
        ("It closed on 29 February.", "29 February", "XXXX-02-29"),
        ("It closed in May.", "May", "XXXX-05"),
        ("Lindt founded it in 1911.", "1911", "1911"),
        ("It was rare before 1900, they say.", "1900", "1900"),
        ("It burned down in 1874, on a Sunday.", "1874", "1874"),
        ("In the summer of 1969 it burned.", "1969", "1969"),
        ("It stood from 1914 to 1918.", "1914", "1914"),
        ("Holt (1911–1945) designed it.", "1911", "1911"),
        ("- 1911: the museum opens", "1911", "1911"),
        ("The late 1960s were quiet.", "1960s", "196X"),
    ],
)
def test_a_date_is_found_where_it_stands_as_far_as_it_is_told(text: str, words: str, value: str) -> None:
    assert dates(text) == [(words, value)]


@pytest.mark.parametrize(
    "text",
    [
        "The club has 1911 members, room 2012 and 1,911 crowns.",
        "In 2000 houses there was no light.",
        "It grew by 1900 and rose from 1600 to 1900.",
        "In 1911.5 and in 1,900 there is no year.",
        "They met on 31 February 2019.",
        "Theresa May said that 12 may go.",
        "They march 5 miles, and it may 5 times rain.",
        "In April Jones they had a friend. A plan in May's words.",
        "Maybe 5 of the marchers saw Mayor 5.",
        "This was shown before (Holt, 1999; Reyes et al. 2004).",
        "In 1066 and in 2250 nothing counts.",
    ],
)
def test_what_only_looks_like_a_date_is_none(text: str) -> None:
    assert dates(text) == []


def test_several_dates_are_told_in_their_order_and_apart() -> None:
    text = "From 28 February to 2 March 2019 they met again, as in 1911."
    assert dates(text) == [("28 February", "XXXX-02-28"), ("2 March 2019", "2019-03-02"), ("1911", "1911")]
    assert [named.has_year for named in find_dates(text)] == [False, True, True]
