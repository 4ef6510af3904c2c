"""Answer -> text for a terminal: folded to its width, and free of characters that would steer it."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Mapping

from rag.answer.claims import CheckedClaim
from rag.answer.digest import Digest
from rag.types import Answer, Citation, Document

_STEERING = re.compile("[\ue000\ue001\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_INDENT = "    "
_BOLD, _PLAIN = "\ue000", "\ue001"
"""Stand for the terminal's bold face while lines are folded; in a text of their own they are replaced."""
_SHORT = 150
"""Characters shown of a passage that only may be near the answer."""


def readable(answer: Answer, documents: Mapping[str, Document], *, width: int | None = None, bold: bool = False) -> str:
    """The answer, then each cited quote with its article and its place; when it abstained, the nearest passages.

    `documents` are the articles by id; `width` is in characters, else the terminal's, at most 100. With `bold`, the
    words that answer stand out in their quotes.
    """
    width = width or min(100, shutil.get_terminal_size().columns)
    lines = [_wrapped(plain(answer.text), width)]
    for citation in answer.citations:
        place = _place(citation.title, citation.place, citation.start, citation.end)
        lines += ["", plain(f"[{citation.number}] {place}"), _wrapped(f"“{_marked(citation)}”", width, _INDENT)]
    if answer.abstained and answer.passages:
        lines += ["", "Nearest passages, which may not answer the question:"]
        for found in answer.passages:
            span, document = found.passage.span, documents[found.passage.document_id]
            place = _place(document.title, document.label_at(span.start), span.start, span.end)
            lines.append(plain(f"  {place}"))
            lines.append(
                _wrapped(plain(textwrap.shorten(found.passage.text, _SHORT, placeholder=" …")), width, _INDENT)
            )
    on, off = ("\x1b[1m", "\x1b[22m") if bold else ("", "")
    return "\n".join(lines).replace(_BOLD, on).replace(_PLAIN, off)


def readable_check(checked: CheckedClaim, *, width: int | None = None) -> str:
    """Each sentence of the claim with its verdict, then the quotes that say it, or those that are near."""
    width = width or min(100, shutil.get_terminal_size().columns)
    lines: list[str] = []
    for sentence in checked.sentences:
        numbers = "".join(f"[{citation.number}]" for citation in sentence.citations)
        said = f"{sentence.verdict.capitalize()}: {sentence.text} {numbers}"
        lines += ["", _wrapped(plain(said), width)]
        lines += ["Nearest, which do not say it:"] if sentence.nearest else []
        for citation in (*sentence.citations, *sentence.nearest):
            lines += _quoted(citation, width)
    return "\n".join(lines[1:])


def readable_digest(digest: Digest, *, width: int | None = None) -> str:
    """The summary, the outline, the questions with their answers, and the timeline, as far as there are some, each line
    with its quote.
    """
    width = width or min(100, shutil.get_terminal_size().columns)
    parts = {
        "Summary": _said(digest.summary, width) if digest.summary is not None else [],
        "Outline": [line for citation in digest.outline for line in _quoted(citation, width)],
        "Questions": [
            line
            for answer in digest.questions
            for line in ("", _wrapped(plain(answer.question), width), *_said(answer, width))
        ][1:],
        "Timeline": [
            line
            for citation in (dated.citation for dated in digest.timeline)
            for line in _quoted(citation, width, f"{' '.join(citation.around_highlight()[1].split())}: ")
        ],
    }
    return "\n\n".join("\n".join([f"{name.upper()}", "", *lines]) for name, lines in parts.items() if lines)


def plain(text: str) -> str:
    """The text without the control characters that move a cursor or turn the direction of writing."""
    return _STEERING.sub("\ufffd", text)


def _marked(citation: Citation) -> str:
    """The quote with its answering words between _BOLD and _PLAIN."""
    before, words, after = map(plain, citation.around_highlight())
    return f"{before}{_BOLD}{words}{_PLAIN}{after}" if words else before


def _said(answer: Answer, width: int) -> list[str]:
    """The answer, unless it is quotes alone, then the quotes that its statements rest on."""
    quotes = [line for citation in answer.cited for line in _quoted(citation, width)]
    written = not all(statement.verbatim for statement in answer.statements)
    return [*([_wrapped(plain(answer.text), width)] if written else []), *quotes]


def _quoted(citation: Citation, width: int, before: str = "") -> list[str]:
    """The number and the place of the quote, behind what stands `before` it, and its words."""
    place = _place(citation.title, citation.place, citation.start, citation.end)
    return [plain(f"[{citation.number}] {before}{place}"), _wrapped(f"“{plain(citation.quote)}”", width, _INDENT)]


def _place(title: str, label: str | None, start: int, end: int) -> str:
    return f"{title}, {f'{label}, ' if label is not None else ''}characters {start}-{end}"


def _wrapped(text: str, width: int, indent: str = "") -> str:
    return textwrap.fill(
        " ".join(text.split()),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
