"""Near-duplicates: which article that is there already has nearly the text of one that is added.

A text counts as the set of its shingles, each SHINGLE letters in a row, however these are cased, spaced and punctuated;
so texts without spaces have them, too. A sketch keeps one shingle in _ONE_IN, chosen by its hash: of all texts the same
ones. Two sketches tell how much of the shorter text stands in the other: its containment (Broder 1997, "On the
resemblance and containment of documents"), which is high for a corrected text, a longer one and an excerpt alike. So it
is for a text that is little else than a notice, beside any other that has the notice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

SHINGLE = 24
"""Letters and digits in a row, about five words of English: who tells of the same in other words shares few of them."""
NEARLY = 0.8
"""The least containment that is told: a correction, an addition or an excerpt leaves more in common, and a notice that
different articles end with less.
"""
FEWEST = 24
"""Shingles in a sketch that is compared: about 50 words of English; fewer tell too little."""
_ONE_IN = 8
_HOLDERS, _CANDIDATES = 8, 16
"""Each shingle leads to so many articles, the first that have it, and so many of those that are met most often are
compared: more than a shingle leads to, so that a notice which all have does not hide the article that has the rest.
"""
_BASE = 0x9E3779B97F4A7C15
_Shingles: TypeAlias = npt.NDArray[np.uint64]


class NearDuplicate(NamedTuple):
    """The id of an article that was there before, and the containment, from NEARLY to 1: the share of the shorter of
    the two texts that stands in both.
    """

    id: str
    containment: float

    @property
    def percent(self) -> int:
        """The containment as people are told it, rounded down: 100 are all of it."""
        return int(100 * self.containment)


def near_duplicates(texts: Mapping[str, str], added: Collection[str]) -> dict[str, NearDuplicate]:
    """For each of the added articles that has one, the nearest duplicate among those before it; `texts` has the text of
    every article by its id, in the order in which they came.
    """
    if not added:
        return {}
    sketches = {key: sketch for key, text in texts.items() if len(sketch := _sketch(text)) >= FEWEST}
    values, counts = np.unique(np.concatenate([np.empty(0, np.uint64), *sketches.values()]), return_counts=True)
    common = set(values[counts > 1].tolist())
    holders: defaultdict[int, list[str]] = defaultdict(list)
    found = {}
    for key, sketch in sketches.items():
        shared = [shingle for shingle in sketch.tolist() if shingle in common]
        if key in added:
            met = Counter(other for shingle in shared for other in holders[shingle])
            nearest = [
                NearDuplicate(other, _containment(sketch, sketches[other])) for other, _ in met.most_common(_CANDIDATES)
            ]
            best = max(nearest, key=lambda one: one.containment, default=None)
            if best is not None and best.containment >= NEARLY:
                found[key] = best
        for shingle in shared:
            if len(holders[shingle]) < _HOLDERS:
                holders[shingle].append(key)
    return found


def _containment(one: _Shingles, other: _Shingles) -> float:
    """The share of the smaller sketch that is in both."""
    return len(np.intersect1d(one, other, assume_unique=True)) / min(len(one), len(other))


def _sketch(text: str) -> _Shingles:
    """The hashes, different and in order, of one shingle in _ONE_IN of the text; the same in every process."""
    folded = _folding()[np.frombuffer(text.encode("utf-16-le", "surrogatepass"), "<u2")]
    letters = folded[folded > 0]  # (n,)
    if len(letters) < SHINGLE:
        return np.empty(0, np.uint64)
    hashes = np.convolve(letters, _powers(), "valid")  # (n - SHINGLE + 1,), each a polynomial modulo 2 ** 64
    kept = np.sort(hashes[hashes < 2**64 // _ONE_IN])  # quicker than `np.unique`, which hashes them again
    return kept[np.diff(kept, prepend=np.uint64(0)) > 0]


@cache
def _powers() -> _Shingles:
    return np.array([pow(_BASE, power, 2**64) for power in range(SHINGLE)], np.uint64)


@cache
def _folding() -> _Shingles:
    """For each unit of UTF-16 the letter or digit that stands for it whatever its case, 0 for what is none."""
    return np.array([ord(chr(unit).casefold()[0]) if chr(unit).isalnum() else 0 for unit in range(2**16)], np.uint64)
