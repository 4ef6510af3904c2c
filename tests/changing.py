"""A program that changes a home folder, again and again, until it is killed: python changing.py HOME SEED

It prints what is there when it begins and, before each change, what will be there after it, as JSON lines.
"""

# ruff: noqa: T201 (the draws need not be secret; who kills it reads what is printed)

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from fakes import FakeEmbedder, OverlapChecker, OverlapReader

from rag.answer.pipeline import Pipeline
from rag.library.collections import Library
from rag.library.index import PassageIndex
from rag.library.shelf import Shelf
from rag.settings import Settings
from rag.types import Document

COLLECTION, OWNER = "mine", "ab" * 16
Texts: TypeAlias = dict[str, dict[str, str]]
"""The texts of the collection and of the visitor's shelf, by title."""


def settings_of(home: Path, pieces: int = 160) -> Settings:
    return Settings(home=home, llm="none", threads=1, passage_pieces=pieces)


def library_of(settings: Settings) -> Library:
    return Library(settings, FakeEmbedder())


def texts_in(home: Path) -> Texts:
    """What is there, as whoever starts anew finds it."""
    settings = settings_of(home)
    library = library_of(settings)
    there = COLLECTION in [info.name for info in library.collections()]
    shelf = Shelf(library, settings)
    kept = [shelf.open(OWNER, entry.id) for entry in shelf.articles(OWNER)]
    shelf.close()
    return {
        "collection": {d.title: d.text for d in library.open(COLLECTION).documents.values()} if there else {},
        "shelf": {d.title: d.text for index in kept for d in index.documents.values()},
    }


def check_citations(index: PassageIndex, home: Path) -> None:
    """That an answer cites something, and that exactly."""
    pipeline = Pipeline(index, reader=OverlapReader(), checker=OverlapChecker(), settings=settings_of(home))
    answer = pipeline.answer("What is at which version?")
    assert answer.citations
    for citation in answer.citations:
        assert index.documents[citation.document_id].text[citation.start : citation.end] == citation.quote


def change(home: Path, random_: random.Random, now: Texts) -> tuple[Texts, Callable[[], object]]:
    """Something that can be done, and what is there once it is."""
    settings = settings_of(home, random_.choice([120, 160]))  # another length of passages, and all is built again
    library, collection, kept = library_of(settings), now["collection"], now["shelf"]
    shelf = Shelf(library, settings)
    version = random_.randrange(10**9)

    def written(title: str) -> Document:
        text = f"{title} is at version {version}. " * random_.randint(1, 60)
        return Document(title, title, text.strip(), f"{title}.txt")

    new = [written(title) for title in random_.sample("abcd", random_.randint(1, 3))]
    brought = written(f"e{version}")
    can: list[tuple[Texts, Callable[[], object]]] = [
        ({**now, "collection": collection | {d.title: d.text for d in new}}, lambda: library.put(new, COLLECTION)),
    ]
    if collection:
        gone = random_.choice(list(collection))
        left = {title: text for title, text in collection.items() if title != gone}
        ids = {document.title: document.id for document in library.open(COLLECTION).documents.values()}
        can += [
            ({**now, "collection": left}, lambda: library.remove(COLLECTION, ids[gone])),
            ({**now, "collection": {}}, lambda: library.remove(COLLECTION)),
        ]
    if len(kept) < 4:
        can.append(({**now, "shelf": {**kept, brought.title: brought.text}}, lambda: shelf.add(OWNER, brought)))
    if kept:
        entry = random_.choice(shelf.articles(OWNER))
        left = {title: text for title, text in kept.items() if title != entry.title}
        can.append(({**now, "shelf": left}, lambda: shelf.remove(OWNER, entry.id)))
    return random_.choice(can)


def main(home: Path, seed: int) -> None:
    random_ = random.Random(seed)
    now = texts_in(home)
    print(json.dumps(now), flush=True)
    while True:
        then, do = change(home, random_, now)
        print(json.dumps(then), flush=True)
        do()
        now = then


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
