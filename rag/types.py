"""The values that travel between stages: frozen, validated when built, without behaviour of their own."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

STAGES = ("retrieve", "read", "write", "total")
FloatArray: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Span:
    """A range of characters (code points) of a document's stored text, `0 <= start < end`."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span needs 0 <= start < end, not {self.start}, {self.end}")

    def __len__(self) -> int:
        return self.end - self.start

    def contains(self, other: Span) -> bool:
        """Whether `other` lies wholly inside this span."""
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: Span) -> bool:
        """Whether the two spans share at least one character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Document:
    """An article as stored: `text` is normalised once, when it is loaded, and every offset counts its characters.

    `source` is where it came from (a file's path, as a person would name it). `pages` are the offsets at which the
    pages of a PDF begin, in order; empty for other formats.
    """

    id: str
    title: str
    text: str
    source: str
    pages: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        ends = (0, *self.pages, len(self.text))
        if (self.pages and self.pages[0] != 0) or any(a > b for a, b in pairwise(ends)):
            raise ValueError(f"pages must begin at 0 and go on in order up to the end of the text: {self.pages}")

    def page_at(self, offset: int) -> int | None:
        """The number, from 1, of the page that the character at `offset` stands on; None in a text without pages."""
        return bisect_right(self.pages, offset) or None


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document that is embedded and retrieved as one; `text == document.text[start:end]`.

    `sentences` are those that it is made of, in order; like `span` they count the document's characters.
    """

    document_id: str
    span: Span
    text: str
    sentences: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        if len(self.text) != len(self.span):
            raise ValueError(f"a passage's text must be as long as its span: {len(self.text)}, {len(self.span)}")


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """A passage and how well it fits the question; larger is better, comparable within one question only."""

    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Quote:
    """Exact words of a document that answer a question, with the reader's score in [0, 1].

    `highlight` is the part of the quote that is the answer itself, where the reader found one; it lies inside `span`.
    """

    document_id: str
    span: Span
    text: str
    score: float
    highlight: Span | None = None

    def __post_init__(self) -> None:
        if len(self.text) != len(self.span):
            raise ValueError(f"a quote's text must be as long as its span: {len(self.text)}, {len(self.span)}")
        if self.highlight is not None and not self.span.contains(self.highlight):
            raise ValueError(f"a highlight must lie inside its quote: {self.highlight}, {self.span}")

    @property
    def highlighted(self) -> str | None:
        """The words that the highlight spans."""
        if self.highlight is None:
            return None
        return self.text[self.highlight.start - self.span.start : self.highlight.end - self.span.start]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader found: quotes, best first, and how likely it is that the passages answer at all, in [0, 1]."""

    quotes: tuple[Quote, ...]
    answerable: float


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question of the conversation and the answer that was shown ("" where there was none)."""

    question: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered quote in an answer; `document.text[start:end] == quote` always holds.

    `page` is the page on which it begins, from 1, in a document that has pages.
    """

    number: int
    document_id: str
    title: str
    start: int
    end: int
    quote: str
    score: float
    highlight: Span | None = None
    page: int | None = None

    def around_highlight(self) -> tuple[str, str, str]:
        """The quote before its highlight, the highlight, and the rest; all of it before, where there is none."""
        if self.highlight is None:
            return self.quote, "", ""
        start, end = self.highlight.start - self.start, self.highlight.end - self.start
        return self.quote[:start], self.quote[start:end], self.quote[end:]


_QUOTE = re.compile(r"(“.*”) \[(\d+)\]", re.DOTALL)
_STATEMENT = re.compile(r"(\S.*?) \[(\d+)\](?=\s|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is shown for a question: `text` with `[n]` markers, or, when `abstained`, that the article does not say.

    An abstained answer has no citations; `passages` then holds the nearest passages, offered as such. `timings_ms` has
    the milliseconds of each stage that ran (`retrieve`, `read`, `write`) and their `total`.
    """

    question: str
    standalone_question: str
    text: str
    abstained: bool
    short_answer: str | None = None
    citations: tuple[Citation, ...] = ()
    passages: tuple[RetrievedPassage, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)

    def statements(self) -> tuple[tuple[str, int], ...]:
        """The text as (statement, number of the citation that supports it), in order; none where it abstained.

        A `[n]` of the article's own, inside a quote, is no marker.
        """
        if self.abstained:
            return ()
        if quote := _QUOTE.fullmatch(self.text):
            return ((quote[1], int(quote[2])),)
        return tuple((found[1], int(found[2])) for found in _STATEMENT.finditer(self.text))

    def to_json(self) -> dict[str, Any]:
        """The answer as the plain object that `ask --json` prints; fields are added over time, never renamed."""
        return {
            "question": self.question,
            "standalone_question": self.standalone_question,
            "answer": self.text,
            "short_answer": self.short_answer,
            "abstained": self.abstained,
            "citations": [asdict(citation) for citation in self.citations],
            "passages": [
                {
                    "document_id": found.passage.document_id,
                    "start": found.passage.span.start,
                    "end": found.passage.span.end,
                    "score": round(found.score, 4),
                }
                for found in self.passages
            ],
            "timings_ms": {stage: round(self.timings_ms.get(stage, 0.0), 1) for stage in STAGES},
            "model": dict(self.model),
        }
