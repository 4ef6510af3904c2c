"""Questions to begin with, made from the article and kept only where the pipeline answers them from where they came."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from rag.answer.background import Articles, Background, undisturbed
from rag.answer.pipeline import Pipeline
from rag.english import COMMON_WORDS, FORMS_OF_ADDRESS
from rag.errors import ArticleChatError
from rag.types import Document, Span

MOST_TRIED = 24
"""Candidates put to the pipeline, at most; each costs a search and a reading, but no writing."""
MOST_OFFERED = 3
_READ_CHARACTERS = 200_000

_SAID = re.compile(
    r"(?<![\w’'.-])((?:[\w’'.-]{1,40} ){1,3}?[\w’'-]{1,40}),? "
    r"(said|argued|insisted|predicted|explained|wrote|warned|promised|claimed|announced)\b"
)
_NAME = re.compile(r"(?<![\w’'-])[A-Z][\w’'-]{1,40}(?: (?:(?:of|the|de|van|von) )?[A-Z][\w’'-]{1,40}){1,6}")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question, and the ranges of the document from which an answer to it must come."""

    question: str
    sources: tuple[Span, ...]


class Examples:
    """Example questions of articles, found in the background, one pipeline's after the other's.

    Before each candidate it waits while `busy()`: questions that people ask come first.
    """

    def __init__(self, busy: Callable[[], bool] = lambda: False) -> None:
        self._busy = busy
        self._found: Background[tuple[str, ...] | None] = Background("examples", self._find, None)

    def of(self, pipeline: Pipeline) -> tuple[str, ...] | None:
        """The questions about the first articles; None until they are found, for which the first call asks."""
        return self._found.of(pipeline)

    def forget(self, article: str) -> None:
        """Keep nothing of an article that was removed."""
        self._found.forget(article)

    def stop(self) -> None:
        """End the search before the next candidate, and wait for that."""
        self._found.stop()

    def _find(self, articles: Articles, pipeline: Pipeline) -> None:
        questions: tuple[str, ...] = ()
        first = articles[:MOST_OFFERED]
        try:
            for article in first:
                document, most = pipeline.index.documents[article], MOST_OFFERED // len(first)
                questions += find_examples(pipeline, document, most=most, go_on=lambda: self._go_on(articles))
        finally:
            self._found.note(articles, questions)

    def _go_on(self, articles: Articles) -> bool:
        return undisturbed(self._busy, lambda: not self._found.wants(articles))


def find_examples(
    pipeline: Pipeline, document: Document, *, most: int = MOST_OFFERED, go_on: Callable[[], bool] = lambda: True
) -> tuple[str, ...]:
    """At most `most` questions about the document that the pipeline answers from where each was made.

    Before each candidate it asks whether to `go_on()`.
    """
    kept: list[str] = []
    seen: set[str] = set()
    for tried, candidate in enumerate(candidates(document)):
        if len(kept) == most or tried == MOST_TRIED or not go_on():
            break
        words = {
            word.lower() for word in _WORD.findall(candidate.question) if word.lower() not in COMMON_WORDS | _FRAME
        }
        if not words & seen and is_answered(pipeline, document, candidate):
            kept.append(candidate.question)
            seen |= words
    return tuple(kept)


def is_answered(pipeline: Pipeline, document: Document, candidate: Candidate) -> bool:
    """Whether the pipeline's best quote for the question holds one of the places that it was made from."""
    try:
        for progress in pipeline.stream(candidate.question):
            if progress.answer.citations:
                best = progress.answer.citations[0]
                quote = Span(best.start, best.end)
                return best.document_id == document.id and any(quote.contains(s) for s in candidate.sources)
    except ArticleChatError:
        return False
    return False


def candidates(document: Document) -> Iterator[Candidate]:
    """Questions that the article may answer, those on what somebody said and on names taking turns; each names its
    subject in the article's own words.
    """
    text = document.text[:_READ_CHARACTERS]
    lists = [list(_about_statements(text)), list(_about_names(text))]
    for i in range(max(map(len, lists))):
        for found in lists:
            yield from found[i : i + 1]


_FRAME = FORMS_OF_ADDRESS | frozenset("article say about what did does the".split())


def _about_statements(text: str) -> Iterator[Candidate]:
    """From "Ms Okafor said …": "What did Ms Okafor say?", the rarest speakers first: one statement, one answer."""
    places: dict[str, list[Span]] = {}
    for match in _SAID.finditer(text):
        speaker = _speaker(match[1], text)
        if speaker:
            start = match.start(1) + match[1].rindex(speaker)
            places.setdefault(speaker, []).append(Span(start, match.end()))
    for speaker, spans in sorted(places.items(), key=lambda item: (len(item[1]), item[1][0].start)):
        yield Candidate(f"What did {_the(speaker, spans, text)} say?", tuple(spans))


def _speaker(words: str, text: str) -> str:
    """The name at the end of the words: from a form of address on, or capitalised, or found again in the text."""
    kept: list[str] = []
    for word in reversed(words.split()):
        if word.lower() in COMMON_WORDS:
            break
        kept.insert(0, word)
        if word.rstrip(".").lower() in FORMS_OF_ADDRESS:
            return " ".join(kept) if len(kept) > 1 else ""
    for i in range(len(kept) - 1):
        name = " ".join(kept[i:])
        if all(word[0].isupper() for word in kept[i:]) or (name.islower() and text.count(f" {name} ") > 1):
            return name
    return ""


def _about_names(text: str) -> Iterator[Candidate]:
    """Repeated names, as capitals show them, else words that keep together -> "What does the article say about X?"."""
    found = _capitalised(text) or _pairs(text)
    for name, spans in found.items():
        if len(spans) > 1:
            yield Candidate(f"What does the article say about {_the(name, spans, text)}?", tuple(spans))


def _the(name: str, spans: list[Span], text: str) -> str:
    """The name, with "the" where the article has an article before it."""
    article = any(re.search(r"\b(?:the|an?) $", text[max(0, span.start - 5) : span.start]) for span in spans)
    return f"the {name}" if article else name


def _capitalised(text: str) -> dict[str, list[Span]]:
    """Runs of capitalised words, the most frequent first."""
    found: dict[str, list[Span]] = {}
    for match in _NAME.finditer(text):
        first, rest = match[0].split(" ", 1)
        name = rest if first.lower() in COMMON_WORDS else match[0]  # "The" of a sentence's beginning
        if " " in name:
            found.setdefault(name, []).append(Span(match.end() - len(name), match.end()))
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _pairs(text: str) -> dict[str, list[Span]]:
    """Neighbouring words that are mostly found together, the most frequent first."""
    words = [match for match in _WORD.finditer(text) if len(match[0]) > 2]
    count = Counter(word[0] for word in words)
    found: dict[tuple[str, str], list[Span]] = {}
    for left, right in pairwise(words):
        common = {left[0].lower(), right[0].lower()} & COMMON_WORDS
        if not common and text[left.end() : right.start()].isspace():
            found.setdefault((left[0], right[0]), []).append(Span(left.start(), right.end()))
    close = {
        f"{left} {right}": spans
        for (left, right), spans in found.items()
        if len(spans) ** 2 > 0.4 * count[left] * count[right]
    }
    return dict(sorted(close.items(), key=lambda item: -len(item[1])))
