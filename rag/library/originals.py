"""The pages of articles that came from PDF files, drawn anew from the file whenever one is looked at.

The file is kept with a visitor's article, and with what came from a web address; for other collections it is read again
at its source. Either way it is the very file, by its checksum, or no page is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rag.errors import CollectionError, DocumentError, IndexDamagedError, IndexUnreadableError
from rag.ingest.documents import file_bytes
from rag.ingest.sandbox import Drawn, draw
from rag.library.index import PassageIndex
from rag.library.manifest import contents, original_file, read_manifest, sha256
from rag.settings import Settings
from rag.types import Document, Span


def pages_of(index: PassageIndex, document_id: str, settings: Settings) -> int:
    """How many pages of the document can be shown: all, or 0 where the file that it came from is none with pages, or is
    not there any more.
    """
    document = index.documents[document_id]
    if document.original is None:
        return 0
    with suppress(IndexDamagedError, IndexUnreadableError, OSError, ValueError):
        if _kept(index, document) is not None or (settings.home / document.source).is_file():
            return len(document.places)
    return 0


def page_image(
    index: PassageIndex, document_id: str, number: int, ranges: Sequence[Span], *, width: int, settings: Settings
) -> Drawn:
    """The page, from 1, in so many pixels of width, with the boxes of each range of the document's text that stand on
    it; drawn in the child process that reads strangers' files.

    Raises CollectionError where there is no such page, or the file is gone or another, DocumentError where the page
    cannot be drawn.
    """
    document = index.documents[document_id]
    if not 1 <= number <= len(document.places) or document.original is None:
        raise CollectionError("this article has no such page; go back to its text")
    data = _read(index, document, settings)
    bounds = [*(place.start for place in document.places), len(document.text)]
    start, end = bounds[number - 1 : number + 1]
    here = [(min(max(one.start, start), end) - start, min(max(one.end, start), end) - start) for one in ranges]
    drawn = draw(data, number, document.text[start:end], here, width=width, settings=settings)
    if drawn.error == "time":
        raise DocumentError(f"drawing this page takes more than {settings.parse_seconds:g} s; read it in the text")
    if drawn.error is not None:
        raise DocumentError("this page cannot be drawn; read it in the text")
    return drawn


def fitting(document: Document, room: float) -> Document:
    """The document, without its original where that has more bytes than there is room for."""
    fits = document.original is not None and len(document.original.data) <= room
    return document if fits else replace(document, original=None)


def to_be_read_again(document: Document) -> Document:
    """The document without the bytes of its original, which stay at its source."""
    return document if document.original is None else replace(document, original=replace(document.original, data=b""))


def _kept(index: PassageIndex, document: Document) -> Path | None:
    """Where the index keeps the document's original, None where it keeps none."""
    if index.folder is None:
        return None
    manifest, name = read_manifest(index.folder), original_file(document.id)
    return index.folder / manifest.generation / name if name in manifest.files else None


def _read(index: PassageIndex, document: Document, settings: Settings) -> bytes:
    """The original's bytes; raises CollectionError where they are not what they were."""
    data: bytes | None = None
    with suppress(DocumentError, IndexDamagedError, IndexUnreadableError, ValueError):
        kept = _kept(index, document)
        data = contents(kept) if kept is not None else file_bytes(settings.home / document.source, settings)
    if data is None or document.original is None or sha256(data) != document.original.sha256:
        raise CollectionError(
            "the PDF file of this article is gone, damaged or another than it was; its text is whole, but to see its "
            "pages, remove the article, and add the file again"
        )
    return data
