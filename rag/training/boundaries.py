"""Windows of stripped text with the places where sentences end, labelled by sentencex on the text before stripping."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import sentencex

from rag.training.augment import Marked, strip

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from rag.training.data import Corpus

Window = tuple[list[str], list[int]]


@functools.lru_cache(40_000)
def labelled_words(text: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The stripped words of a text, and for each whether its sentence ends there."""
    words: list[str] = []
    ends: list[int] = []
    for boundary in sentencex.get_sentence_boundaries("en", text):
        sentence = text[boundary["start_index"] : boundary["end_index"]]
        own = strip(Marked(sentence, ())).text.split()
        if own:
            words += own
            ends += [0] * (len(own) - 1) + [1]
    return tuple(words), tuple(ends)


def boundary_window(
    random_: random.Random, corpus: Corpus, least: int = 50, most: int = 130, among: Sequence[int] | None = None
) -> Window:
    """Words of consecutive paragraphs of one article, from a random place on; it begins in one of `among`."""
    number = random_.choice(among or range(len(corpus.documents)))
    near = corpus.documents[number].neighbours
    count = random_.randint(least, most)
    words: list[str] = []
    ends: list[int] = []
    while number < near.stop and len(words) < count + 100:
        more, their_ends = labelled_words(corpus.documents[number].text)
        words += more
        ends += their_ends
        number += 1
    start = random_.randint(0, max(0, len(words) - count))
    return words[start : start + count], ends[start : start + count]
