"""The route of the overview: GET /overview?about=IDS asks for it, and tells how far it has come; DELETE ends it.

    {"complete", "done", "parts", "failure", "summary": ANSWER or null, "outline": [LINE, …], "questions": [ANSWER, …],
     "timeline": [LINE, …]}

A LINE is a quote with its `number`, its article's `title`, the `range` by which the page's script marks it, its `place`
in words and, in the timeline, the words of its `date`. An ANSWER has its `question`, its `statements`, each with the
numbers of the `citations` that it rests on, and these as lines.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from rag import Answer, Citation, Digest, Digests, Span
from ui.chat import sentence
from ui.exchanges import Documents
from ui.page import PipelineOf
from ui.rendering import place, range_value


def add_overview_route(site: FastAPI, digests: Digests, pipeline_of: PipelineOf) -> None:
    """Add the route to the site, which has `Owners` and `Guard` around it."""

    @site.get("/overview")
    def overview(request: Request, about: str = "") -> Response:
        pipeline = pipeline_of(request, about)
        told = overview_json(digests.of(pipeline), pipeline.index.documents)
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    @site.delete("/overview")
    def give_up(request: Request, about: str = "") -> Response:
        digests.give_up(pipeline_of(request, about))
        return Response(status_code=204, headers={"Cache-Control": "no-store"})


def overview_json(digest: Digest, documents: Documents) -> dict[str, Any]:
    """The digest as the page's script reads it."""
    return {
        "complete": digest.complete,
        "done": digest.done,
        "parts": digest.parts,
        "failure": sentence(digest.failure),
        "summary": _answer(digest.summary, documents) if digest.summary is not None else None,
        "outline": [_line(citation, documents) for citation in digest.outline],
        "questions": [_answer(answer, documents) for answer in digest.questions],
        "timeline": [
            {**_line(dated.citation, documents), "date": dated.citation.around_highlight()[1]}
            for dated in digest.timeline
        ],
    }


def _answer(answer: Answer, documents: Documents) -> dict[str, Any]:
    """The answer with the quotes that its statements rest on, and no others."""
    return {
        "question": answer.question,
        "statements": [
            {"text": statement.text, "citations": statement.citations, "verbatim": statement.verbatim}
            for statement in answer.statements
        ],
        "citations": [_line(citation, documents) for citation in answer.cited],
    }


def _line(citation: Citation, documents: Documents) -> dict[str, Any]:
    document, span = documents[citation.document_id], Span(citation.start, citation.end)
    return {
        "number": citation.number,
        "title": citation.title,
        "quote": citation.quote,
        "range": range_value(document, span),
        "place": place(span, citation.place, document),
    }
