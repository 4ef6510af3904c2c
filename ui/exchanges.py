"""What a conversation is made of, and how it comes back from the browser that kept it: checked, never trusted."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from rag import (
    NO_ANSWER,
    REFUSALS,
    Answer,
    ArticleChatError,
    Citation,
    CollectionError,
    Document,
    PassageIndex,
)

LONGEST_RECORD = 4_000_000
"""Characters of JSON that are read back, at most."""
MOST_EXCHANGES = 200
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_ARTICLES = re.compile(r"(?:[A-Za-z0-9_-]+ )*[A-Za-z0-9_-]+|")
Documents: TypeAlias = Mapping[str, Document]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer as far as it has come; `running` until it is complete.

    `earlier` are the answers that a retry has replaced, oldest first. It is `outdated` where the browser kept more of
    it than the article still says. What can be asked `next` is found anew each time, and never kept.
    """

    answer: Answer
    earlier: tuple[Answer, ...] = ()
    running: bool = False
    outdated: bool = False
    next: tuple[str, ...] = ()

    def cited(self) -> tuple[Citation, ...]:
        """Every quote that was shown for this question."""
        return tuple(citation for answer in (*self.earlier, self.answer) for citation in answer.citations)

    def last_answered(self) -> Answer:
        """The last of its answers that did answer, or the last of all: what a follow-up refers to."""
        return next((answer for answer in (self.answer, *reversed(self.earlier)) if not answer.abstained), self.answer)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Exchanges under an id, by which the browser keeps them; the id is "" until there is something to keep.

    They are about the `article` with the id, the visitor's own or a shared one; about several where there are several
    ids, with spaces between; about all the shared ones where it is "". Where one of them cannot be read, `unreadable`
    says why: "removed" or "damaged". The exchanges cite what the articles say in the `version` of their index.
    """

    id: str = ""
    exchanges: tuple[Exchange, ...] = ()
    article: str = ""
    unreadable: str = ""
    version: str = ""

    def named(self) -> Conversation:
        """The conversation with an id."""
        return self if self.id else replace(self, id=secrets.token_urlsafe(12))

    def answers(self) -> tuple[Answer, ...]:
        """Every answer that was shown, in order."""
        return tuple(answer for exchange in self.exchanges for answer in (*exchange.earlier, exchange.answer))

    def with_next(self, questions: tuple[str, ...]) -> Conversation:
        """The conversation with what can be asked after its last answer, where it has one."""
        if not self.exchanges:
            return self
        *before, last = self.exchanges
        return replace(self, exchanges=(*before, replace(last, next=questions)))

    def as_of(self, index: PassageIndex) -> Conversation:
        """The conversation with what the articles still say in this index, checked as one that is restored."""
        if index.version == self.version:
            return self
        kept = json.loads(json.dumps([record(exchange) for exchange in self.exchanges]))
        exchanges = tuple(_exchange(entry, index.documents) for entry in kept)
        return replace(self, exchanges=exchanges, version=index.version)


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

    A citation stays only if its quote stands where it says; a statement only if its citations stay. An exchange whose
    answer is not whole any more, or was kept in an earlier form, is `outdated`; what is no exchange is left out. Where
    the article cannot be read (`documents_of` raises CollectionError where it was removed, ArticleChatError where it is
    damaged), there is nothing to check against: it is what the browser kept, and says so. Raises ValueError where the
    text is no conversation.
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
    if not (isinstance(article, str) and _ARTICLES.fullmatch(article)):
        raise ValueError("articles are known by their ids")
    documents, unreadable = None, ""
    try:
        documents = documents_of(article)
    except CollectionError:
        unreadable = "removed"
    except ArticleChatError:
        unreadable = "damaged"
    exchanges = []
    for entry in kept["exchanges"][-MOST_EXCHANGES:]:
        with suppress(AttributeError, KeyError, TypeError, ValueError):
            exchanges.append(_exchange(entry, documents))
    known = kept["id"] if _ID.fullmatch(kept["id"]) else ""
    return Conversation(known, tuple(exchanges), article, unreadable)


def _exchange(kept: Mapping[str, Any], documents: Documents | None) -> Exchange:
    answer, whole = _answer(kept["answer"], documents)
    earlier = [old for old, unchanged in (_answer(entry, documents) for entry in kept["earlier"]) if unchanged]
    outdated = not whole or len(earlier) < len(kept["earlier"]) or kept.get("outdated") is True
    return Exchange(answer, tuple(earlier), outdated=outdated)


def _answer(kept: Any, documents: Documents | None) -> tuple[Answer, bool]:
    """The answer with what still stands of it, and whether that is all."""
    answer = Answer.from_json(kept, documents or {})
    if answer.refusal is not None:
        known = answer.refusal in REFUSALS
        return replace(answer, refusal=answer.refusal if known else NO_ANSWER), known
    standing = {citation.number: citation for citation in _standing(answer.citations, documents)}
    statements = tuple(
        statement
        for statement in answer.statements
        if standing.keys() >= set(statement.citations)
        and (not statement.verbatim or statement.text in {" ".join(c.quote.split()) for c in standing.values()})
    )
    whole = bool(statements) and len(standing) == len(answer.citations) and len(statements) == len(answer.statements)
    short = answer.short_answer
    cited = replace(
        answer,
        statements=statements,
        citations=tuple(standing.values()),
        short_answer=short if whole and any(short in c.quote for c in standing.values() if short) else None,
    )
    return cited, whole


def _standing(citations: Sequence[Citation], documents: Documents | None) -> Iterator[Citation]:
    """The citations whose quotes still stand where they say; all, of an article that cannot be read."""
    for citation in citations:
        document = documents.get(citation.document_id) if documents is not None else None
        if documents is None:
            yield citation
        elif document is not None and document.cites(citation):
            at = citation.start
            yield replace(citation, title=document.title, page=document.page_at(at), place=document.label_at(at))
