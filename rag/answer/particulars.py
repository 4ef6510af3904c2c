"""The names and numbers of a text: what an answer takes from the article alone, never from what a model knows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import zip_longest

from rag.english import COMMON_WORDS, FORMS_OF_ADDRESS, NUMBER_WORDS

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_OPENS = re.compile(r"(?:^|[.!?:]['\"”’]?\s+|[“\"‘(])$")
_PREFIX = 5
"""Letters that tell a name, so that Vietnamese is Vietnam and Koreans are Korean."""
_SHORTEST = 3
"""Letters of the shortest name that is looked at: initials are spelled in too many ways."""


def particulars(text: str) -> set[str]:
    """The names and numbers of the text, in the form in which `known` has them.

    A name is a capitalised word; the first word of a sentence, which always is, where another follows it.
    """
    words = list(_WORD.finditer(text))
    found = set()
    before = ""
    for word, following in zip_longest(words, words[1:]):
        lowered, addressed = word[0].lower(), before in FORMS_OF_ADDRESS
        before = lowered
        if word[0][0].isdigit() or lowered in NUMBER_WORDS:
            found.add(_normal(word[0]))
        elif word[0][0].isupper() and len(lowered) >= _SHORTEST and lowered not in FORMS_OF_ADDRESS:
            named = following is not None and following[0][0].isupper() and text[word.end() : following.start()] == " "
            if addressed or not _OPENS.search(text[: word.start()]) or (named and lowered not in COMMON_WORDS):
                found.add(_normal(word[0]))
    return found


def known(texts: Iterable[str]) -> set[str]:
    """All words and numbers of the texts, in whatever case, in the form in which `particulars` has them."""
    return {_normal(match[0]) for text in texts for match in _WORD.finditer(text)}


def _normal(word: str) -> str:
    if word[0].isdigit():
        return word.replace(",", "").rstrip(".")
    word = re.split("['’]", word.lower())[0] or word.lower()
    return NUMBER_WORDS.get(word, word[:_PREFIX])
