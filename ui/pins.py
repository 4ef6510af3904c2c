"""A quote as the page's script keeps it when it is pinned: with enough of the article to be found in any copy of it."""

from __future__ import annotations

from typing import Any

from rag import Citation
from ui.exchanges import Documents

AROUND = 32
"""Characters before and behind a quote that are kept with it, at most."""


def pin_json(citation: Citation, question: str, documents: Documents) -> dict[str, Any]:
    """The quote with its article and place, what was asked, and as `prefix` and `suffix` the words around it.

    Offsets count code points. Of an article that is gone, nothing stands around it.
    """
    document = documents.get(citation.document_id)
    text = document.text if document is not None else ""
    return {
        "question": question,
        "document_id": citation.document_id,
        "title": citation.title,
        "place": citation.place,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "prefix": text[max(0, citation.start - AROUND) : citation.start],
        "suffix": text[citation.end : citation.end + AROUND],
    }
