"""A draft and the sentences that it was attributed to -> how likely it is right: what many witnesses say, as numbers.

A writer cannot check itself, and no single witness is enough: the reader knows whether the text answers, not whether
the draft does; words that come from nowhere tell an invention, not a true sentence that does not answer. So each says
what it sees, and a logistic model over all of them, fitted for each writer, gives one calibrated probability. Before
it, a trained checker looks at each sentence with its sources: what they do not say is not shown, likely right or not.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import cache

from rag.answer.drafts import Draft, Source, Written, denies
from rag.answer.particulars import known, particulars
from rag.answer.question import Question
from rag.answer.speakers import misattributed
from rag.library.index import PassageIndex, lexical_tokens
from rag.models.checker import Checker, Claim, Verdict
from rag.models.reader.quotes import Reader
from rag.models.weights import FOLDER
from rag.types import Passage, Reading, RetrievedPassage

LEAST_SUPPORTED, LEAST_SUPPORTED_OF_ACCOUNTS = 0.1, 0.5
"""A sentence is shown where its sources say all of it with this probability: of 87 drafts, most of them about news in
readers' words, 90 of 100 right ones are, and 59 of 100 wrong ones. An account, which no judge hears, needs more: of the
sentences of accounts of two news articles all 13 that these say are above, and two of seven that go beyond them."""
LEAST_ANSWERING = 0.05
"""Nor is a sentence that answers with less than this probability, however true: of 190 drafts over held-out texts 96 of
100 right ones are above, and 47 of 100 wrong ones (without it 98 and 62), many of which say the question again.
"""
LEAST_OF_TRUSTED, SURE = 0.2, 0.5
"""Where a quote is trusted, a sentence is shown in its place from these probabilities on, both of them; one that was
drafted anew from the second."""
LIKELY, LENIENCE = 0.7, 0.2
"""Of a sentence that the judge gives this chance, this share of both is enough: of 149 drafts none lies between, in
chats two did, both right, of questions in other words than the text's."""
LEAST_CHANCE = 0.15
"""A sentence that is less likely right than this is not shown. It is low, as the reader, whom the judge hears most, is
lost where a question is in other words than the text: right drafts look less likely there than they are."""
LEAST_CHANCE_OF_STRANGERS = 0.5
"""The same of a sentence with a name that the article does not have: a question's, whose answer is likely made up."""
LEAST_HOPE = 0.03
"""After a draft that is less likely right than this, another from the same article was never shown."""
WEIGHTS = FOLDER / "judge.json"
_REASON = re.compile(r"\b(?:because|by)\b")
OTHERS = "others"
"""The name of the weights for writers that have none of their own."""
SILENT = ("refusal", "confidence")
"""Witnesses that may say nothing, as a model server need not tell probabilities."""
_UNLIKELY = 4.0
"""A refusal that is less likely than so many nats below certainty was not thought of, and it says no more."""
_MOST = 6.0
"""Log-odds beyond which a witness is not believed more."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the witnesses say of a draft; each is larger where the draft is more likely right.

    `article` and `quotes` are the reader's log-odds that the article and the cited sentences answer the question;
    `refusal` is how unlikely the writer found it to refuse, `confidence` how likely its own words, in nats, each None
    where it does not tell; `agreement` is the share of the reader's answer that the draft has; `covered` the share of
    its words that stand in the cited sentences, and `particulars` minus the number of its names and numbers that do
    not; `closeness` and `relevance` are the cosines of the cited sentences with the draft and with the question.
    """

    article: float
    quotes: float
    refusal: float | None
    confidence: float | None
    agreement: float
    covered: float
    particulars: float
    closeness: float
    relevance: float

    @property
    def values(self) -> tuple[float | None, ...]:
        """The numbers in the order of the fields, as the judge weighs them."""
        return astuple(self)


