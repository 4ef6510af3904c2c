"""The whole article, to be understood at a glance: a summary, an outline, questions with answers, and a timeline.

Nothing of it is taken on trust: the summary and the answers are the pipeline's, checked and cited as any, and the
outline and the timeline are lines of the article itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from typing import Any

import numpy as np

from rag.answer.background import Articles, Background, undisturbed
from rag.answer.citing import cite
from rag.answer.dates import NO_YEAR, Date, find_dates
from rag.answer.examples import find_examples
from rag.answer.outline import outline
from rag.answer.overview import mean_of
from rag.answer.pipeline import Pipeline
from rag.errors import ArticleChatError
from rag.library.index import PassageIndex
from rag.types import Answer, Citation, Quote, Span, Statement

MOST_QUESTIONS = 5
MOST_DATES = 20
"""Of more dated sentences, those are in the timeline whose passages are most like the whole."""
LEAST_DATES = 2
"""One dated sentence is no timeline."""
SUMMARISE = "Summarise the article."
_CANDIDATES = 7
"""Questions that are answered until there are so many as may be, without those that the article does not answer, and
those that are answered with what another one was."""
_BEFORE_QUESTIONS = 4
"""Parts: the outline, the timeline, the summary, and what may be asked."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dated:
    """A sentence that names a date: the citation's highlight, of which `date` is the value, as `Date` has it."""

    date: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class Digest:
    """What there is so far of an article's summary, outline, questions and timeline; all of it, where it is `complete`.

    The summary answers, with its statements and citations, SUMMARISE; where no language model could write it, its
    statements are quotes. Where it came to no end, `failure` says why.
    """

    summary: Answer | None = None
    outline: tuple[Citation, ...] = ()
    questions: tuple[Answer, ...] = ()
    timeline: tuple[Dated, ...] = ()
    done: int = 0
    parts: int = _BEFORE_QUESTIONS + MOST_QUESTIONS
    failure: str = ""

    @property
    def complete(self) -> bool:
        """Whether all its parts are there."""
        return self.done == self.parts

    def to_json(self) -> dict[str, Any]:
        """The plain object that `overview --json` prints; fields are added over time, never renamed."""
        return {
            "complete": self.complete,
            "done": self.done,
            "parts": self.parts,
            "failure": self.failure,
            "summary": self.summary.to_json() if self.summary is not None else None,
            "outline": [asdict(line) for line in self.outline],
            "questions": [answer.to_json() for answer in self.questions],
            "timeline": [{"date": dated.date, "citation": asdict(dated.citation)} for dated in self.timeline],
        }


def digest(
    pipeline: Pipeline, *, stopped: Callable[[], bool] = lambda: False, busy: Callable[[], bool] = lambda: False
) -> Iterator[Digest]:
    """The digest of the pipeline's articles as it grows, from an empty one to one that is `complete`; the language
    model reads the articles first, where it can and has not yet.

    It ends soon after `stopped()` becomes true, and does nothing while `busy()`: what is being written then is given
    up, and written anew.
    """

    def go_on() -> bool:
        return undisturbed(busy, stopped)

    def disturbed() -> bool:
        return stopped() or busy()

    index = pipeline.index
    so_far = Digest()
    yield so_far
    if not go_on():
        return
    so_far = replace(so_far, outline=cite(index, outline(index)), done=1)
    yield so_far
    so_far = replace(so_far, timeline=timeline(index), done=2)
    yield so_far
    pipeline.study(stopped=stopped, busy=busy)
    for summary in _answers(pipeline, [SUMMARISE], go_on, disturbed):
        so_far = replace(so_far, summary=None if summary.abstained else _in_quotes(summary), done=3)
        yield so_far
    asked = _questions(pipeline, go_on)
    if not go_on():
        return
    so_far = replace(so_far, done=_BEFORE_QUESTIONS, parts=_BEFORE_QUESTIONS + min(len(asked), MOST_QUESTIONS))
    yield so_far
    for answer in _answers(pipeline, asked, go_on, disturbed):
        if not answer.abstained and not _cited(answer) & set().union(*map(_cited, so_far.questions)):
            so_far = replace(so_far, questions=(*so_far.questions, answer), done=so_far.done + 1)
            yield so_far
        if so_far.complete:
            return
    if go_on():
        yield replace(so_far, parts=so_far.done)


