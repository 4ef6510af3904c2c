"""A claim -> whether the article says it, sentence by sentence: the quotes that say so, or the nearest ones as such.

No question was asked and nothing was drafted: a claim is attributed as a draft is, and the same checker says whether
the sentences that were found say all of it. What it does not find said is "not said": it cannot tell what the article
denies from what it leaves open (rag/weights/README.md has the figures).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any

from rag.answer.attribution import Attributor
from rag.answer.citing import cite, quoted
from rag.answer.drafts import Source
from rag.answer.particulars import known, particulars
from rag.answer.question import on_one_line
from rag.english import PRONOUNS
from rag.errors import UsageError
from rag.library.index import PassageIndex
from rag.models.checker import Checker, Claim
from rag.sentences import sentence_texts
from rag.types import Citation

LEAST_SUPPORTED = 0.5
"""A sentence is called supported where its quotes say all of it with this probability."""
MOST_CHARACTERS = 2000
"""A longer claim is refused."""
NEAREST = 2
"""So many sentences are shown of what is near to a sentence that nothing says."""
_PRONOUNS = known(PRONOUNS)
SUPPORTED, NOT_SAID = "supported", "not said"


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence of a claim with the quotes that say all of it or, where it has none, the `nearest` ones, which do not.

    `probability` is how likely the best quotes say all of it, in [0, 1].
    """

    text: str
    probability: float
    citations: tuple[Citation, ...] = ()
    nearest: tuple[Citation, ...] = ()

    def __post_init__(self) -> None:
        if self.citations and self.nearest:
            raise ValueError("what is said is cited; what is only near is shown where nothing says it")

    @property
    def supported(self) -> bool:
        """Whether the article says it."""
        return bool(self.citations)

    @property
    def verdict(self) -> str:
        """SUPPORTED or NOT_SAID."""
        return SUPPORTED if self.supported else NOT_SAID


@dataclass(frozen=True, slots=True)
class CheckedClaim:
    """A claim's sentences, each checked; their citations are numbered through, the nearest quotes too."""

    claim: str
    sentences: tuple[CheckedSentence, ...]

    @property
    def supported(self) -> bool:
        """Whether the article says each sentence of it."""
        return all(sentence.supported for sentence in self.sentences)

    def to_json(self) -> dict[str, Any]:
        """The plain object that `check --json` prints; fields are added over time, never renamed."""
        return {
            "claim": self.claim,
            "supported": self.supported,
            "sentences": [
                {
                    "text": sentence.text,
                    "verdict": sentence.verdict,
                    "probability": round(sentence.probability, 4),
                    "citations": [asdict(citation) for citation in sentence.citations],
                    "nearest": [asdict(citation) for citation in sentence.nearest],
                }
                for sentence in self.sentences
            ],
        }


class ClaimChecker:
    """Checks claims against one index."""

    def __init__(self, index: PassageIndex, checker: Checker) -> None:
        self._index = index
        self._attributor = Attributor(index)
        self._checker = checker

    def check(self, claim: str) -> CheckedClaim:
        """The claim, checked sentence by sentence; raises UsageError where there is none, or too much."""
        claim = on_one_line(claim)
        if not claim:
            raise UsageError('there is no claim; give a sentence that may be so, such as: "the talks ended early"')
        if len(claim) > MOST_CHARACTERS:
            raise UsageError(f"the claim has {len(claim)} characters; check at most {MOST_CHARACTERS} at once")
        numbers = count(1)
        return CheckedClaim(claim, tuple(self._checked(text, numbers) for text in sentence_texts(claim)))

    def _checked(self, text: str, numbers: Iterator[int]) -> CheckedSentence:
        nearest = self._attributor.nearest(text, (), NEAREST)
        best = max(nearest, key=lambda source: source.score, default=None)
        if best is None:
            return CheckedSentence(text, 0.0)
        told = [source for source in (self._named_before(text, best), best) if source is not None]
        quotes = self._texts(told)
        [verdict] = self._checker.check([Claim("", text, " ".join(quotes))])
        chance = 0.0 if particulars(text) - known(quotes) else verdict.supported
        if chance >= LEAST_SUPPORTED:
            return CheckedSentence(text, chance, citations=self._cite(told, numbers))
        return CheckedSentence(text, chance, nearest=self._cite(nearest, numbers))

    def _named_before(self, text: str, best: Source) -> Source | None:
        """The sentence before the best one, where that has a pronoun in the place of a name that the text has."""
        there = known(self._texts([best]))
        missing = particulars(text) - there
        if not missing or there.isdisjoint(_PRONOUNS):
            return None
        sentences = self._index.sentences[best.document_id]
        at = sentences.index(best.span)
        before = Source(best.document_id, sentences[at - 1], best.score) if at else None
        return before if before is not None and missing <= known(self._texts([before])) else None

    def _texts(self, sources: Sequence[Source]) -> list[str]:
        return [self._index.text_at(source.document_id, source.span) for source in sources]

    def _cite(self, sources: Sequence[Source], numbers: Iterator[int]) -> tuple[Citation, ...]:
        return cite(self._index, (quoted(self._index, source) for source in sources), numbers)
