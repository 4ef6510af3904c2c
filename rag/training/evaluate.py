# ruff: noqa: S311 (the draws are for repeatable samples)
"""Scores on articles that training never saw: spans, hits, answerability and sentence boundaries.

An article is read as the product reads it: paragraphs joined, in windows of 100 words that overlap by half.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rag.answer.question import in_context
from rag.evaluation.metrics import auc
from rag.models.encoder import fast_inference
from rag.models.reader.network import ReaderNetwork, ScoredSpan
from rag.models.reader.spans import Window, answer_spans
from rag.training.augment import Marked, strip
from rag.training.batches import boundary_batch
from rag.training.boundaries import boundary_window
from rag.training.dialogues import asked_in_dialogue
from rag.types import Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from rag.training.data import Corpus, Question

MAIN_SOURCE = "squad2_train"
WINDOW_WORDS, STRIDE_WORDS, QUOTE_WORDS = 100, 50, 10
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Case:
    """A question of a whole text and the character ranges of its answers, empty where it has none."""

    question: str
    text: str
    spans: tuple[tuple[int, int], ...]


def windows(text: str, words: int = WINDOW_WORDS, stride: int = STRIDE_WORDS) -> list[tuple[int, int]]:
    """Character ranges of overlapping runs of words that together hold every word."""
    places = [match.span() for match in _WORD.finditer(text)]
    starts = range(0, max(1, len(places) - (words - stride)), stride)
    return [(places[n][0], places[min(n + words, len(places)) - 1][1]) for n in starts] if places else []


def read(network: ReaderNetwork, tokenizer: Tokenizer, question: str, text: str, top: int = 3) -> list[ScoredSpan]:
    """The best spans of a text, best first; none lies in the quote of a better one."""
    parts = [Window(0, Span(start, end)) for start, end in windows(text)]
    chosen: list[ScoredSpan] = []
    for span in answer_spans(network, tokenizer, question, [text], parts):
        quotes = [quote(text, better.start, better.end) for better in chosen]
        if not any(a <= span.start and span.end <= b for a, b in quotes):
            chosen.append(span)
    return chosen[:top]


def quote(text: str, start: int, end: int, words: int = QUOTE_WORDS) -> tuple[int, int]:
    """The span with so many words before and after it."""
    before, after = list(_WORD.finditer(text, 0, start)), list(_WORD.finditer(text, end))
    return (before[-words:][0].start() if before else start), (after[:words][-1].end() if after else end)


def word_f1(mine: str, gold: str) -> float:
    """Token F1 as SQuAD counts it, articles and punctuation left out."""
    a, b = ([w for w in re.findall(r"\w+", part.lower()) if w not in ("a", "an", "the")] for part in (mine, gold))
    same = sum((Counter(a) & Counter(b)).values())
    return 2 * same / (len(a) + len(b)) if same else float(a == b)


def found_in(case: Case, span: ScoredSpan) -> bool:
    """Whether the quote around a span holds the words of an answer."""
    start, end = quote(case.text, span.start, span.end)
    shown = " ".join(re.findall(r"\w+", case.text[start:end].lower()))
    return any(" ".join(re.findall(r"\w+", case.text[a:b].lower())) in shown for a, b in case.spans)


@dataclass(frozen=True)
class Outcome:
    """What reading a case gave: the best score, and for an answerable one F1 and the rank of the first hit (or 0)."""

    answerable: bool
    score: float
    f1: float
    rank: int
    words: int


def read_all(network: ReaderNetwork, tokenizer: Tokenizer, cases: Sequence[Case]) -> list[Outcome]:
    """An outcome for each case."""
    outcomes = []
    for case in cases:
        spans = read(network, tokenizer, case.question, case.text)
        f1 = max(
            (word_f1(case.text[spans[0].start : spans[0].end], case.text[a:b]) for a, b in case.spans), default=0.0
        )
        rank = next((n for n, span in enumerate(spans, 1) if case.spans and found_in(case, span)), 0)
        outcomes.append(Outcome(bool(case.spans), spans[0].score, f1, rank, len(case.text.split())))
    return outcomes


def summary(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Span F1 and hits over answerable cases; AUC and best balanced accuracy where there are both kinds."""
    asked = [o for o in outcomes if o.answerable]
    scores = {"questions": float(len(outcomes))}
    if asked:
        scores["f1"] = float(np.mean([o.f1 for o in asked]))
        scores |= {f"hit{k}": float(np.mean([0 < o.rank <= k for o in asked])) for k in (1, 2, 3)}
    if asked and len(asked) < len(outcomes):
        labels, values = np.array([o.answerable for o in outcomes]), np.array([o.score for o in outcomes])
        scores["auc"] = auc(values, labels)
        cuts = np.unique(values)
        scores["balanced"] = max(float((values[labels] >= c).mean() + (values[~labels] < c).mean()) / 2 for c in cuts)
    return {name: round(value, 4) for name, value in scores.items()}


def held_out_cases(
    corpus: Corpus,
    count: int,
    *,
    paragraphs: int,
    seed: int = 0,
    source: str | None = None,
    reworded: Mapping[str, str] | None = None,
) -> list[Case]:
    """Questions of one source (default: the main one), each on so many consecutive paragraphs, its own among them; of
    all sources those that `reworded` has other words for, in these.
    """
    source = source or MAIN_SOURCE
    random_ = random.Random(f"{seed} {source} {paragraphs}")
    if reworded is None:
        own = [q for q in corpus.questions if corpus.documents[q.document].source == source]
    else:
        own = [replace(q, text=reworded[q.id]) for q in corpus.questions if q.id in reworded]
    return [
        among_paragraphs(random_, corpus, question, paragraphs)
        for question in random_.sample(own, min(count, len(own)))
    ]


