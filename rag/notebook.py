"""An answer as HTML for notebooks; whatever an article holds, it stays text."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.types import Answer, Citation

_PLAIN = "tex2jax_ignore mathjax_ignore"
"""Or "$40 to $50" would be shown as a formula."""


def answer_html(answer: Answer) -> str:
    """The answer, and below it each quote with its number, its place and the words that answer marked."""
    said = escape(answer.refusal or "") or " ".join(
        f"{escape(statement.shown)} <sup>{statement.markers}</sup>" for statement in answer.statements
    )
    quotes = "".join(map(_quote, answer.citations))
    return f'<div class="{_PLAIN}"><p>{said}</p>{f"<ol>{quotes}</ol>" if quotes else ""}</div>'


def _quote(citation: Citation) -> str:
    before, highlight, after = map(escape, citation.around_highlight())
    marked = f"{before}<mark>{highlight}</mark>{after}" if highlight else before
    where = f", {escape(citation.place)}" if citation.place is not None else ""
    place = f"{escape(citation.title)}{where}, characters {citation.start} to {citation.end}"
    return f'<li value="{citation.number}"><q>{marked}</q><br><small>{place}</small></li>'
