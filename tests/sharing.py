"""A program that changes one collection, or reads it, while others do: python sharing.py HOME write NAME CHANGES, or
python sharing.py HOME read

Who writes has the articles whose titles begin with its name, and prints its texts before each change, as they will be.
Who reads cites what is there, again and again, and prints what it saw where that is new, until HOME/done is there.
"""

# ruff: noqa: T201 (who starts it reads what is printed)

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from changing import COLLECTION, check_citations, library_of, settings_of

from rag.errors import CollectionError
from rag.types import Document


def write(home: Path, name: str, changes: int) -> None:
    """Change what is one's own so many times: some articles more, others, or fewer."""
    random_, own = random.Random(name), dict[str, str]()
    for version in range(changes):
        pieces = 120 if random_.random() < 0.2 else 160  # then whoever reads builds all again
        library = library_of(settings_of(home, pieces))
        if own and random_.random() < 0.4:
            gone = random_.choice(list(own))
            del own[gone]
            print(json.dumps(own), flush=True)
            ids = {document.title: document.id for document in library.open(COLLECTION).documents.values()}
            library.remove(COLLECTION, ids[gone])
        else:
            titles = random_.sample([f"{name}{number}" for number in range(3)], random_.randint(1, 2))
            new = {title: f"{title} is at version {version}. " * random_.randint(1, 60) for title in titles}
            new = {title: text.strip() for title, text in new.items()}
            own |= new
            print(json.dumps(own), flush=True)
            library.put([Document(title, title, text, f"{title}.txt") for title, text in new.items()], COLLECTION)


def read(home: Path) -> None:
    """Look at the collection as it is, until it is done."""
    library, before, is_done = library_of(settings_of(home)), None, False
    while not is_done:
        is_done = (home / "done").exists()
        try:
            index = library.open(COLLECTION)
        except CollectionError:
            now = {}
        else:
            check_citations(index, home)
            now = {document.title: document.text for document in index.documents.values()}
        if now != before:
            print(json.dumps(now), flush=True)
        before = now


if __name__ == "__main__":
    if sys.argv[2] == "write":
        write(Path(sys.argv[1]), sys.argv[3], int(sys.argv[4]))
    else:
        read(Path(sys.argv[1]))
