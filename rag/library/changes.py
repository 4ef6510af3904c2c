"""What changes in a collection where articles are added, or where it is to have those of a folder: which of them are
new, which have moved and which stay; pure functions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rag.errors import DocumentError
from rag.library.duplicates import NearDuplicate, near_duplicates
from rag.library.index import PassageIndex
from rag.types import Document


@dataclass(frozen=True, slots=True)
class Change:
    """What adding documents did, by document id; `failed` says, too, what was left out of ZIP files, and `nearly`, of
    those added, which have nearly the text of another.
    """

    added: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]
    failed: tuple[DocumentError, ...] = ()
    nearly: Mapping[str, NearDuplicate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """An article that was "added", "updated", "moved" or "removed", and its source, which was `before` another; where
    it was added, the article that it is `nearly` the same as, if there is one.
    """

    what: str
    id: str
    source: str
    before: str = ""
    nearly: NearDuplicate | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """What was done to bring a collection in step with a folder, which files could not be read (or, of a ZIP file, were
    left out), and how many articles it has now.
    """

    steps: tuple[Step, ...]
    failed: tuple[DocumentError, ...]
    articles: int


def by_source(index: PassageIndex | None) -> dict[str, Document]:
    """The documents of the index, none without one, by where they come from."""
    return {document.source: document for document in index.documents.values()} if index is not None else {}


def in_step(
    before: Mapping[str, Document], loaded: Sequence[Document], gone: Collection[str]
) -> tuple[list[Document], list[Step]]:
    """The documents of a collection without those that are gone and with the loaded ones, and what was done for that;
    `before` has them by their source. Where a new source has the text of one that is gone, it has moved, and keeps its
    id.
    """
    lost = {source: before[source] for source in gone}
    stays = {source: document for source, document in before.items() if source not in lost}
    by_text: dict[str, list[str]] = {}
    for source, document in lost.items():
        by_text.setdefault(document.text, []).append(source)
    moved = {}
    for document in loaded:
        if document.source not in before and (sources := by_text.get(document.text)):
            moved[document.source] = lost.pop(sources.pop(0))
    documents, change = merged({**stays, **moved}, loaded)
    now = {document.id: document.source for document in documents}
    nearly = nearly_the_same(documents, change)
    steps = [
        *(Step("added", key, now[key], nearly=nearly.get(key)) for key in change.added),
        *(Step("updated", key, now[key]) for key in change.updated if now[key] in before),
        *(Step("moved", old.id, source, old.source) for source, old in moved.items()),
        *(Step("removed", old.id, old.source) for old in lost.values()),
    ]
    return documents, steps


def followed(old: PassageIndex | None, loaded: Sequence[Document]) -> tuple[list[Document], bool]:
    """The documents of a collection that holds the loaded ones only, and whether they differ from those of `old`."""
    before = by_source(old)
    gone = before.keys() - {document.source for document in loaded}
    documents, change = merged({s: d for s, d in before.items() if s not in gone}, loaded)
    return documents, bool(change.added or change.updated or gone)


def merged(before: dict[str, Document], loaded: Iterable[Document]) -> tuple[list[Document], Change]:
    """The documents of a collection after adding the loaded ones; a source keeps the id it has."""
    after = dict(before)
    added: list[str] = []
    updated: list[str] = []
    unchanged: list[str] = []
    taken = {document.id for document in before.values()}
    for document in loaded:
        old = after.get(document.source)
        new = replace(document, id=old.id if old else _free(document.id, taken))
        changed = old is not None and _kept(old) != _kept(new)
        (added if old is None else updated if changed else unchanged).append(new.id)
        after[document.source] = new
        taken.add(new.id)
    return list(after.values()), Change(tuple(added), tuple(updated), tuple(unchanged))


def nearly_the_same(documents: Iterable[Document], change: Change) -> dict[str, NearDuplicate]:
    """Of the documents that the change added, which are near-duplicates of others that were there before them."""
    return near_duplicates({document.id: document.text for document in documents}, change.added)


def _kept(document: Document) -> tuple[object, ...]:
    """What an index keeps of the document that its source may change."""
    return document.text, document.title, document.places, document.original


def _free(wanted: str, taken: set[str]) -> str:
    return next(c for c in (wanted, *(f"{wanted}-{n}" for n in range(2, len(taken) + 3))) if c not in taken)
