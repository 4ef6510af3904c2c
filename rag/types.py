"""The values that travel between stages: frozen, validated when built, without behaviour of their own."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FloatArray: TypeAlias = npt.NDArray[np.float32]
STAGES = ("retrieve", "read", "write", "attribute", "check", "total")
"""What an answer's time is spent on, in this order, and all of it."""
NO_ANSWER = "The article does not say."
"""What is shown, and what tests and predictions look for, when there is no answer."""
NOTHING_ELSE = "The article says nothing else about this."
"""What is shown when the next best answer was asked for and there is none."""
NONE_SAYS = "None of the articles says."
NONE_SAYS_MORE = "None of the articles says anything else about this."
"""The same of several articles, all of which were searched."""
REFUSALS = frozenset({NO_ANSWER, NOTHING_ELSE, NONE_SAYS, NONE_SAYS_MORE})


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


class Place(NamedTuple):
    """Where a part of a text begins that people find by the number of its page or its chapter, from 1, or by the
    second, from 0, at which it is spoken; a chapter may have a `title`, a line of at most 200 characters.

    A tuple, as transcripts have thousands of them, which an index keeps.
    """

    start: int
    kind: Literal["page", "time", "chapter"]
    number: int
    title: str = ""

    @property
    def label(self) -> str:
        """What people call it: "page 3", "at 00:12:05", "chapter 3", or a chapter's title in quotation marks."""
        if self.title:
            return f"“{self.title}”"
        if self.kind != "time":
            return f"{self.kind} {self.number}"
        minutes, seconds = divmod(self.number, 60)
        return f"at {minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


