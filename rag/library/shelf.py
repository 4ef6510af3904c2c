"""Private articles: a shelf for each owner, and on it a collection for each article, so that removing one removes all.

    indexes/_owners/<owner>/<article>/     as `storage.py` describes it

No collection of `article-chat index` can be called `_owners`. An owner is a key that the server made, never a name that
a visitor gave.
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias
from weakref import WeakValueDictionary

from filelock import FileLock

from rag.errors import (
    ArticleChatError,
    CollectionError,
    IndexDamagedError,
    IndexUnreadableError,
    NoRoomError,
    StorageError,
)
from rag.library.collections import Library
from rag.library.duplicates import near_duplicates
from rag.library.index import PassageIndex, PassagesDone
from rag.library.line import FairLine
from rag.library.manifest import MANIFEST, ORIGINALS, ArticleEntry, contents, read_manifest, sha256
from rag.library.originals import fitting
from rag.library.storage import make_folder, writing
from rag.settings import Settings
from rag.types import Document

FOLDER = "_owners"
OPEN_INDEXES = 4
"""Articles, and choices of several, kept in memory, the last used."""
log = logging.getLogger(__name__)
_Chosen: TypeAlias = tuple[str, tuple[str, ...], str]
"""Whose it is, the articles' ids in order, and the version of the shared index that some of them may be of."""
_OWNER = re.compile(r"[0-9a-f]{32}")
_ARTICLE = re.compile(r"[0-9a-f]{12,32}")


