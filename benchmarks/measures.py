"""A reply and what was expected -> figures, the same for every system."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.interleave import Source
from rag.answer.particulars import known, particulars
from rag.evaluation.metrics import contains, mean_of, mentions
from rag.evaluation.questions import Question
from rag.sentences import sentence_texts
from rag.types import Document, Span

SUPPORTED = 0.5
"""A sentence counts as supported where the checker gives it at least this probability."""
_TEXT = r"(?:article|text|context|passages?|documents?|excerpts?|information|source|content)"
_REFUSES = re.compile(
    rf"""\b{_TEXT}\b[^.!?]{{0,40}}?\b(?:does|do|did)(?:\ not|n['’]t)\ (?:\w+\ )?(?:say|mention|specify|provide|contain
        |state|include|give|explain|answer|indicate|tell|address|discuss|offer|have|explicitly|directly)
    |\bI(?:\ am|['’]m)?\ (?:do\ not|don['’]t|cannot|can['’]t|unable\ to|not\ able\ to)\ (?:know|answer|find|determine
        |provide)
    |\bI(?:\ am|['’]m)\ (?:sorry|not\ sure)
    |\b(?:is|are|was|were)(?:\ not|n['’]t)\ (?:\w+\ )?(?:mentioned|specified|stated|provided|given|included|available
        |known|explained|discussed)\b[^.!?]{{0,40}}\b(?:{_TEXT}|here)\b
    |\bno\ (?:\w+\ )?(?:information|mention|answer|details?)\b[^.!?]{{0,60}}\b{_TEXT}\b
    |^\W*(?:don['’]t\ know|unknown|not\ (?:mentioned|specified|stated|provided))\b""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Scored:
    """A system's reply to a question, and what it is worth; `right` and `hit` are None where nothing could be right.

    `supported` has the checker's probability for each sentence of an answer, none for a refusal.
    """

    system: str
    file: str
    question: Question
    reply: dict[str, Any]
    refused: bool
    contains: bool | None
    right: bool | None
    hit: bool | None
    words: int
    valid: tuple[bool, ...]
    invented: bool
    supported: tuple[float, ...] = ()


def refuses(text: str) -> bool:
    """Whether the reply says, in its first sentence, that there is no answer, or says nothing at all."""
    sentences = sentence_texts(text)
    return not sentences or _REFUSES.search(sentences[0]) is not None


def score(file: str, document: Document, question: Question, reply: dict[str, Any]) -> Scored:
    """The reply's worth but for its support, which needs a model."""
    text, evidence = reply["text"], reply["evidence"]
    refused = refuses(text)
    answered = question.answerable and not refused
    in_a_row = answered and any(contains(text, document.text[gold.start : gold.end]) for gold in question.golds)
    right = answered and mentions(text, question.must_mention) if question.must_mention else in_a_row
    unknown = particulars(text) - known([*evidence, question.text, *(turn.question for turn in question.history)])
    return Scored(
        system=reply["system"],
        file=file,
        question=question,
        reply=reply,
        refused=refused,
        contains=in_a_row if question.answerable else None,
        right=right if question.answerable else None,
        hit=hit(document, question, evidence) if question.answerable else None,
        words=len(text.split()),
        valid=tuple(shown in document.text for shown in evidence),
        invented=not refused and bool(unknown),
    )


def hit(document: Document, question: Question, evidence: Iterable[str]) -> bool:
    """Whether one of the texts holds, wherever it stands in the document, an expected place or a part of one."""
    return any(
        place.overlaps(gold) for text in evidence for place in _places(document, text) for gold in question.golds
    )


def _places(document: Document, text: str) -> Iterator[Span]:
    return (
        (
            Span(match.start(), match.start() + len(text))
            for match in re.finditer(f"(?={re.escape(text)})", document.text)
        )
        if text
        else iter(())
    )


def scored(asked: Sequence[Source], replies: Iterable[dict[str, Any]]) -> list[Scored]:
    """The worth of every reply to a question that is asked, in their order."""
    expected = {
        (source.name, item.document.id, question.id): (item.document, question)
        for source in asked
        for item in source.items
        for question in item.questions
    }
    found = []
    for reply in replies:
        document, question = expected.get((reply["file"], reply["document"], reply["id"]), (None, None))
        if document is not None and question is not None:
            found.append(score(reply["file"], document, question, reply))
    return found


@dataclass(frozen=True, slots=True)
class Figures:
    """A system over some questions: shares in [0, 1], seconds, and None where there was nothing to measure.

    `contains`, `right` and `hit` are over answerable questions, those that were refused counting 0; `words` and
    `evidence_words` over answers. `supported` is the share of sentences of all answers, `valid` that of the shown
    texts that stand in the article word for word, `invented` that of answers with a name or number that neither these
    nor the question have.
    """

    questions: int
    contains: float | None
    right: float | None
    hit: float | None
    words: float | None
    evidence_words: float | None
    refused_rightly: float | None
    refused_wrongly: float | None
    balanced: float | None
    supported: float | None
    invented: float | None
    valid: float | None
    first_evidence_s_p50: float | None
    first_evidence_s_p95: float | None
    first_word_s_p50: float | None
    first_word_s_p95: float | None
    total_s_p50: float | None
    total_s_p95: float | None
    prompt_tokens: float | None
    peak_mb: float
    start_s: float | None
    prepare_s: float | None

    def to_json(self) -> dict[str, Any]:
        """The figures as a plain object, rounded."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def figures(replies: Sequence[Scored], starts: Sequence[float] = (), prepared: Sequence[float] = ()) -> Figures:
    """The figures of one system over its replies; `starts` and `prepared` are seconds to start and to take an article
    in.
    """
    answerable = [one for one in replies if one.question.answerable]
    answers = [one for one in replies if not one.refused]
    rightly = mean_of(one.refused for one in replies if not one.question.answerable)
    wrongly = mean_of(one.refused for one in answerable)
    times = {name: [one.reply[name] for one in replies] for name in ("first_evidence_s", "first_word_s", "total_s")}
    percentiles = {
        f"{name}_p{at}": float(np.percentile(found, at)) if (found := [s for s in seconds if s is not None]) else None
        for name, seconds in times.items()
        for at in (50, 95)
    }
    return Figures(
        questions=len(replies),
        contains=mean_of(one.contains for one in answerable),
        right=mean_of(one.right for one in answerable),
        hit=mean_of(one.hit for one in answerable),
        words=mean_of(one.words for one in answers),
        evidence_words=mean_of(sum(len(text.split()) for text in one.reply["evidence"]) for one in answers),
        refused_rightly=rightly,
        refused_wrongly=wrongly,
        balanced=None if rightly is None or wrongly is None else (rightly + 1 - wrongly) / 2,
        supported=mean_of(chance >= SUPPORTED for one in answers for chance in one.supported),
        invented=mean_of(one.invented for one in answers),
        valid=mean_of(valid for one in replies for valid in one.valid),
        **percentiles,
        prompt_tokens=mean_of(one.reply["read_tokens"] for one in replies),
        peak_mb=max((one.reply["peak_mb"] for one in replies), default=0.0),
        start_s=mean_of(starts),
        prepare_s=mean_of(prepared),
    )
