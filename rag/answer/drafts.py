"""What goes from the writer to the reader of an answer: a draft, and its sentences with what they rest on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.sentences import sentence_texts
from rag.types import Span

_REFUSES = re.compile(
    r"(?:\w+, )?(?:the|this) (?:article|text|passage) (?:does not|doesn['’]t|did not) "
    r"(?:say|mention|state|specify|tell)\b.*"
    r"|.*\b(?:is|are|was|were) not (?:said|mentioned|stated|specified)(?: in the (?:article|text))?\.",
    re.IGNORECASE | re.DOTALL,
)
_DENIES = re.compile(r"(?!^no,)\b(?:no|not|never|cannot)\b|n['’]t\b", re.IGNORECASE)
_YES = re.compile(r"yes,? +", re.IGNORECASE)


def denies(text: str) -> bool:
    """Whether the text denies something, by more than a "No," that it begins with."""
    return _DENIES.search(text) is not None


def without_false_yes(answer: str, asked: str) -> str:
    """The answer without its "Yes,", where it goes on to deny something, and the question does not: "can it sail?"
    "Yes, it cannot sail before May."
    """
    yes = _YES.match(answer)
    if yes is None or denies(asked) or not denies(sentence_texts(answer)[0]):
        return answer
    return answer[yes.end() :]


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written, and how sure the writer was, in nats: the mean log-probability of the tokens, and the
    log-probability of a refusal in their place; None what is not told.
    """

    text: str
    confidence: float | None = None
    refusal: float | None = None

    @property
    def sentences(self) -> list[str]:
        """What it states: its sentences, but for a refusal, in whatever words; none, if it only refuses."""
        sentences = sentence_texts(self.text)
        return [sentence[0].upper() + sentence[1:] for sentence in sentences if not _REFUSES.fullmatch(sentence)]


@dataclass(frozen=True, slots=True)
class Source:
    """A sentence of a document, and how well it fits what was written, in [0, 1]."""

    document_id: str
    span: Span
    score: float


@dataclass(frozen=True, slots=True)
class Written:
    """A drafted sentence and the sentences of the article that it was attributed to."""

    text: str
    sources: tuple[Source, ...]

    def repeats(self, other: str) -> bool:
        """Whether it is the other sentence, however cased."""
        return self.text.casefold() == other.casefold()


@dataclass(frozen=True, slots=True)
class Checked:
    """Those of a draft's sentences that may be shown, in order; and, where none may, whether writing once more is worth
    its time.
    """

    shown: tuple[Written, ...]
    hopeful: bool = False
