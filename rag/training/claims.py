# ruff: noqa: S311 (the draws are for repeatable augmentation)
"""The stream of claims that the checker learns from: a function of its sources, seed and step alone.

Three sources: lessons, with what should and what should not be answered; questions, with their answers, their sentences
and others as statements; and statements with evidence. What is supported is also made unsupported, by another name or
number, a negation, exchanged roles, other quotes, or something added that they do not say; and `contrasts` makes
statements of a quote's own words that it does not say.
"""

from __future__ import annotations

import functools
import random
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from rag.answer.question import understand
from rag.evaluation.metrics import likest, recall
from rag.evaluation.statements import read_cases
from rag.models.checker import Claim
from rag.models.checker_network import CheckerNetwork, encode
from rag.sentences import sentence_texts, split_sentences
from rag.training.augment import NAME, NUMBER, Marked, casual, strip
from rag.training.contrasts import contrasted, framed
from rag.training.data import held_out

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tokenizers import Tokenizer
    from torch import Tensor

    from rag.models.encoder import Dropout
    from rag.training.data import Corpus, Question
    from rag.training.lessons import Lesson, Taught

UNKNOWN = -1.0
"""The label of what is not known of a claim."""
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|has|have|had|will|would|can|could|should|did|does|do|must|may|might)\b(?! not\b)"
)
_NEGATED = re.compile(r"\b(?:not|never|no longer) ")


@dataclass(frozen=True)
class Labelled:
    """A claim and what is known of it: 1, 0 or UNKNOWN."""

    claim: Claim
    supported: float
    answers: float


@dataclass(frozen=True)
class Shares:
    """Of all claims."""

    lessons: float = 0.3
    statements: float = 0.3
    contrasts: float = 0.2
    """Statements of a quote's own words, half of which it does not say, with those that others are said to deny."""
    joined: float = 0.15
    """Two claims as one, of the quotes of both, or of one: those do not say all of it."""
    stripped: float = 0.3
    """Quotes without capitals and punctuation; of these, one statement in three as well."""


def read_statements(path: Path, *, held: bool) -> list[Labelled]:
    """The statements of a file, without their questions; a twentieth of the evidences, by hash, is held out."""
    return [
        Labelled(replace(case.claim, question=""), float(case.supported), UNKNOWN)
        for case in read_cases(path)
        if held_out(case.claim.quotes) == held
    ]


def from_lesson(random_: random.Random, taught: Taught, lesson: Lesson) -> Labelled:
    """The answer to learn or the false one, with the sentences that say so or are like it; or the answer as one to
    another question, with others' sentences, or made unsupported.
    """
    understood = understand(lesson.question, lesson.before)
    asked = random_.choice((understood.in_context, understood.standalone))
    draw = random_.random()
    if lesson.wrong and (draw < 0.4 or (lesson.refused and draw < 0.8)):
        like = nearest(taught.document.text, lesson.wrong)
        quotes = taught.text(lesson) if lesson.evidence and random_.random() < 0.6 else like
        return Labelled(Claim(asked, lesson.wrong, quotes), 0.0, 0.0)
    if lesson.refused:
        said = nearest(taught.document.text, asked)
        return Labelled(Claim(asked, said, said), 1.0, 0.0)
    claim = Claim(asked, lesson.answer, taught.text(lesson))
    others = [other for other in taught.lessons if not set(other.evidence) & set(lesson.evidence)]
    if draw < 0.5 and others:
        other = random_.choice(others)
        return Labelled(replace(claim, question=understand(other.question, other.before).in_context), 1.0, 0.0)
    if draw < 0.57 and (apart := [other for other in others if other.evidence]):
        return Labelled(replace(claim, quotes=taught.text(random_.choice(apart))), 0.0, UNKNOWN)
    if draw < 0.64 and (changed := falsified(random_, claim.statement, claim.quotes)) is not None:
        return Labelled(replace(claim, statement=changed), 0.0, UNKNOWN)
    return Labelled(claim, 1.0, 1.0)


def nearest(text: str, said: str) -> str:
    """The two sentences of the text that have most of what was said, in their order."""
    return " ".join(sorted(likest(sentence_texts(text), said, 2), key=text.find))