@dataclass(frozen=True, slots=True)
class Original:
    """The file that a document was read from, where its pages can be shown: its SHA-256, and its bytes until an index
    keeps them; b"" where it is kept already, or can be read again at the document's source.
    """

    sha256: str
    data: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Document:
    """An article as stored: `text` is normalised once, when it is loaded, and every offset counts its characters.

    `source` is where it came from (a file's path, as a person would name it, or a web address). `places` are the pages
    of a PDF, the chapters of a book, or the times of a transcript, in order; empty for other formats. `original` is the
    PDF file itself.
    """

    id: str
    title: str
    text: str
    source: str
    places: tuple[Place, ...] = ()
    original: Original | None = None

    def __post_init__(self) -> None:
        starts = (0, *(place.start for place in self.places), len(self.text))
        if (self.places and self.places[0].start != 0) or any(a > b for a, b in pairwise(starts)):
            raise ValueError("places must begin at 0 and go on in order up to the end of the text")

    def place_at(self, offset: int) -> Place | None:
        """The place that the character at `offset` belongs to; None in a text without places."""
        after = bisect_right(self.places, offset, key=lambda place: place.start)
        return self.places[after - 1] if after else None

    def page_at(self, offset: int) -> int | None:
        """The number, from 1, of the page that the character at `offset` stands on; None in a text without pages."""
        place = self.place_at(offset)
        return place.number if place is not None and place.kind == "page" else None

    def label_at(self, offset: int) -> str | None:
        """What people call the place of the character at `offset`; None in a text without places."""
        place = self.place_at(offset)
        return place.label if place is not None else None

    def cites(self, citation: Citation) -> bool:
        """Whether the quote is, character for character, what stands here at the citation's offsets."""
        return citation.document_id == self.id and self.text[citation.start : citation.end] == citation.quote


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

    def __post_init__(self) -> None:
        if not isfinite(self.score):
            raise ValueError(f"a score must be a finite number, not {self.score}")


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

    def overlaps(self, other: Quote) -> bool:
        """Whether both quote some of the same characters."""
        return self.document_id == other.document_id and self.span.overlaps(other.span)

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

    @property
    def answered(self) -> bool:
        """Whether something was said, and no refusal."""
        return bool(self.answer) and self.answer not in REFUSALS


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered quote in an answer; `document.text[start:end] == quote` always holds.

    `page` is the page on which it begins, from 1, in a document that has pages; `place` names in words the page or the
    chapter, or the time at which the quote is spoken.
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
    place: str | None = None

    def __post_init__(self) -> None:
        span = Span(self.start, self.end)
        if len(self.quote) != len(span):
            raise ValueError(f"a quote must be as long as its place: {len(self.quote)}, {len(span)}")
        if not isfinite(self.score):
            raise ValueError(f"a score must be a finite number, not {self.score}")
        if self.highlight is not None and not span.contains(self.highlight):
            raise ValueError(f"a highlight must lie inside its quote: {self.highlight}, {span}")

    def around_highlight(self) -> tuple[str, str, str]:
        """The quote before its highlight, the highlight, and the rest; all of it before, where there is none."""
        if self.highlight is None:
            return self.quote, "", ""
        start, end = self.highlight.start - self.start, self.highlight.end - self.start
        return self.quote[:start], self.quote[start:end], self.quote[end:]


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of an answer and the numbers of the citations that support it; `verbatim` where it is their quote."""

    text: str
    citations: tuple[int, ...]
    verbatim: bool = False

    @property
    def shown(self) -> str:
        """The text as people read it: what is quoted word for word stands in quotation marks."""
        return f"“{self.text}”" if self.verbatim else self.text

    @property
    def markers(self) -> str:
        """The numbers of its citations as people read them: `[1][2]`."""
        return "".join(f"[{number}]" for number in self.citations)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is shown for a question: statements with their citations or, when `abstained`, the `refusal`.

    An abstained answer has neither statements nor citations; `passages` then holds the nearest passages, offered as
    such. `timings_ms` has the milliseconds of each of STAGES that ran.
    """

    question: str
    standalone_question: str
    statements: tuple[Statement, ...] = ()
    refusal: str | None = None
    short_answer: str | None = None
    citations: tuple[Citation, ...] = ()
    passages: tuple[RetrievedPassage, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.refusal is not None and (self.statements or self.citations):
            raise ValueError("what is refused has neither statements nor citations")
        there = {citation.number for citation in self.citations}
        if any(not statement.citations or not there.issuperset(statement.citations) for statement in self.statements):
            raise ValueError("each statement needs a citation, and one that is there")

    @property
    def abstained(self) -> bool:
        """Whether it says that there is no answer."""
        return self.refusal is not None

    @property
    def cited(self) -> tuple[Citation, ...]:
        """The citations that its statements rest on, in their order; the others only stand beside them."""
        numbers = {number for statement in self.statements for number in statement.citations}
        return tuple(citation for citation in self.citations if citation.number in numbers)

    @property
    def spoken(self) -> str:
        """What is said, without quotation marks and the numbers of citations."""
        return self.refusal or " ".join(statement.text for statement in self.statements)

    @property
    def text(self) -> str:
        """What is shown, each statement with its `[n]`; it is never parsed back, as an article has a "[2]", too."""
        return self.refusal or " ".join(f"{statement.shown} {statement.markers}" for statement in self.statements)

    def _repr_html_(self) -> str:
        """What a notebook shows: the statements, and below them the quotes that they cite."""
        from rag.notebook import answer_html

        return answer_html(self)

    def to_json(self) -> dict[str, Any]:
        """The answer as the plain object that `ask --json` prints; fields are added over time, never renamed."""
        return {
            "question": self.question,
            "standalone_question": self.standalone_question,
            "answer": self.text,
            "statements": [{**asdict(said), "citations": list(said.citations)} for said in self.statements],
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

    @classmethod
    def from_json(cls, value: Any, documents: Mapping[str, Document]) -> Answer:
        """The answer of which `to_json` made the object, with the passages of those documents that are there, and still
        so long.

        Its citations are as they were written; whether a document still says so is for the caller to look up. Raises
        ValueError where the object is no answer.
        """
        answers, places = _json_adapters()
        try:
            found = places.validate_json(json.dumps(value["passages"], allow_nan=False), strict=True)
            passages = [
                _passage(place, documents[place.document_id])
                for place in found
                if place.document_id in documents and place.end <= len(documents[place.document_id].text)
            ]
            value = {**value, "refusal": value["answer"] if value["abstained"] else None, "passages": ()}
            answer = answers.validate_json(json.dumps(value, allow_nan=False), strict=True)
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no answer: {error}") from error
        return replace(answer, passages=tuple(passages))


@dataclass(frozen=True, slots=True)
class _Found:
    """A retrieved passage as `Answer.to_json` writes it."""

    document_id: str
    start: int
    end: int
    score: float


def _passage(place: _Found, document: Document) -> RetrievedPassage:
    span = Span(place.start, place.end)
    return RetrievedPassage(Passage(document.id, span, document.text[span.start : span.end]), place.score)


@cache
def _json_adapters() -> tuple[TypeAdapter[Answer], TypeAdapter[list[_Found]]]:
    from pydantic import TypeAdapter  # only who reads answers back needs it

    return TypeAdapter(Answer), TypeAdapter(list[_Found])
