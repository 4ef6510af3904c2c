"""Questions to begin and to go on with, made from the article and kept only where the pipeline answers them from where
they came.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise, zip_longest
from math import inf

from rag.answer.background import Articles, Background, undisturbed
from rag.answer.pipeline import Pipeline
from rag.english import COMMON_WORDS, FORMS_OF_ADDRESS
from rag.errors import ArticleChatError
from rag.library.index import PassageIndex, lexical_tokens
from rag.types import Answer, Citation, Document, Span

MOST_TRIED = 24
"""Candidates put to the pipeline, at most; each costs a search and a reading, but no writing."""
MOST_OFFERED = 3
"""Questions to begin with, at most."""
MOST_NEXT = 2
"""Questions that can be asked next, at most."""
MOST_KEPT = 12
"""Questions of all the articles of a pipeline, at most: those to begin with, and more for later."""
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


@dataclass(frozen=True, slots=True)
class Example:
    """A question that the pipeline answers, and the best quote for it."""

    question: str
    quote: Citation


class Examples:
    """Example questions of articles, found in the background, one pipeline's after the other's.

    Before each candidate it waits while `busy()`: questions that people ask come first.
    """

    def __init__(self, busy: Callable[[], bool] = lambda: False) -> None:
        self._busy = busy
        self._found: Background[tuple[Example, ...] | None] = Background("examples", self._find, None)

    def of(self, pipeline: Pipeline) -> tuple[str, ...] | None:
        """At most MOST_OFFERED questions about the first articles, in turn; None until they are found, for which the
        first call asks.
        """
        found = self._found.of(pipeline)
        return None if found is None else tuple(example.question for example in found[:MOST_OFFERED])

    def after(self, pipeline: Pipeline, answers: Sequence[Answer]) -> tuple[str, ...]:
        """The `next_questions` after the answers, of those that are found so far; waits for nothing."""
        return next_questions(self._found.of(pipeline) or (), answers)

    def forget(self, article: str) -> None:
        """Keep nothing of an article that was removed."""
        self._found.forget(article)

    def renew(self, before: PassageIndex, now: PassageIndex | None) -> None:
        """Keep nothing of what has changed where `now` is in the place of `before`."""
        self._found.renew(before, now)

    def stop(self) -> None:
        """End the search before the next candidate, and wait for that."""
        self._found.stop()

    def _find(self, articles: Articles, pipeline: Pipeline) -> None:
        found: tuple[Example, ...] = ()
        documents = [pipeline.index.documents[article] for article in articles.ids[:MOST_OFFERED]]
        searches = [find_examples(pipeline, document, go_on=lambda: self._go_on(articles)) for document in documents]
        try:
            for example in filter(None, chain.from_iterable(zip_longest(*searches))):
                found += (example,)
                if len(found) == MOST_KEPT:
                    break
                if len(found) >= MOST_OFFERED:  # there is something to begin with
                    self._found.note(articles, found)
        finally:
            self._found.note(articles, found)

    def _go_on(self, articles: Articles) -> bool:
        return undisturbed(self._busy, lambda: not self._found.wants(articles))


def next_questions(examples: Sequence[Example], answers: Sequence[Answer]) -> tuple[str, ...]:
    """At most MOST_NEXT of the examples that a conversation with these answers, the last one last, leaves open: neither
    asked, nor nearly so, nor answered by a quote that was shown.

    Those come first whose quotes are nearest to the last ones that were shown; those of other articles in the order of
    their texts.
    """
    asked = [_subject(answer.question) for answer in answers]
    shown = [citation for answer in answers for citation in answer.citations]
    last = next((answer.citations for answer in reversed(answers) if answer.citations), ())
    articles = list(dict.fromkeys(example.quote.document_id for example in examples))

    def is_open(example: Example) -> bool:
        subject = _subject(example.question)
        return not (
            any(2 * len(subject & other) >= len(subject | other) for other in asked)
            or any(_distance(example.quote, quote) == 0 for quote in shown)
        )

    def order(example: Example) -> tuple[float, int, int]:
        near = min((_distance(example.quote, quote) for quote in last), default=inf)
        return near, articles.index(example.quote.document_id), example.quote.start

    return tuple(example.question for example in sorted(filter(is_open, examples), key=order)[:MOST_NEXT])


def _distance(one: Citation, other: Citation) -> float:
    """How many characters lie between two quotes, 0 where they share some, infinity in different articles."""
    if one.document_id != other.document_id:
        return inf
    return max(0, max(one.start, other.start) - min(one.end, other.end) + 1)


def find_examples(
    pipeline: Pipeline, document: Document, *, go_on: Callable[[], bool] = lambda: True
) -> Iterator[Example]:
    """Questions about the document that the pipeline answers from where each was made, on a subject of its own each.

    Before each candidate it asks whether to `go_on()`.
    """
    seen: frozenset[str] = frozenset()
    for candidate in islice(candidates(document), MOST_TRIED):
        if not go_on():
            return
        subject = _subject(candidate.question)
        if not subject & seen and (quote := answering_quote(pipeline, document, candidate)) is not None:
            seen |= subject
            yield Example(candidate.question, quote)


def answering_quote(pipeline: Pipeline, document: Document, candidate: Candidate) -> Citation | None:
    """The pipeline's best quote for the question, where it holds one of the places that the question was made from."""
    try:
        best = next(iter(pipeline.in_quotes().answer(candidate.question).citations), None)
    except ArticleChatError:
        return None
    if best is None or best.document_id != document.id:
        return None
    quote = Span(best.start, best.end)
    return best if any(quote.contains(source) for source in candidate.sources) else None


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


def _subject(question: str) -> frozenset[str]:
    """The stems of what the question is about, without the words that many questions have."""
    words = [word for word in _WORD.findall(question) if word.lower() not in COMMON_WORDS | _FRAME]
    return frozenset(lexical_tokens([" ".join(words)])[0])


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