def from_question(random_: random.Random, corpus: Corpus, question: Question, peers: Sequence[Question]) -> Labelled:
    """A question's answer, or the sentence that holds it, or another of each, as the statement."""
    text = corpus.documents[question.document].text
    sentences = [(span.start, span.end) for span in split_sentences(text)]
    holds = [s for s in sentences if any(s[0] < end and start < s[1] for start, end in question.spans)]
    others = [s for s in sentences if s not in holds and s[1] - s[0] > 20]
    gold = random_.choice(question.spans) if question.spans else None
    draw = random_.random()
    if gold is not None and holds and (draw < 0.5 or not others):
        around = next((s for s in holds if s[0] <= gold[0] < s[1]), holds[0])
        short = random_.random() < 0.6
        statement = text[slice(*(gold if short else around))]
        if short and random_.random() < 0.5:
            statement = statement[:1].upper() + statement[1:] + "."
        cited = [around, random_.choice(others)] if others and random_.random() < 0.4 else [around]
        if draw < 0.04:
            return Labelled(Claim("", question.text, text[slice(*around)]), 0.0, UNKNOWN)  # it states nothing
        if draw < 0.1 and others:
            return Labelled(Claim(question.text, statement, text[slice(*random_.choice(others))]), 0.0, UNKNOWN)
        if draw < 0.2 and not short:
            changed = falsified(random_, statement, _cited(text, cited))
            if changed is not None:
                return Labelled(Claim(question.text, changed, _cited(text, cited)), 0.0, UNKNOWN)
        return Labelled(Claim(question.text, statement, _cited(text, cited)), 1.0, 1.0)
    wrong = [
        span
        for peer in peers
        for span in peer.spans
        if question.spans and not any(recall(text[slice(*span)], text[slice(*g)]) > 0 for g in question.spans)
    ]
    wrong += [found.span() for found in (*NAME.finditer(text), *NUMBER.finditer(text))] if not question.spans else []
    if wrong and random_.random() < 0.6:
        span = random_.choice(wrong)
        touched = [s for s in sentences if s[0] < span[1] and span[0] < s[1]][:2]
        if touched:
            return Labelled(Claim(question.text, text[slice(*span)], _cited(text, touched)), 1.0, 0.0)
    said = random_.choice(likest([text[slice(*s)] for s in others or sentences], question.text, 2))
    return Labelled(Claim(question.text, said, said), 1.0, 0.0)


def from_contrast(
    random_: random.Random, corpus: Corpus, question: Question, peers: Sequence[Question]
) -> Labelled | None:
    """A question with an answer as a statement, or a sentence that others deny or confirm; None where there is none."""
    text = corpus.documents[question.document].text
    if random_.random() < 0.004:  # most questions cannot be turned, and then another is drawn
        span = random_.choice(list(split_sentences(text)))
        sentence = text[span.start : span.end]
        if not 6 <= len(sentence.split()) <= 40:
            return None
        quote, said = framed(random_, sentence)
        return Labelled(Claim("", sentence, quote), float(said), UNKNOWN)
    if not question.spans:
        return None
    other = [span for peer in peers if peer is not question for span in peer.spans]
    made = contrasted(random_, text, question.text, question.spans, other)
    if made is None:
        return None
    statement, quote, said = made
    asked = question.text if random_.random() < 0.6 else ""
    return Labelled(Claim(asked, statement, quote), float(said), float(said) if asked else UNKNOWN)


def joined(random_: random.Random, one: Labelled, other: Labelled) -> Labelled:
    """Both statements as one, in either order, of the quotes of both, or of the first claim's only."""
    both = random_.random() < 0.5
    statements, quotes = [one.claim.statement, other.claim.statement], [one.claim.quotes, other.claim.quotes]
    if random_.random() < 0.5:
        statements.reverse()
    if random_.random() < 0.5:
        quotes.reverse()
    first, second = statements
    if random_.random() < 0.5:
        first = first.rstrip(" .!?") + random_.choice((", and", " and", ", but", ","))
    said = min(one.supported, other.supported) if both else 0.0
    claim = Claim(one.claim.question, f"{first} {second}", " ".join(quotes) if both else one.claim.quotes)
    return Labelled(claim, said, UNKNOWN)


def falsified(random_: random.Random, statement: str, quotes: str) -> str | None:
    """The statement with something in it changed that makes it say what the quotes do not; None where nothing can be:
    a name or number replaced by another of the quotes or by one from nowhere, two names exchanged, a verb negated.
    """
    kinds = [_replaced, _exchanged, _negated]
    random_.shuffle(kinds)
    for kind in kinds:
        changed = kind(random_, statement, quotes)
        if changed is not None and changed != statement:
            return changed
    return None


def _replaced(random_: random.Random, statement: str, quotes: str) -> str | None:
    for pattern in random_.sample((NUMBER, NAME), 2):
        mine = [found for found in pattern.finditer(statement) if found.start() > 0 or pattern is NUMBER]
        if not mine:
            continue
        target = random_.choice(mine)
        theirs = {found[0] for found in pattern.finditer(quotes)} - {m[0] for m in pattern.finditer(statement)}
        if theirs:
            new = random_.choice(sorted(theirs))
        elif pattern is NUMBER and target[0].isdigit():
            new = str(max(1, int(target[0]) + random_.choice((-10, -3, -1, 1, 2, 5, 10))))
        else:
            continue
        return statement[: target.start()] + new + statement[target.end() :]
    return None


