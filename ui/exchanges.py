"""What a conversation is made of, and how it comes back from the browser that kept it: checked, never trusted."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from rag import (
    NO_ANSWER,
    NOTHING_ELSE,
    Answer,
    ArticleChatError,
    Citation,
    CollectionError,
    Document,
    Passage,
    RetrievedPassage,
    Span,
)

LONGEST_RECORD = 4_000_000
"""Characters of JSON that are read back, at most."""
MOST_EXCHANGES = 200
_LONGEST_TEXT = 20_000
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_Value = TypeVar("_Value")
Documents: TypeAlias = Mapping[str, Document]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer as far as it has come; `running` until it is complete.

    `earlier` are the answers that a retry has replaced, oldest first. It is `outdated` where the browser kept more of
    it than the article still says.
    """

    answer: Answer
    earlier: tuple[Answer, ...] = ()
    running: bool = False
    outdated: bool = False

    def cited(self) -> tuple[Citation, ...]:
        """Every quote that was shown for this question."""
        return tuple(citation for answer in (*self.earlier, self.answer) for citation in answer.citations)

    def said(self) -> Answer:
        """The last of its answers that did answer, or the last of all: what a follow-up refers to."""
        return next((answer for answer in (self.answer, *reversed(self.earlier)) if not answer.abstained), self.answer)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Exchanges under an id, by which the browser keeps them; the id is "" until there is something to keep.

    They are about the visitor's own `article`, or, where that is "", about the shared ones. Where that article cannot
    be read, `lost` says why: "removed" or "damaged".
    """

    id: str = ""
    exchanges: tuple[Exchange, ...] = ()
    article: str = ""
    lost: str = ""

    def named(self) -> Conversation:
        """The conversation with an id."""
        return self if self.id else replace(self, id=secrets.token_urlsafe(12))


def record(exchange: Exchange) -> dict[str, Any]:
    """The exchange as the plain object that the browser keeps and exports; the answers are `Answer.to_json()`."""
    return {
        "answer": exchange.answer.to_json(),
        "earlier": [answer.to_json() for answer in exchange.earlier],
        "outdated": exchange.outdated,
    }


def restored(text: str, documents_of: Callable[[str], Documents]) -> Conversation:
    """The conversation of which the browser kept `{"id", "article", "exchanges": [record, …]}`, against the documents
    of today, which `documents_of` the article gives.

    A citation stays only if its quote stands where it says; a statement only if its citation stays. An exchange that
    lost something of its answer is `outdated`; what is no exchange is left out. Where the article cannot be read
    (`documents_of` raises CollectionError where it was removed, ArticleChatError where it is damaged), there is nothing
    to check against: it is what the browser kept, and says so. Raises ValueError where the text is no conversation.
    """
    if len(text) > LONGEST_RECORD:
        raise ValueError(f"the conversation is too long: {len(text)} characters")
    try:
        kept = json.loads(text)
    except RecursionError as error:
        raise ValueError("the conversation is nested too deeply") from error
    if not (isinstance(kept, dict) and isinstance(kept.get("id"), str) and isinstance(kept.get("exchanges"), list)):
        raise ValueError("a conversation has an id and exchanges")  # noqa: TRY004
    article = kept.get("article", "")
    if not (isinstance(article, str) and (_ID.fullmatch(article) or not article)):
        raise ValueError("an article is known by its id")
    documents, lost = None, ""
    try:
        documents = documents_of(article)
    except CollectionError:
        lost = "removed"
    except ArticleChatError:
        lost = "damaged"
    exchanges = tuple(_valid(lambda entry: _exchange(entry, documents), kept["exchanges"][-MOST_EXCHANGES:]))
    return Conversation(kept["id"] if _ID.fullmatch(kept["id"]) else "", exchanges, article, lost)


def _exchange(kept: Mapping[str, Any], documents: Documents | None) -> Exchange:
    answer, whole = _answer(kept["answer"], documents)
    earlier = [old for old, unchanged in (_answer(entry, documents) for entry in kept["earlier"]) if unchanged]
    outdated = not whole or len(earlier) < len(kept["earlier"]) or kept.get("outdated") is True
    return Exchange(answer, tuple(earlier), outdated=outdated)


def _answer(kept: Mapping[str, Any], documents: Documents | None) -> tuple[Answer, bool]:
    """The answer with what can be checked of it, and whether that is all."""
    question, text, abstained = _text(kept["question"]), _text(kept["answer"]), kept["abstained"] is True
    citations = tuple(_valid(lambda entry: _citation(entry, documents), kept["citations"]))
    whole = len(citations) == len(kept["citations"])
    answer = Answer(
        question=question,
        standalone_question=_text(kept["standalone_question"]),
        text=text,
        abstained=abstained,
        citations=() if abstained else citations,
        passages=tuple(_valid(lambda entry: _passage(entry, documents or {}), kept["passages"])),
        timings_ms={stage: _number(ms) for stage, ms in kept["timings_ms"].items() if stage.isalpha()},
        model={_text(role): _text(name) for role, name in kept["model"].items()},
    )
    if abstained:
        plain = text in (NO_ANSWER, NOTHING_ELSE)
        return replace(answer, text=text if plain else NO_ANSWER), plain
    numbers = {citation.number for citation in citations}
    statements = [(said, number) for said, number in answer.statements() if number in numbers]
    if whole and statements and statements == list(answer.statements()):
        return replace(answer, short_answer=_short_answer(kept, citations)), True
    return replace(answer, text=" ".join(f"{said} [{number}]" for said, number in statements)), False


def _short_answer(kept: Mapping[str, Any], citations: Sequence[Citation]) -> str | None:
    short = kept["short_answer"]
    return short if isinstance(short, str) and any(short in citation.quote for citation in citations) else None


def _citation(kept: Mapping[str, Any], documents: Documents | None) -> Citation:
    span = Span(_count(kept["start"]), _count(kept["end"]))
    quote = _text(kept["quote"])
    if len(quote) != len(span):
        raise ValueError("a quote must be as long as its place")
    if documents is None:
        name, title = _text(kept["document_id"]), _text(kept["title"])
        page = None if kept.get("page") is None else _count(kept["page"])
    else:
        document = documents[kept["document_id"]]
        name, title, page = document.id, document.title, document.page_at(span.start)
        if document.text[span.start : span.end] != quote:
            raise ValueError("the article does not say this there")
    highlight = None
    if kept["highlight"] is not None:
        highlight = Span(_count(kept["highlight"]["start"]), _count(kept["highlight"]["end"]))
        if not span.contains(highlight):
            raise ValueError("a highlight must lie inside its quote")
    number, score = _count(kept["number"]), _number(kept["score"])
    return Citation(number, name, title, span.start, span.end, quote, score, highlight, page)


def _passage(kept: Mapping[str, Any], documents: Documents) -> RetrievedPassage:
    document = documents[kept["document_id"]]
    span = Span(_count(kept["start"]), _count(kept["end"]))
    return RetrievedPassage(Passage(document.id, span, document.text[span.start : span.end]), _number(kept["score"]))


def _valid(parse: Callable[[Any], _Value], entries: Iterable[Any]) -> Iterator[_Value]:
    for entry in entries:
        try:
            yield parse(entry)
        except (AttributeError, KeyError, TypeError, ValueError):
            continue


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise TypeError("a text is expected")
    return value.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be sent to the page again


def _count(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("a whole number is expected")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e12 < value < 1e12:
        raise TypeError("a number is expected")
    return value