def timeline(index: PassageIndex) -> tuple[Dated, ...]:
    """The sentences that name a date, in the order of these; behind them those that tell no year, which cannot be
    compared, in the order of the text: news mostly tells none of what is new. None, where there are fewer than
    LEAST_DATES.
    """
    vectors = index.vectors  # (n, d), a copy each time
    closeness = vectors @ mean_of(vectors)  # (n,)
    found: dict[tuple[str, Span], tuple[str, Quote]] = {}  # by their places: the date's value, and the sentence
    for passage, close in zip(index.passages, np.clip(closeness, 0, 1), strict=True):
        for sentence in passage.sentences:
            place = passage.document_id, sentence
            text = index.text_at(*place)
            if place not in found and (named := _date_of(text)) is not None:
                at = Span(sentence.start + named.span.start, sentence.start + named.span.end)
                found[place] = named.value, Quote(*place, text, float(close), at)
    if len(found) < LEAST_DATES:
        return ()
    central = sorted(found, key=lambda place: -found[place][1].score)[:MOST_DATES]
    dated = [found[place] for place in found if place in central]
    dated.sort(key=lambda entry: _order(entry[0]))
    citations = cite(index, [quote for _, quote in dated])
    return tuple(Dated(value, citation) for (value, _), citation in zip(dated, citations, strict=True))


def _order(value: str) -> tuple[bool, str]:
    """What the values of dates are sorted by: a decade as its first year, those without a year alike and last."""
    return (True, "") if value.startswith(NO_YEAR) else (False, value.replace("X", "0"))


def _date_of(sentence: str) -> Date | None:
    """The first date that has a year, or else the first."""
    dates = find_dates(sentence)
    return next((named for named in dates if named.has_year), dates[0] if dates else None)


def _questions(pipeline: Pipeline, go_on: Callable[[], bool]) -> list[str]:
    """At most _CANDIDATES that the articles answer, of each of the first ones as many."""
    documents = list(pipeline.index.documents.values())[:MOST_QUESTIONS]
    most = _CANDIDATES // len(documents)
    searches = [islice(find_examples(pipeline, document, go_on=go_on), most) for document in documents]
    return [example.question for example in chain.from_iterable(searches)]


def _answers(
    pipeline: Pipeline, questions: Sequence[str], go_on: Callable[[], bool], disturbed: Callable[[], bool]
) -> Iterator[Answer]:
    """The answers to the questions, of which none was cut short, as far as it is to `go_on()`."""
    for question in questions:
        answer = None
        while answer is None:
            if not go_on():
                return
            watch = _Once(disturbed)
            complete = pipeline.answer(question, stopped=watch)
            answer = None if watch.seen else complete
        yield answer


@dataclass(slots=True)
class _Once:
    """Asks until the answer is yes, and remembers that."""

    ask: Callable[[], bool]
    seen: bool = False

    def __call__(self) -> bool:
        self.seen = self.seen or self.ask()
        return self.seen


def _cited(answer: Answer) -> set[tuple[str, int]]:
    """Where the quotes begin that its statements rest on."""
    return {(citation.document_id, citation.start) for citation in answer.cited}


def _in_quotes(answer: Answer) -> Answer:
    """The answer or, where it is a quote alone, all its quotes, one statement each, in the order of the text."""
    if not all(statement.verbatim for statement in answer.statements):
        return answer
    in_order = sorted(answer.citations, key=lambda citation: (citation.document_id, citation.start))
    citations = tuple(replace(citation, number=number) for number, citation in enumerate(in_order, 1))
    said = tuple(Statement(" ".join(c.quote.split()), (c.number,), verbatim=True) for c in citations)
    return replace(answer, statements=said, citations=citations, short_answer=None)


class Digests:
    """Digests of articles, made in the background, one pipeline's after the other's, for whoever asks.

    They wait while `busy()`: questions that people ask come first.
    """

    def __init__(self, busy: Callable[[], bool] = lambda: False) -> None:
        self._busy = busy
        self._made: Background[Digest] = Background("digests", self._make, Digest())

    def of(self, pipeline: Pipeline) -> Digest:
        """The digest of the pipeline's articles as far as it has come; the first call asks for it."""
        return self._made.of(pipeline)

    def give_up(self, pipeline: Pipeline) -> None:
        """End the work for exactly these articles within a moment, and keep nothing of it; `of` asks for it anew."""
        self._made.end(Articles.of(pipeline))

    def forget(self, article: str) -> None:
        """Keep nothing of an article that was removed, alone or with others, and end the work for it."""
        self._made.forget(article)

    def renew(self, before: PassageIndex, now: PassageIndex | None) -> None:
        """Keep nothing of what has changed where `now` is in the place of `before`, and end the work for it."""
        self._made.renew(before, now)

    def stop(self) -> None:
        """End the work within a moment, and wait for that."""
        self._made.stop()

    def _make(self, articles: Articles, pipeline: Pipeline) -> None:
        so_far = Digest()
        try:
            for so_far in digest(pipeline, stopped=lambda: not self._made.wants(articles), busy=self._busy):
                self._made.note(articles, so_far)
        except ArticleChatError as error:
            log.warning("the overview of an article is not complete: %s", error)
            self._made.note(articles, replace(so_far, failure=str(error)))
        except Exception:
            log.exception("the overview of an article is not complete")
            self._made.note(articles, replace(so_far, failure="something went wrong; the log says what"))