def _exchanged(random_: random.Random, statement: str, quotes: str) -> str | None:  # noqa: ARG001
    names = [found for found in NAME.finditer(statement) if found.start() > 0 or len(found[0].split()) > 1]
    if len(names) < 2 or names[0][0] == names[-1][0] or re.search(r"\band\b", statement):
        return None
    first, last = names[0], names[-1]
    return (
        statement[: first.start()]
        + last[0]
        + statement[first.end() : last.start()]
        + first[0]
        + statement[last.end() :]
    )


def _negated(random_: random.Random, statement: str, quotes: str) -> str | None:  # noqa: ARG001
    if _NEGATED.search(statement):
        return _NEGATED.sub("", statement, count=1)
    found = _AUXILIARY.search(statement)
    return f"{statement[: found.end()]} not{statement[found.end() :]}" if found else None


def _cited(text: str, spans: Sequence[tuple[int, int]]) -> str:
    return " ".join(text[start:end] for start, end in sorted(spans))


class Claims:
    """The checker's task: batches by step, grouped by length within `group` of them."""

    def __init__(
        self,
        corpus: Corpus,
        statements: Sequence[Sequence[Labelled]],
        lessons: Sequence[Taught],
        tokenizer: Tokenizer,
        *,
        seed: int,
        rows: int,
        shares: Shares | None = None,
        group: int = 16,
    ) -> None:
        self._corpus, self._statements, self._tokenizer = corpus, statements, tokenizer
        self._lessons = [(taught, lesson) for taught in lessons for lesson in taught.lessons]
        self._seed, self.rows, self._group, self._shares = seed, rows, group, shares or Shares()
        self._peers = corpus.by_document()
        self._pool = functools.lru_cache(2)(self._grouped)

    def batch(self, step: int) -> tuple[Labelled, ...]:
        """The claims of a step, counted from 0."""
        return self._pool(step // self._group)[step % self._group]

    def loss(
        self, network: CheckerNetwork, step: int, device: torch.device, drop: Dropout | None
    ) -> tuple[str, Tensor, float]:
        """Mean binary cross entropy of what is known."""
        batch = self.batch(step)
        pieces = encode(self._tokenizer, [labelled.claim for labelled in batch]).to(device)
        labels = torch.tensor([(one.supported, one.answers) for one in batch], device=device)  # (B, 2)
        logits = network.verdicts(network(pieces, drop))
        known = labels != UNKNOWN
        return "claims", functional.binary_cross_entropy_with_logits(logits[known], labels[known]), 1.0

    def _grouped(self, pool: int) -> tuple[tuple[Labelled, ...], ...]:
        size = self.rows * self._group
        random_ = random.Random(f"{self._seed} pool {pool}")
        made = [self._compose(random_) for _ in range(size)]
        made.sort(key=lambda one: len(one.claim.question) + len(one.claim.statement) + len(one.claim.quotes))
        batches = [tuple(made[at : at + self.rows]) for at in range(0, size, self.rows)]
        random_.shuffle(batches)
        return tuple(batches)

    def _compose(self, random_: random.Random) -> Labelled:
        made = self._drawn(random_)
        if random_.random() < self._shares.joined and made.supported != UNKNOWN:
            other = self._drawn(random_)
            if other.supported != UNKNOWN and other.claim.quotes != made.claim.quotes:
                made = joined(random_, made, other)
        return _as_written(random_, made, self._shares.stripped)

    def _drawn(self, random_: random.Random) -> Labelled:
        shares = self._shares
        weights = {
            self._of_lesson: shares.lessons if self._lessons else 0.0,
            self._of_statement: shares.statements if self._statements else 0.0,
            self._of_contrast: shares.contrasts,
            self._of_question: 1 - shares.lessons - shares.statements - shares.contrasts,
        }
        (draw,) = random_.choices(list(weights), list(weights.values()))
        return draw(random_)

    def _of_lesson(self, random_: random.Random) -> Labelled:
        return from_lesson(random_, *random_.choice(self._lessons))

    def _of_statement(self, random_: random.Random) -> Labelled:
        return random_.choice(random_.choice(self._statements))

    def _of_question(self, random_: random.Random) -> Labelled:
        question = random_.choice(self._corpus.questions)
        return from_question(random_, self._corpus, question, self._peers[question.document])

    def _of_contrast(self, random_: random.Random) -> Labelled:
        while True:  # most questions cannot be turned into statements
            question = random_.choice(self._corpus.questions)
            made = from_contrast(random_, self._corpus, question, self._peers[question.document])
            if made is not None:
                return made


def _as_written(random_: random.Random, made: Labelled, stripped: float) -> Labelled:
    """The claim as texts and people write: quotes perhaps without punctuation, the question as it is typed."""
    claim = replace(made.claim, question=casual(random_, made.claim.question) if made.claim.question else "")
    if random_.random() < stripped:
        claim = replace(claim, quotes=_plain(claim.quotes))
        if random_.random() < 1 / 3:
            claim = replace(claim, statement=_plain(claim.statement))
    return replace(made, claim=claim)


def _plain(text: str) -> str:
    return strip(Marked(text, ())).text.strip() or text
