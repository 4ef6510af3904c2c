"""Questions with known answers -> how well the pipeline answers them; the figures are in `metrics`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rag.answer.pipeline import Pipeline
from rag.evaluation.metrics import contains, hit, invented_in, is_verbatim, mean_of, mentions, token_f1
from rag.evaluation.questions import Item, Question
from rag.library.index import PassageIndex
from rag.types import STAGES, Answer, Document


@dataclass(frozen=True, slots=True)
class Outcome:
    """A question of a document and what the pipeline answered."""

    document: Document
    question: Question
    answer: Answer


@dataclass(frozen=True, slots=True)
class StageTime:
    """Milliseconds of a stage over the questions for which it ran."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Kind:
    """How questions of one kind were answered: their number, and the shares right, of answerable ones, and refused."""

    questions: int
    right: float | None
    refused: float


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of an evaluation; shares are in [0, 1], and None stands where there was nothing to measure.

    Hits, F1, `contains` and `mentions` are over all answerable questions (`mentions`: that say what a right answer
    mentions), those not answered counting 0; `words_said` and `words_shown` over those that were answered. `written` is
    the share of shown answers that are not the quote word for word, `invented` how many of them have a name or number
    that neither their quotes nor the question have. `timings_ms` leaves out the first question, which loads the models,
    where there are others.
    """

    documents: int
    questions: int
    answerable: int
    answered: int
    hit: float | None
    hit_at_1: float | None
    short_answer_f1: float | None
    answer_f1: float | None
    contains: float | None
    mentions: float | None
    words_said: float | None
    words_shown: float | None
    citation_validity: float | None
    refused_rightly: float | None
    refused_wrongly: float | None
    balanced_accuracy: float | None
    written: float | None
    invented: int
    kinds: dict[str, Kind]
    timings_ms: dict[str, StageTime]
    model: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The report as the plain object that `evaluate --json` prints."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}

    def table(self) -> str:
        """The report as lines for people, each figure with what it means."""
        about = f"{self.questions} questions ({self.answerable} answerable) about {self.documents} articles"
        lines = [f"{about}, {self.answered} answered", ""]
        for name, meaning in _MEANINGS.items():
            value = getattr(self, name)
            shown = "-" if value is None else f"{value:.0f}" if name in _COUNTS else f"{value:.3f}"
            lines.append(f"{name.replace('_', ' '):<20}{shown:>8}   {meaning}")
        if self.kinds:
            lines += ["", f"{'kind':<20}{'number':>8}{'right':>8}{'refused':>9}"]
            for name, kind in self.kinds.items():
                right = "-" if kind.right is None else f"{kind.right:.3f}"
                lines.append(f"{name:<20}{kind.questions:>8}{right:>8}{kind.refused:>9.3f}")
        lines += ["", f"{'milliseconds':<20}{'p50':>8}{'p95':>8}"]
        lines += [f"{stage:<20}{time.p50:>8.0f}{time.p95:>8.0f}" for stage, time in self.timings_ms.items()]
        lines += ["", ", ".join(f"{role}: {name}" for role, name in self.model.items())]
        return "\n".join(lines).rstrip()


_MEANINGS = {
    "hit": "a shown quote holds the answer or part of it, of answerable questions",
    "hit_at_1": "the first quote does",
    "short_answer_f1": "shared words of the short answer and the expected one",
    "answer_f1": "shared words of the whole answer and the expected one",
    "contains": "the expected words stand in a row in the answer",
    "mentions": "the answer mentions what any right one does",
    "words_said": "in an answer, on average",
    "words_shown": "in the quotes of an answer, on average",
    "citation_validity": "quotes that stand in the article where they say; must be 1",
    "refused_rightly": "'the article does not say', of unanswerable questions",
    "refused_wrongly": "the same, of answerable questions",
    "balanced_accuracy": "mean of 'refused rightly' and 1 - 'refused wrongly'",
    "written": "answers in the language model's words, of those shown",
    "invented": "of these with a name or number that is in neither quote nor question",
}
_COUNTS = frozenset({"words_said", "words_shown", "invented"})


IndexOf = Callable[[Sequence[Document]], PassageIndex]


def evaluate(
    pipeline: Pipeline, items: Iterable[Item], index_of: IndexOf, progress: Callable[[Outcome], None] = lambda _: None
) -> Report:
    """The report on the pipeline's answers to all questions; `progress` is called with each outcome as it comes."""
    outcomes = []
    for outcome in ask_all(pipeline, items, index_of):
        progress(outcome)
        outcomes.append(outcome)
    return report(outcomes)


