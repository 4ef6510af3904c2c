"""The quotes that an answer cites, in the three forms that programs know; the places are those of the article."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rag.types import Answer, Citation

Json = dict[str, Any]


def char_range(start: int, end: int) -> str:
    """The fragment that names these characters of a text (RFC 5147)."""
    return f"char={start},{end}"


def citation_list(answer: Answer) -> list[Json]:
    """Every quote as `ask --json` has it: number, document_id, title, start, end, quote, score, highlight, page,
    place.
    """
    found: list[Json] = answer.to_json()["citations"]
    return found


def url_citations(answer: Answer, link: Callable[[Citation], str]) -> list[Json]:
    """What a `url_citation` says, by number: which characters of `answer.text` are the `[n]` that cites the link.

    Quotes that no statement cites have none.
    """
    cited = {citation.number: citation for citation in answer.citations}
    markers, at = [], 0
    for statement in answer.statements:
        at += len(statement.shown) + 1
        for number in statement.citations:
            end = at + len(f"[{number}]")
            markers.append((number, at, end))
            at = end
        at += 1
    return [
        {"start_index": start, "end_index": end, "title": cited[number].title, "url": link(cited[number])}
        for number, start, end in sorted(markers)
    ]


def content_blocks(answer: Answer, documents: Sequence[str]) -> list[Json]:
    """Anthropic's blocks of text, each statement with its quotes as `char_location`s; `documents` are the ids to which
    a `document_index` leads.
    """
    cited = {citation.number: _char_location(citation, documents) for citation in answer.citations}
    if answer.refusal is not None:
        return [{"type": "text", "text": answer.refusal, "citations": []}]
    return [
        {"type": "text", "text": said.text, "citations": [cited[number] for number in said.citations]}
        for said in answer.statements
    ]


def _char_location(citation: Citation, documents: Sequence[str]) -> Json:
    return {
        "type": "char_location",
        "cited_text": citation.quote,
        "document_index": documents.index(citation.document_id),
        "document_title": citation.title,
        "start_char_index": citation.start,
        "end_char_index": citation.end,
        "file_id": None,
    }