def among_paragraphs(random_: random.Random, corpus: Corpus, question: Question, paragraphs: int) -> Case:
    """The question on its paragraph and as many of those around it as make so many in all."""
    near = corpus.documents[question.document].neighbours
    first = min(
        max(near.start, question.document - random_.randrange(paragraphs)), max(near.start, near.stop - paragraphs)
    )
    texts = [corpus.documents[n].text for n in range(first, min(near.stop, first + paragraphs))]
    shift = sum(len(text) + 2 for text in texts[: question.document - first])
    return Case(question.text, "\n\n".join(texts), tuple((a + shift, b + shift) for a, b in question.spans))


def boundary_scores(
    network: ReaderNetwork, tokenizer: Tokenizer, corpus: Corpus, count: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Probabilities and labels (n,) at the word ends of so many windows of stripped text."""
    device = network.words.weight.device
    random_ = random.Random("boundaries")
    squad = [n for n, d in enumerate(corpus.documents) if d.source == MAIN_SOURCE]
    values, labels = [], []
    for _ in range(0, count, 16):
        batch = boundary_batch(tokenizer, [boundary_window(random_, corpus, 100, 100, squad) for _ in range(16)])
        with fast_inference(device):
            logits = network.boundaries(network(batch.encoded.to(device))).cpu()
        known = batch.labels >= 0
        values.append(logits[known].sigmoid().numpy())
        labels.append(batch.labels[known].numpy() > 0)
    return np.concatenate(values), np.concatenate(labels)


def best_f1(values: NDArray[np.float32], labels: NDArray[np.bool_]) -> tuple[float, float]:
    """The best F1 of the labels over thresholds on the values, and that threshold."""
    results = []
    for cut in np.arange(0.1, 0.9, 0.02):
        chosen = values >= cut
        right = (chosen & labels).sum()
        results.append((float(2 * right / max(1, chosen.sum() + labels.sum())), float(cut)))
    return max(results)


def dialogue_cases(corpus: Corpus, count: int) -> tuple[list[Case], list[Case]]:
    """Follow-ups in dialogues made of the questions of a paragraph, on three paragraphs: the bare follow-up, and the
    same behind the question and answer that it follows.
    """
    bare: list[Case] = []
    composed: list[Case] = []
    by_document: dict[int, list[Question]] = {}
    for question in corpus.questions:
        if corpus.documents[question.document].source == MAIN_SOURCE:
            by_document.setdefault(question.document, []).append(question)
    random_ = random.Random("dialogues")
    shuffled = itertools.cycle(random_.sample(sorted(by_document), len(by_document)))
    for number in itertools.islice(shuffled, 20 * count):  # where hardly any can lean on another, there are fewer
        question = random_.choice(by_document[number])
        asked = asked_in_dialogue(random_, question, by_document[number], corpus.documents[number].text)
        if asked.text != question.text:
            case = among_paragraphs(random_, corpus, replace(question, text=asked.text, spans=asked.spans), 3)
            bare.append(case)
            composed.append(replace(case, question=in_context(*asked.earlier, asked.answer, asked.text)))
        if len(bare) == count:
            return bare, composed
    return bare, composed


def stripped(cases: Sequence[Case]) -> list[Case]:
    """The cases on text without punctuation and capitals."""
    marked = [(case, strip(Marked(case.text, case.spans))) for case in cases]
    return [Case(case.question, m.text, m.spans) for case, m in marked if bool(m.spans) == bool(case.spans)]


def quick(
    network: ReaderNetwork, tokenizer: Tokenizer, corpus: Corpus, count: int = 500
) -> dict[str, dict[str, float]]:
    """About a minute's worth of scores for the log: whole articles, single paragraphs, boundaries."""
    articles = [case for case in held_out_cases(corpus, count * 3 // 5, paragraphs=5) if case.spans]
    paragraphs = held_out_cases(corpus, count, paragraphs=1)
    f1, cut = best_f1(*boundary_scores(network, tokenizer, corpus, 64))
    return {
        "articles": summary(read_all(network, tokenizer, articles)),
        "paragraphs": summary(read_all(network, tokenizer, paragraphs)),
        "boundaries": {"f1": round(f1, 4), "threshold": round(cut, 2)},
    }


def full(
    network: ReaderNetwork,
    tokenizer: Tokenizer,
    corpus: Corpus,
    count: int = 400,
    reworded: Mapping[str, str] | None = None,
) -> dict[str, dict[str, float]]:
    """The scores of the model card: each source, stripped text, follow-ups, and questions in other words."""
    articles = [case for case in held_out_cases(corpus, count, paragraphs=5, seed=2) if case.spans]
    bare, composed = dialogue_cases(corpus, count // 2)
    sets = {
        "articles of five paragraphs": articles,
        "the same, stripped": stripped(articles),
        "single paragraphs": held_out_cases(corpus, count, paragraphs=1, seed=2),
        "follow-ups, bare": bare,
        "follow-ups in their dialogue": composed,
    }
    others = sorted({d.source for d in corpus.documents} - {MAIN_SOURCE})
    sets |= {source: held_out_cases(corpus, count // 4, paragraphs=3, seed=2, source=source) for source in others}
    if reworded:
        for name, number in (("in other words, three paragraphs", 3), ("in other words, single paragraphs", 1)):
            sets[name] = held_out_cases(corpus, count, paragraphs=number, seed=2, reworded=reworded)
    return {name: summary(read_all(network, tokenizer, cases)) for name, cases in sets.items() if cases}
