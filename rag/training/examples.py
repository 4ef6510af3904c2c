# ruff: noqa: S311 (the draws are for repeatable augmentation)
"""The stream of training batches: a function of corpus, seed and step alone, so a resumed run sees the same ones."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.answer.question import SEPARATOR, in_context
from rag.training import augment
from rag.training.augment import Marked
from rag.training.batches import BoundaryBatch, Example, SpanBatch, boundary_batch, span_batch
from rag.training.boundaries import boundary_window
from rag.training.dialogues import Asked, asked_in_dialogue
from rag.training.offtask import off_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenizers import Tokenizer

    from rag.training.data import Corpus, Question

LONGEST_ANSWER = 60  # words


@dataclass(frozen=True)
class Mix:
    """How often each kind of example is made; shares of all examples unless said otherwise."""

    per_epoch: Mapping[str, float]  # how often a source's questions are used in an epoch
    reasons: float = 2.5  # times as often: questions that ask why or how
    stripped: float = 0.4
    beside: float = 0.10  # of answerable questions: the same paragraph without its answer
    elsewhere: float = 0.14  # of answerable questions: another paragraph of the article
    foreign: float = 0.02  # a question about another article
    swapped: float = 0.03  # a name or number of the question replaced
    off_task: float = 0.02
    neighbours: float = 0.35  # the paragraph stands among its neighbours
    history: float = 0.25  # asked as part of a conversation
    reworded: float = 0.3  # of an epoch, where there are such: questions in other words
    words: tuple[int, int] = (45, 125)
    boundary_every: int = 5  # each so many-th batch is a boundary batch


DEFAULT_MIX = Mix(
    per_epoch={
        "squad2_train": 1.0,
        "qed_nq": 1.5,
        "fairytaleqa": 2.0,
        "qadiscourse": 1.0,
        "covidqa": 2.0,
        "clapnq": 2.0,
        "qamr": 0.15,
        "foolmetwice": 1.0,
        "lessons": 12.0,  # the only ones that ask as readers do, and a fiftieth of all
    }
)


class Stream:
    """Batches by step. Examples are drawn in shuffled epochs and grouped by length within `group` batches.

    `reworded` has other words for some of the questions, by their ids.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: Tokenizer,
        mix: Mix,
        *,
        seed: int,
        rows: int,
        group: int = 16,
        reworded: Mapping[str, str] | None = None,
    ) -> None:
        self.corpus, self.tokenizer, self.mix = corpus, tokenizer, mix
        self.reworded = (
            [replace(question, text=reworded[question.id]) for question in corpus.questions if question.id in reworded]
            if reworded
            else []
        )
        self.seed, self.rows, self.group = seed, rows, group
        self.by_group: dict[str, list[int]] = {}
        self.by_document: dict[int, list[int]] = {}
        for number, question in enumerate(corpus.questions):
            self.by_group.setdefault(corpus.documents[question.document].group, []).append(number)
            self.by_document.setdefault(question.document, []).append(number)
        self._epoch = functools.lru_cache(2)(self._shuffled)
        self._pool = functools.lru_cache(2)(self._grouped)

    @property
    def epoch_examples(self) -> int:
        """How many examples an epoch has."""
        return len(self._epoch(0))

    def batch(self, step: int) -> SpanBatch | BoundaryBatch:
        """The batch of a step, counted from 0."""
        every = self.mix.boundary_every
        if step % every == every - 1:
            return self._boundary(step)
        number = step - step // every
        return span_batch(self.tokenizer, self._pool(number // self.group)[number % self.group])

    def _shuffled(self, epoch: int) -> tuple[Question, ...]:
        random_ = random.Random(f"{self.seed} epoch {epoch}")
        chosen = []
        for question in self.corpus.questions:
            share = self.mix.per_epoch.get(self.corpus.documents[question.document].source, 1.0)
            if augment.asks_reason(question.text):
                share *= self.mix.reasons
            chosen += [question] * (int(share) + (random_.random() < share % 1))
        if self.reworded:
            chosen += random_.choices(self.reworded, k=round(len(chosen) * self.mix.reworded / (1 - self.mix.reworded)))
        random_.shuffle(chosen)
        return tuple(chosen)

    def _grouped(self, pool: int) -> tuple[tuple[Example, ...], ...]:
        size = self.rows * self.group
        random_ = random.Random(f"{self.seed} pool {pool}")
        epoch, start = divmod(pool * size, self.epoch_examples)
        asked = (self._epoch(epoch) + self._epoch(epoch + 1))[start : start + size]
        made = [compose(random_, self, question) for question in asked]
        made.sort(key=lambda example: len(example.marked.text) + len(example.question))
        batches = [tuple(made[at : at + self.rows]) for at in range(0, size, self.rows)]
        random_.shuffle(batches)
        return tuple(batches)

    def _boundary(self, step: int) -> BoundaryBatch:
        random_ = random.Random(f"{self.seed} boundary {step}")
        windows = [boundary_window(random_, self.corpus) for _ in range(self.rows)]
        return boundary_batch(self.tokenizer, windows)


def compose(random_: random.Random, stream: Stream, question: Question) -> Example:
    """One augmented example of a question; its spans point at its answers, whatever was done to the text."""
    mix, corpus = stream.mix, stream.corpus
    document = corpus.documents[question.document]
    words = random_.randint(*mix.words)
    asked = Asked(question.text, question.spans)
    if random_.random() < mix.history and SEPARATOR not in question.text:  # it is in a conversation already
        own = [corpus.questions[n] for n in stream.by_document[question.document]]
        asked = asked_in_dialogue(random_, question, own, document.text)
    text, centre, marked = asked.text, question.document, Marked(document.text, asked.spans)
    draw = random_.random()
    kinds = (mix.off_task, mix.foreign, mix.swapped, mix.beside, mix.elsewhere)
    kind = sum(draw >= sum(kinds[: n + 1]) for n in range(len(kinds)))
    peers = [corpus.questions[n] for n in stream.by_group[document.group]]
    if kind == 0:
        names = augment.NAME.findall(document.text)
        text = off_task(random_, random_.choice(names) if names else document.title, random_.choice(peers).text)
        marked = Marked(document.text, ())
    elif kind == 1:
        centre = random_.randrange(len(corpus.documents))
    elif kind == 2:
        changed = augment.swap(random_, text, random_.choice(peers).text, document.text)
        text, marked = (changed, Marked(document.text, ())) if changed else (text, marked)
    elif kind == 3 and asked.spans:
        marked = augment.without_answers(random_, marked, words) or marked
    elif kind == 4 and asked.spans:
        centre = _other_paragraph(random_, corpus, question)
    if any(len(marked.text[start:end].split()) > LONGEST_ANSWER for start, end in marked.spans):
        centre = _other_paragraph(random_, corpus, question)  # nobody's quote is that long
    if centre != question.document:
        marked = Marked(corpus.documents[centre].text, ())
    if len(marked.text.split()) < words / 2 or random_.random() < mix.neighbours * (1 if marked.spans else 0.5):
        marked = _among_neighbours(random_, corpus, centre, marked, words * 6, avoid=question.document)
    marked = augment.crop(random_, marked, words, keep=random_.choice(marked.spans) if marked.spans else None)
    told = asked.answer
    if random_.random() < mix.stripped:
        marked, told = augment.strip(marked), augment.strip(Marked(told, ())).text.strip()
    earlier = [augment.casual(random_, one) for one in asked.earlier]
    return Example(in_context(*earlier, told, augment.casual(random_, text)), marked)


def _other_paragraph(random_: random.Random, corpus: Corpus, question: Question) -> int:
    """The one of a few other paragraphs of the article (else of any) that shares most words with the question."""
    near = corpus.documents[question.document].neighbours
    others = [n for n in near if n != question.document] or range(len(corpus.documents))
    asked = set(question.text.lower().split())
    answers = {corpus.documents[question.document].text[start:end] for start, end in question.spans}
    drawn = [random_.choice(others) for _ in range(4)]
    drawn = [n for n in drawn if not any(answer in corpus.documents[n].text for answer in answers)] or drawn[:1]
    return max(drawn, key=lambda n: len(asked & set(corpus.documents[n].text.lower().split())))


def _among_neighbours(
    random_: random.Random, corpus: Corpus, centre: int, marked: Marked, characters: int, *, avoid: int
) -> Marked:
    """The paragraph with those before and after it, as far as the window may reach, but not the one to avoid."""
    near = corpus.documents[centre].neighbours
    sides: list[list[str]] = []
    for numbers in (range(centre - 1, near.start - 1, -1), range(centre + 1, near.stop)):
        side: list[str] = []
        for number in numbers:
            if sum(map(len, side)) >= characters:
                break
            if number != avoid:
                side.append(corpus.documents[number].text)
        sides.append(side)
    glue = random_.choice(("\n\n", " "))
    return augment.join(glue.join(reversed(sides[0])), marked, glue.join(sides[1]))
