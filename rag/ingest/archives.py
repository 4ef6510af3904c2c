"""A file -> the articles in it: those of a ZIP file, else the one that it is; a ZIP file is opened in the child process
alone, and nothing of it is written to the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rag.errors import DocumentError, LeftOutError
from rag.ingest.documents import ARCHIVE, DOCUMENTS, check_file, file_bytes, read_document, refused
from rag.ingest.sandbox import list_members, read_member
from rag.settings import Settings
from rag.types import Document

_SHORT = 60
"""Characters of a path that nothing more is told of."""


def load_articles(path: Path, settings: Settings) -> Iterator[Document | DocumentError]:
    """The articles in the file, as `read_articles` reads them; the source of each begins with the path as given."""
    try:
        data = file_bytes(path, settings)
    except DocumentError as error:
        yield error
    else:
        yield from read_articles(data, str(path), settings)


def read_articles(data: bytes, name: str, settings: Settings) -> Iterator[Document | DocumentError]:
    """The articles in a file's bytes, each as `read_document` reads it, when its turn comes; in place of what cannot be
    read, the error that says why.

    An article of a ZIP file has the source NAME/PATH. A LeftOutError says, at last, what else is in there.
    """
    try:
        if Path(name).suffix.lower() != ARCHIVE:
            yield read_document(data, name, settings)
            return
        check_file(name, len(data), settings)
        listed = list_members(data, DOCUMENTS, settings)
        if listed.error is not None:
            raise refused(name, listed.error, settings)
    except DocumentError as error:
        yield error
        return
    for path, size in listed.files:
        yield _member(data, path, size, f"{name}/{path}", settings)
    if listed.left_out:
        what = ", ".join(path if len(path) <= _SHORT else f"{path[:_SHORT]}…" for path in listed.left_out)
        more = f" and {listed.more} more" if listed.more else ""
        yield LeftOutError(f"{name}: left out what cannot be read as an article: {what}{more}")


def _member(data: bytes, path: str, size: int, name: str, settings: Settings) -> Document | DocumentError:
    try:
        check_file(name, size, settings)
        member = read_member(data, path, settings)
        if isinstance(member, str):
            raise refused(name, member, settings)
        return read_document(member, name, settings)
    except DocumentError as error:
        return error
