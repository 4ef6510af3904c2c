"""What all formats ask of a text: to be clean, and to be something."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff]")
LONGEST_TITLE = 200
HYPHENS = ("\x02", "\ufffe")
"""What pdfium reads at the end of a line where a word is broken."""


class Refused(Exception):  # noqa: N818  # not an error of ours
    """The file cannot be read as an article; the argument is the word that says why."""


def clean(text: str) -> str:
    """The text without control characters, broken-word marks as hyphens, in NFC, one space between words."""
    for hyphen in HYPHENS:
        text = text.replace(hyphen, "-")
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
    return unicodedata.normalize("NFC", " ".join(_CONTROL.sub("", text).split()))


def one_line(title: str) -> str:
    """The title on one line; "" where it is too long for one, or has no letters."""
    text = clean(title)
    return text if len(text) <= LONGEST_TITLE and has_letters(text) else ""


def has_letters(text: str) -> bool:
    """Whether there is anything to read in the text."""
    return any(map(str.isalpha, text))
