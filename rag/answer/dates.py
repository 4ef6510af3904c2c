"""The dates that a text names: ISO dates, days and months in English, and years from 1500 to 2100.

It would rather miss a date than take a number for one. Libraries that parse dates take "may", "on" or any number of
four digits for one, too, and do not tell where it stands. A bare year counts where the words before it say that it is
one ("in 1911", "since 1911", "summer of 1911"), at the beginning of a line of a chronicle ("1911: …"), or in a range
in brackets ("(1911-1945)"); not where it counts something ("in 2000 houses").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from rag.types import Span

NO_YEAR = "XXXX"
"""Stands in a value for the year that is not told."""
_LEAP_YEAR = 2000
"""The 29th of February is a date, too, where no year is told."""
_MONTHS = "january february march april may june july august september october november december".split()
_FULL = "|".join(_MONTHS)
_SHORT = r"jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
_MONTH = rf"(?P<month>{_FULL}|(?:{_SHORT})\b\.?)"
_DAY = r"(?P<day>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?(?:\s?(?:-|–|and|to|or)\s?\d\d?(?:st|nd|rd|th)?)?"
_YEAR = r"(?P<year>1[5-9]\d\d|20\d\d|2100)(?!\d|[.,]\d)"
_COUNTED = (
    "people|men|women|children|workers|soldiers|troops|voters|votes|members|students|pupils|employees|residents|"
    "visitors|jobs|cases|deaths|copies|words|pages|times|years|months|days|hours|minutes|homes|houses|cars|ships|"
    "villages|towns|kilomet|met[er]|miles|feet|km|kg|tons|tonnes|litres|liters|acres|hectares|dollars|euros|pounds|"
    "crowns|percent|per cent|million|billion|of the|or more|or so"
)
_IN = (
    r"\b(?:in|since|until|till|by|before|after|during|circa|between|from)(?: (?:early|late|mid|about|around|the year))?"
)
_SEASON = r"\b(?:spring|summer|autumn|fall|winter|year|end|beginning|start|middle)(?: of)?"


def _pattern(text: str, *, ignore_case: bool = True) -> re.Pattern[str]:
    """The pattern, in which a space is any white space."""
    return re.compile(text.replace(" ", r"\s+"), re.IGNORECASE if ignore_case else 0)


_PATTERNS = (
    _pattern(r"(?<![\d-])(?P<year>1[5-9]\d\d|20\d\d|2100)-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])(?!\d)"),
    _pattern(rf"(?<![\w.,])(?:{_DAY}(?: of)? )?{_MONTH},?(?: of)? {_YEAR}"),
    _pattern(rf"\b{_MONTH} {_DAY}(?!\d|[:.,]\d|\w)(?:,? {_YEAR})?"),
    _pattern(rf"(?<![\w.,]){_DAY}(?: of)? {_MONTH}(?!\w)"),
    _pattern(
        rf"\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Dd]uring|[Ee]arly|[Ll]ate|[Ll]ast|[Nn]ext|(?:[Ee]nd|[Ss]tart|[Bb]eginning) of)"
        rf"(?: |-)(?P<month>{'|'.join(month.title() for month in _MONTHS)})\b(?!['’]| [A-Z])",
        ignore_case=False,
    ),
    _pattern(r"\bthe (?:early |late |mid-?)?(?P<decade>(?:1[5-9]|20)\d0['’]?s)\b"),
    _pattern(rf"(?:{_IN}|{_SEASON}|\bmid)(?: |-){_YEAR}(?!['’]?s\b|(?: |-)?(?:%|(?:{_COUNTED})))"),
    _pattern(rf"^\W*{_YEAR}(?=\s?[:–—-]\s?\D)"),
    _pattern(rf"\((?:(?:born|died|since|from|c\.|circa) ?)?{_YEAR}(?=\s?[-–]\s?(?:\d{{4}}|present)?\))"),
)
"""The first that fits at a place counts; what its groups name is what there is of the date."""
_CHANGE = re.compile(r"(?:rose|risen|rise|grew|grown|grow|fell|fallen|fall|(?:in|de)creased?|dropped|cut|up|down)\s+$")
"""Before "by 1900" or "from 1600 to 1900", these words make numbers of them."""


@dataclass(frozen=True, slots=True)
class Date:
    """A date that a text names at the span, as far as it tells it.

    `value` is in the Extended Date/Time Format (ISO 8601-2): "2019-02-28", "2019-02", "2019", "196X" for a decade, and
    "XXXX-02-28" or "XXXX-02" where no year is told.
    """

    span: Span
    value: str

    @property
    def has_year(self) -> bool:
        """Whether it tells the year."""
        return not self.value.startswith(NO_YEAR)


def find_dates(text: str) -> list[Date]:
    """The dates that the text names, in its order and apart; each is a day, month, year or decade of the calendar."""
    found: list[Date] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            named = _named(match, text)
            if named is not None and not any(named.span.overlaps(other.span) for other in found):
                found.append(named)
    return sorted(found, key=lambda named: named.span.start)


def _named(match: re.Match[str], text: str) -> Date | None:
    """The date of the match, without the words that only introduce it; None where it is none."""
    told = match.groupdict()
    if told.get("decade"):
        return Date(Span(*match.span("decade")), f"{told['decade'][:3]}X")
    groups = [match.span(name) for name in ("day", "month", "year") if told.get(name)]
    span = Span(min(start for start, _ in groups), max(end for _, end in groups))
    month, day, year = told.get("month"), told.get("day"), told.get("year")
    if month is None:
        is_number = match[0].lower().startswith(("by", "from")) and _CHANGE.search(text[: match.start()])
        return None if is_number else Date(span, str(year))
    if year is None and not _is_meant(month):
        return None
    number = int(month) if month.isdigit() else [name[:3] for name in _MONTHS].index(month[:3].lower()) + 1
    try:
        date(int(year or _LEAP_YEAR), number, int(day or 1))
    except ValueError:
        return None
    return Date(span, "-".join([year or NO_YEAR, f"{number:02}", *([f"{int(day):02}"] if day else [])]))


def _is_meant(month: str) -> bool:
    """Whether the word is a month though no year stands by it: in small letters "may", "march" or "dec" need not be."""
    return month[0].isupper() or (month in _MONTHS and month not in {"may", "march"})
