"""Pure changes to a text with answer spans, and to questions; every span that comes out still points at its answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

Spans = tuple[tuple[int, int], ...]
WORD = re.compile(r"\S+")
NAME = re.compile(r"\b[A-Z][\w-]+(?: (?:(?:of|the|de|van|von) )*[A-Z][\w-]+)*")
NUMBER = re.compile(r"\b\d[\d,.]*\b")
_REASON = re.compile(
    r"\bwhy\b|\breasons?\b|\bpurpose\b|\bwhat (?:\w+ ){0,2}(?:caused?|causes|prompted|motivated|led)\b"
    r"|\bhow (?:do|does|did|is|are|was|were|has|have|had|can|could|will|would|should|might)\b",
    re.IGNORECASE,
)
_FORMAL_WHY = re.compile(r"^what (?:is|was) the reason\b", re.IGNORECASE)
_FORMAL_HOW = re.compile(r"^in what manner\b", re.IGNORECASE)


@dataclass(frozen=True)
class Marked:
    """A text and the character ranges of its answers, each inside the text; none means that it does not answer."""

    text: str
    spans: Spans

    def __post_init__(self) -> None:
        for start, end in self.spans:
            if not 0 <= start < end <= len(self.text):
                message = f"span {start}-{end} lies outside a text of {len(self.text)} characters"
                raise ValueError(message)


def join(before: str, marked: Marked, after: str) -> Marked:
    """The text between two others, an empty line apart as paragraphs are."""
    shift = len(before) + 2 if before else 0
    text = "\n\n".join(part for part in (before, marked.text, after) if part)
    return Marked(text, tuple((start + shift, end + shift) for start, end in marked.spans))


def crop(random_: random.Random, marked: Marked, words: int, *, keep: tuple[int, int] | None) -> Marked:
    """A run of so many words that holds `keep` whole (any run where None); spans cut by its edges are dropped."""
    places = [match.span() for match in WORD.finditer(marked.text)]
    if len(places) <= words:
        return marked
    low, high = 0, len(places) - words
    if keep:
        first = next(number for number, (_, end) in enumerate(places) if end > keep[0])
        last = next(number for number, (_, end) in enumerate(places) if end >= keep[1])
        if last - first >= words:
            words = last - first + 1
        low, high = max(0, last - words + 1), min(first, len(places) - words)
    begin = random_.randint(low, high)
    return cut(marked, places[begin][0], places[begin + words - 1][1])


def cut(marked: Marked, start: int, end: int) -> Marked:
    """The characters from start to end, with the spans that lie inside."""
    inside = ((a - start, b - start) for a, b in marked.spans if start <= a and b <= end)
    return Marked(marked.text[start:end], tuple(inside))


def without_answers(random_: random.Random, marked: Marked, words: int, least: int = 25) -> Marked | None:
    """A run of at most so many words beside every answer: the hardest text that does not answer; None if too short."""
    edges = [0, *(edge for span in sorted(marked.spans) for edge in span), len(marked.text)]
    gaps = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if len(marked.text[a:b].split()) >= least]
    if not gaps:
        return None
    start, end = random_.choice(gaps)
    places = [(a + start, b + start) for a, b in (m.span() for m in WORD.finditer(marked.text[start:end]))]
    count = min(words, len(places))
    begin = random_.choice((0, len(places) - count))  # next to an answer rather than anywhere
    return Marked(marked.text[places[begin][0] : places[begin + count - 1][1]], ())


def strip(marked: Marked) -> Marked:
    """Lower case, and a single space for whatever is no letter or digit, as transcripts are written ("mr trump s")."""
    out: list[str] = []
    where: list[int] = []  # of each character, its place in the new text
    for character in marked.text:
        if character.isalnum():
            out.append(character.lower()[0])
        elif out and out[-1] != " ":
            out.append(" ")
        where.append(max(0, len(out) - 1))
    text = "".join(out)
    spans = []
    for start, end in marked.spans:
        left, right = where[start], where[end - 1] + 1
        while left < right and text[left] == " ":
            left += 1
        while right > left and text[right - 1] == " ":
            right -= 1
        if left < right:
            spans.append((left, right))
    return Marked(text, tuple(spans))


def asks_reason(question: str) -> bool:
    """Whether it asks why or how, not how many: what people ask often, and question files seldom hold."""
    return _REASON.search(question) is not None


def casual(random_: random.Random, question: str) -> str:
    """The question as people type it: "why" for "what is the reason", "how" for "in what manner", without its question
    mark, without capitals, or stripped like a transcript.
    """
    draw = random_.random()
    if random_.random() < 0.5:
        question = _FORMAL_HOW.sub("How", _FORMAL_WHY.sub("Why", question))
    if draw < 0.25:
        return question.rstrip("? ").lower()
    if draw < 0.4:
        return strip(Marked(question, ())).text.strip()
    return question


def swap(random_: random.Random, question: str, other: str, text: str) -> str | None:
    """The question with one of its numbers or names replaced by another question's; None where nothing differs."""
    for pattern in random_.sample((NUMBER, NAME), 2):
        mine = [found for found in pattern.findall(question) if not question.startswith(found)]
        theirs = [found for found in pattern.findall(other) if found not in question and not other.startswith(found)]
        if mine and theirs:
            target = random_.choice(mine)
            if text.count(target):  # it tells the asked thing apart, so another one is not answered here
                return question.replace(target, random_.choice(theirs))
    return None