class Shelf:
    """The private articles of every owner; nothing of one owner's is ever reached with another's key.

    Methods raise CollectionError for an article that the owner does not have.
    """

    def __init__(self, library: Library, settings: Settings) -> None:
        self._library = library
        self.settings = settings
        self._folder = settings.indexes / FOLDER
        self._open: OrderedDict[_Chosen, PassageIndex] = OrderedDict()
        self._turns: WeakValueDictionary[_Chosen, threading.Lock] = WeakValueDictionary()
        self._lock = threading.Lock()
        self._line = FairLine()
        self._closed = threading.Event()
        self._sweep()

    def articles(self, owner: str) -> tuple[ArticleEntry, ...]:
        """The owner's articles, in the order in which they were added; one that is damaged, or cannot be read now, is
        named so.
        """
        return tuple(_entry(manifest.parent) for manifest in sorted(self._folder_of(owner).glob(f"*/{MANIFEST}")))

    def add(
        self,
        owner: str,
        document: Document,
        progress: PassagesDone = lambda *_: None,
        waits: Callable[[int], None] = lambda _: None,
    ) -> ArticleEntry:
        """Index the document for the owner, one at a time, the owners in turn; where the text is there already, that
        article.

        `waits` is told, again and again, how many are before it; then `progress` how far it is: what they raise ends
        this. The document gets a new id that no other article has, and keeps its PDF file where that fits beside all
        texts and files in `max_articles_mb`. Raises CollectionError where it is too long (the
        setting `max_passages`), NoRoomError where the owner has no room left (`max_articles`, `max_articles_mb`);
        whatever it raises, nothing of the document is left.
        """
        folder = self._folder_of(owner)
        self._check_length(len(document.text.split()) // self.settings.passage_pieces)  # at least a word piece a word

        def told_to_wait(before: int) -> None:
            self._check_open()
            waits(before)

        with self._line.turn(owner, told_to_wait):
            self._check_open()
            before = self.articles(owner)
            content = (sha256(document.text.encode()), document.places)
            for entry in before:
                if (entry.sha256, entry.places) == content:
                    return entry
            room = self._room(folder, len(before), document)
            name = f"{time.time_ns() // 1_000_000:011x}{secrets.token_hex(4)}"  # in the order of time

            def told(done: int, total: int) -> None:
                self._check_open()
                self._check_length(total)
                progress(done, total)

            try:
                with writing(self._folder):
                    make_folder(self._folder, mode=0o700)
                self._library.at(folder).put([replace(fitting(document, room), id=name)], name, told)
            except BaseException as error:
                _erase(folder, name)
                _remove_if_empty(folder)
                if isinstance(error, StorageError):
                    raise _not_kept(error) from error
                raise
        return _entry(folder / name)

    def nearest_duplicate(self, owner: str, article: str) -> tuple[ArticleEntry, int] | None:
        """The owner's article that was added before this one and has nearly its text, and how many percent of the
        shorter of the two texts stand in both; None where there is none. What cannot be read is not compared.
        """
        entries, texts = dict[str, ArticleEntry](), dict[str, str]()
        for folder in sorted(manifest.parent for manifest in self._folder_of(owner).glob(f"*/{MANIFEST}")):
            with suppress(IndexDamagedError, IndexUnreadableError):
                manifest = read_manifest(folder)
                (entry,) = manifest.documents
                text = contents(folder / manifest.generation / entry.file)
                if text is not None:
                    entries[entry.id], texts[entry.id] = entry, text.decode(errors="replace")
        nearest = near_duplicates(texts, [article]).get(article)
        return (entries[nearest.id], nearest.percent) if nearest is not None else None

    def open(self, owner: str, article: str) -> PassageIndex:
        """The index of the owner's article; its one document has the article's id.

        Raises IndexDamagedError where its text is not what was stored, IndexUnreadableError where it cannot be read
        now.
        """
        folder = self._existing(owner, article)
        return self._kept((owner, (article,), ""), [folder], lambda: self._load(folder))

    def together(self, owner: str, articles: Sequence[str], shared: PassageIndex | None) -> PassageIndex:
        """One index over the articles and no others, in an order of its own, each the owner's or one of `shared`,
        where there is one; it is made of the vectors that there are. Raises as `open` does.
        """
        wanted = set(articles)
        common = [article for article in shared.documents if article in wanted] if shared is not None else []
        own = sorted(wanted.difference(common))  # ids begin with the time
        chosen = (*common, *own)
        if len(chosen) == len(own) == 1:
            return self.open(owner, own[0])
        folders = [self._existing(owner, article) for article in own]

        def make() -> PassageIndex:
            return PassageIndex.joined(chosen, [*([shared] if shared is not None else []), *map(self._load, folders)])

        version = shared.version if shared is not None and common else ""
        return self._kept((owner, chosen, version), folders, make)

    def remove(self, owner: str, article: str) -> None:
        """Delete the article's text, its vectors and all else that was made of it.

        An answer that is being given from it ends undisturbed.
        """
        folder = self._existing(owner, article)
        try:
            self._library.at(folder.parent).remove(article)
        except StorageError as error:
            raise _not_kept(error) from error
        with self._lock:
            for chosen in [chosen for chosen in self._open if chosen[0] == owner and article in chosen[1]]:
                del self._open[chosen]
        _erase(folder.parent, article)

    def close(self) -> None:
        """End what is being indexed, within a moment, wait for that, and let nothing more in."""
        self._closed.set()
        self._line.wait_until_empty()  # a process that ends while a thread of it runs native code crashes

    def _kept(self, chosen: _Chosen, folders: Sequence[Path], make: Callable[[], PassageIndex]) -> PassageIndex:
        """The index that is in memory, or is made now and kept, unless one of the folders was removed meanwhile."""
        with self._lock:
            turn = self._turns.setdefault(chosen, threading.Lock())
        with turn:  # who asks for the same waits, and finds it there
            with self._lock:
                if (index := self._open.get(chosen)) is not None:
                    self._open.move_to_end(chosen)
                    return index
            index = make()
            with self._lock:
                if all((folder / MANIFEST).is_file() for folder in folders):
                    self._open[chosen] = index
                while len(self._open) > OPEN_INDEXES:
                    self._open.popitem(last=False)
        return index

    def _load(self, folder: Path) -> PassageIndex:
        try:
            return self._library.at(folder.parent).open(folder.name)
        except (IndexUnreadableError, OSError) as error:
            raise IndexUnreadableError("this article cannot be read now; try again in a moment") from error
        except (IndexDamagedError, CollectionError) as error:
            self._existing(folder.parent.name, folder.name)  # or it was removed meanwhile
            raise IndexDamagedError("this article was damaged on the disk; remove it, and add it again") from error

    def _folder_of(self, owner: str) -> Path:
        if not _OWNER.fullmatch(owner):
            raise ValueError("an owner is a key of 32 hexadecimal digits")
        return self._folder / owner

    def _existing(self, owner: str, article: str) -> Path:
        folder = self._folder_of(owner) / article
        if not _ARTICLE.fullmatch(article) or not (folder / MANIFEST).is_file():
            raise CollectionError("this article is not, or no longer, among yours; add it again or choose another")
        return folder

    def _room(self, folder: Path, articles: int, document: Document) -> float:
        """How many bytes the document's original may have, below 0 where there is room for its text alone; raises
        NoRoomError where there is none for that.
        """
        if articles >= self.settings.max_articles:
            raise NoRoomError(
                f"you have {articles} articles, and there is room for no more; remove one that you no longer need"
            )
        size = len(document.text.encode()) + _size(folder.glob("*/*/documents/*.txt"))
        most = self.settings.max_articles_mb * 1_000_000
        if size > most:
            raise NoRoomError(
                f"with this article, yours would hold {size / 1e6:.1f} MB of text, and there is room for "
                f"{self.settings.max_articles_mb:g} MB; remove one that you no longer need"
            )
        return most - size - _size(folder.glob(f"*/*/{ORIGINALS}*.pdf"))

    def _check_length(self, passages: int) -> None:
        if passages > self.settings.max_passages:
            raise CollectionError(
                f"this article is too long: {self.settings.max_passages} passages are allowed, and it has at least "
                f"{passages}; split it, or raise the setting max_passages"
            )

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise ArticleChatError("the server is stopping; add the article again when it is back")

    def _sweep(self) -> None:
        """Delete what a killed server left of articles that it was indexing or removing."""
        for folder in self._folder.glob("*/*/"):
            with suppress(OSError), FileLock(_lock_of(folder.parent, folder.name), timeout=0):  # held, or read-only
                if not (folder / MANIFEST).is_file():
                    _erase(folder.parent, folder.name)
        for lock in self._folder.glob("*/.*.lock"):
            if not lock.with_name(lock.name[1:].removesuffix(".lock")).is_dir():
                with suppress(OSError):
                    lock.unlink(missing_ok=True)
        for owner in self._folder.glob("*/"):
            _remove_if_empty(owner)


def _not_kept(error: StorageError) -> StorageError:
    """The error as visitors are told of it, who need not know the server's folders; the log has it whole."""
    log.warning("%s", error)
    return StorageError("the disk of the server is full, or takes nothing; ask whoever runs it, and try again later")


def _entry(folder: Path) -> ArticleEntry:
    """What the manifest says of the one article in the folder."""
    try:
        return read_manifest(folder).documents[0]
    except IndexDamagedError:
        title = "A damaged article"
    except IndexUnreadableError:
        title = "An article that cannot be read now"
    return ArticleEntry(folder.name, title, "", characters=0, passages=0, places=(), sha256="")


def _size(files: Iterable[Path]) -> int:
    """How many bytes the files hold; one that is being removed holds none."""
    size = 0
    for path in files:
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _lock_of(folder: Path, article: str) -> Path:
    """The file by which `Library` locks a collection; ids are never used again, so it may go with the article."""
    return folder / f".{article}.lock"


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _erase(folder: Path, article: str) -> None:
    shutil.rmtree(folder / article, ignore_errors=True)
    with suppress(OSError):
        _lock_of(folder, article).unlink(missing_ok=True)