def ask_all(pipeline: Pipeline, items: Iterable[Item], index_of: IndexOf) -> Iterator[Outcome]:
    """The outcome of every question, each asked of its own document alone, which `index_of` indexes in memory."""
    for item in items:
        own = pipeline.over(index_of([item.document]))
        own.study()  # as the page does, in the background
        for question in item.questions:
            yield Outcome(item.document, question, own.answer(question.text, question.history))


def report(outcomes: Sequence[Outcome]) -> Report:
    """The figures over the outcomes."""
    answerable = [o for o in outcomes if o.question.answerable]
    unanswerable = [o for o in outcomes if not o.question.answerable]
    shown = [o for o in outcomes if not o.answer.abstained]
    citations = [(c, o.document) for o in shown for c in o.answer.citations]
    refused_rightly = mean_of(o.answer.abstained for o in unanswerable)
    refused_wrongly = mean_of(o.answer.abstained for o in answerable)
    both = refused_rightly is not None and refused_wrongly is not None
    drafts = [o.answer for o in shown if not is_verbatim(o.answer)]
    has_short_answers = any(o.answer.short_answer is not None for o in outcomes)
    return Report(
        documents=len({o.document.id for o in outcomes}),
        questions=len(outcomes),
        answerable=len(answerable),
        answered=len(shown),
        hit=mean_of(hit(o.question, o.answer.citations) for o in answerable),
        hit_at_1=mean_of(hit(o.question, o.answer.citations[:1]) for o in answerable),
        short_answer_f1=mean_of(_best_f1(o.answer.short_answer, o) for o in answerable) if has_short_answers else None,
        answer_f1=mean_of(_best_f1("" if o.answer.abstained else o.answer.spoken, o) for o in answerable),
        contains=mean_of(_contains(o) for o in answerable),
        mentions=mean_of(_is_right(o) for o in answerable if o.question.must_mention),
        words_said=mean_of(len(o.answer.spoken.split()) for o in answerable if not o.answer.abstained),
        words_shown=mean_of(
            sum(len(c.quote.split()) for c in o.answer.citations) for o in answerable if not o.answer.abstained
        ),
        citation_validity=mean_of(document.cites(citation) for citation, document in citations),
        refused_rightly=refused_rightly,
        refused_wrongly=refused_wrongly,
        balanced_accuracy=((refused_rightly or 0) + 1 - (refused_wrongly or 0)) / 2 if both else None,
        written=mean_of(not is_verbatim(o.answer) for o in shown),
        invented=sum(bool(invented_in(answer)) for answer in drafts),
        kinds={kind: _kind([o for o in outcomes if o.question.kind == kind]) for kind in _kinds(outcomes)},
        timings_ms=stage_times([o.answer for o in (outcomes[1:] or outcomes)]),
        model=dict(outcomes[0].answer.model) if outcomes else {},
    )


def stage_times(answers: Iterable[Answer]) -> dict[str, StageTime]:
    """The median and the 95th percentile of each stage's milliseconds, in the order in which the stages run."""
    laps: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for answer in answers:
        for stage, milliseconds in answer.timings_ms.items():
            laps.setdefault(stage, []).append(milliseconds)
    return {
        stage: StageTime(*(round(float(p), 1) for p in np.percentile(times, [50, 95])))
        for stage, times in laps.items()
        if times
    }


def _contains(outcome: Outcome) -> bool:
    golds = [outcome.document.text[gold.start : gold.end] for gold in outcome.question.golds]
    return not outcome.answer.abstained and any(contains(outcome.answer.spoken, gold) for gold in golds)


def _is_right(outcome: Outcome) -> bool:
    """Whether the answer mentions what it must, or, where the question does not say what that is, contains a gold."""
    if not outcome.question.must_mention:
        return _contains(outcome)
    return not outcome.answer.abstained and mentions(outcome.answer.spoken, outcome.question.must_mention)


def _kinds(outcomes: Sequence[Outcome]) -> list[str]:
    return sorted({outcome.question.kind for outcome in outcomes} - {""})


def _kind(outcomes: Sequence[Outcome]) -> Kind:
    right = mean_of(_is_right(outcome) for outcome in outcomes if outcome.question.answerable)
    return Kind(len(outcomes), right, sum(outcome.answer.abstained for outcome in outcomes) / len(outcomes))


def _best_f1(predicted: str | None, outcome: Outcome) -> float:
    """The F1 against the nearest expected answer; 0 where nothing was answered."""
    golds = [outcome.document.text[gold.start : gold.end] for gold in outcome.question.golds]
    return max(token_f1(predicted, gold) for gold in golds) if predicted else 0.0