class Judge:
    """Decides which drafted sentences are shown: those that their sources say and that, by a logistic model over
    `Features.values` that was fitted for the writer, are likely enough right.
    """

    def __init__(self, index: PassageIndex, reader: Reader, checker: Checker, writer: str) -> None:
        self._index = index
        self._reader = reader
        self._checker = checker
        self._writer = writer

    def is_right(self, question: Question, written: Written, chance: float, least: float = 0.0) -> bool:
        """Whether a sentence with this chance to be right may be shown: it is likely enough, its sources say it, and it
        answers, both with the `least` probability at least.

        What it denies follows from its sources rather than stands in them; of that the checker, which learnt denials
        from made-up falsehoods, knows too little to forbid it. "No," alone denies only what was asked, and what a
        reason denies is claimed as anything is.
        """
        denied = denies(_REASON.split(written.text)[0])
        likely = LEAST_CHANCE if denied or not self._strangers(written) else LEAST_CHANCE_OF_STRANGERS
        verdict = (
            self._verdict(question, written, [question.in_context, question.standalone]) if chance >= likely else None
        )
        if verdict is None or min(verdict.supported, verdict.answers) < least:
            return False
        share = LENIENCE if chance >= LIKELY else 1.0
        return denied or (verdict.supported >= share * LEAST_SUPPORTED and verdict.answers >= share * LEAST_ANSWERING)

    def chance(self, question: Question, draft: Draft, written: Written, reading: Reading) -> float:
        """How likely a sentence of the draft is right, in [0, 1], whether its sources say it or not."""
        return self.probability(self.examine(question, draft, written, reading))

    def is_said(self, question: Question, written: Written) -> bool:
        """Whether the cited sentences say all of a sentence of an account, whatever was asked."""
        verdict = self._verdict(question, written, [""])
        return verdict is not None and verdict.supported >= LEAST_SUPPORTED_OF_ACCOUNTS

    def _verdict(self, question: Question, written: Written, asked: Iterable[str]) -> Verdict | None:
        """The best that the checker, asked in these ways, says of the sentence with its sources; None where it has
        none, something is invented, or somebody is given another's words. A long conversation before a question, which
        it never learnt, may mislead it.
        """
        if not written.sources or self.invented(question, written):
            return None
        texts = self._texts(written)
        if misattributed(written.text, question.standalone, texts, self._reader):
            return None
        quotes = " ".join(texts)
        told = self._checker.check([Claim(way, written.text, quotes) for way in dict.fromkeys(asked)])
        return Verdict(max(one.supported for one in told), max(one.answers for one in told))

    def invented(self, question: Question, written: Written) -> set[str]:
        """The names and numbers of the sentence that neither its sources nor the question have, whatever else speaks
        for it.
        """
        return particulars(written.text) - known([*self._texts(written), question.standalone])

    def unknown(self, question: Question) -> set[str]:
        """The names of the question that stand nowhere in the articles."""
        names = _names(question.standalone)
        if not names:
            return names
        documents = self._index.documents.values()
        return names - known(text for document in documents for text in (document.title, document.text))

    def _strangers(self, written: Written) -> set[str]:
        """The names of the sentence that stand nowhere in the articles that it cites."""
        names = _names(written.text) - known(self._texts(written))
        if not names:
            return names  # mostly so, and articles may be long
        cited = {source.document_id for source in written.sources}
        return names - known(self._index.documents[document_id].text for document_id in cited)

    def examine(self, question: Question, draft: Draft, written: Written, reading: Reading) -> Features:
        """What the witnesses say of a sentence of the draft."""
        documents, texts = self._index.documents, self._texts(written)
        cited = "\n".join(texts)
        found = [_as_passage(source, text) for source, text in zip(written.sources, texts, strict=True)]
        asked = question.in_context
        best = reading.quotes[0].highlighted if reading.quotes else None
        vectors = self._index.embedder.embed([written.text, question.standalone, cited])  # (3, d)
        return Features(
            article=_log_odds(reading.answerable),
            quotes=_log_odds(self._reader.read(asked, documents, found, max_quotes=1).answerable),
            refusal=min(-draft.refusal, _UNLIKELY) if draft.refusal is not None else None,
            confidence=max(draft.confidence, -3.0) if draft.confidence is not None else None,
            agreement=_share(best or "", written.text),
            covered=_share(written.text, f"{cited} {question.standalone}"),
            particulars=-float(len(self.invented(question, written))),
            closeness=float(vectors[0] @ vectors[2]),
            relevance=float(vectors[1] @ vectors[2]),
        )

    def _texts(self, written: Written) -> list[str]:
        return [self._index.text_at(source.document_id, source.span) for source in written.sources]

    def probability(self, features: Features) -> float:
        """How likely the sentence is right, in [0, 1]; a witness who says nothing counts as the usual one."""
        weights, usual, offset = _fitted(self._writer)
        values = (said if said is not None else mean for said, mean in zip(features.values, usual, strict=True))
        total = sum(weight * value for weight, value in zip(weights, values, strict=True)) + offset
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


@cache
def _fitted(writer: str) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """The weights, what witnesses who may be silent say on average, and the offset, as they were fitted for the writer,
    else for one that is not tuned.
    """
    known = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    fitted = known.get(writer) or known[OTHERS]
    names = Features.__slots__
    usual = tuple(fitted["usual"].get(name, 0.0) for name in names)
    return tuple(fitted["weights"][name] for name in names), usual, fitted["offset"]


def _names(text: str) -> set[str]:
    return {name for name in particulars(text) if name.isalpha()}


def _as_passage(source: Source, text: str) -> RetrievedPassage:
    return RetrievedPassage(Passage(source.document_id, source.span, text, (source.span,)), source.score)


def _log_odds(probability: float) -> float:
    likely = min(max(probability, 1e-4), 1 - 1e-4)
    return max(-_MOST, min(_MOST, math.log(likely / (1 - likely))))


def _share(words: str, text: str) -> float:
    """The share of the words' stems that the text has; 1 where there are none."""
    wanted, there = (set(tokens) for tokens in lexical_tokens([words, text]))
    return len(wanted & there) / len(wanted) if wanted else 1.0
