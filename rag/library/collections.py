"""Collections of articles on disk: open, add, remove, list; `seeds/` is one that keeps itself up to date."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from rag.errors import (
    CollectionError,
    DocumentError,
    IndexDamagedError,
    IndexUnreadableError,
    LeftOutError,
    StorageError,
)
from rag.ingest.archives import load_articles
from rag.ingest.documents import SUFFIXES
from rag.ingest.web_address import LoadPage, is_address, load_page
from rag.library.changes import Change, Followed, by_source, followed, in_step, merged, nearly_the_same
from rag.library.index import Chunking, PassageIndex, PassagesDone
from rag.library.manifest import MANIFEST, ArticleEntry, read_manifest, unreadable
from rag.library.originals import to_be_read_again
from rag.library.storage import (
    is_unfinished,
    leftovers,
    load_index,
    make_folder,
    remove_index,
    save_index,
    sweep,
    writing,
)
from rag.models.embeddings import Embedder, SentenceTransformerEmbedder
from rag.models.reader.boundaries import boundary_segments
from rag.models.reader.weights import weights_fingerprint
from rag.settings import Settings
from rag.types import Document

SEEDS = "seeds"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """What `list` shows of a collection: its name, and what its manifest says of its articles."""

    name: str
    documents: tuple[ArticleEntry, ...]


class Library:
    """The collections in a folder, `settings.indexes`; one process at a time changes each."""

    def __init__(self, settings: Settings, embedder: Embedder | None = None) -> None:
        self._settings = settings
        self._folder = settings.indexes
        self._embedder = embedder or SentenceTransformerEmbedder(settings.embedding_model, threads=settings.threads)

    @property
    def _chunking(self) -> Chunking:
        settings = self._settings  # the fingerprint reads a file, which listing and removing do without
        return Chunking(settings.passage_pieces, settings.passage_overlap_pieces, weights_fingerprint())

    def at(self, folder: Path) -> Library:
        """The library of the collections in another folder, with the same models and settings."""
        other = copy(self)
        other._folder = folder
        return other

    def open(self, name: str = SEEDS) -> PassageIndex:
        """The collection's index, ready to search; `seeds` is first brought up to date with the files in `seeds/`.

        An index of another embedder, passage length or reader, or with a damaged part that its texts can restore, is
        built again. Raises CollectionError where there is none, IndexDamagedError where its texts are damaged,
        IndexUnreadableError where they cannot be read now.
        """
        if name == SEEDS:
            return self._refresh_seeds()
        index = self._read(self._existing(name))
        if index is not None:
            return index
        with self._writing(name):
            return self._load(self._existing(name))  # it may have been removed meanwhile

    def add(self, paths: Sequence[Path | str], name: str, *, page: LoadPage = load_page) -> Change:
        """Add the files, the readable files of the folders, and the web pages whose addresses are given as texts, which
        `page` fetches, to the collection, or refresh those that it has.

        What cannot be read is reported in `failed` and does not keep the others out.
        """
        self._check_ours(name)
        addresses = [one for one in paths if isinstance(one, str) and is_address(one)]
        files = self.files(Path(one) for one in paths if one not in addresses)
        loaded, failed = self._load_files(files, _resolved)
        pages, missing = self._load_pages(addresses, page)
        loaded, failed = loaded + pages, failed + missing
        if not loaded:
            return Change((), (), (), failed)
        return replace(self.put(loaded, name), failed=failed)

    def follow(
        self,
        folder: Path,
        name: str,
        present: AbstractSet[Path],
        changed: AbstractSet[Path],
        unseen: AbstractSet[Path] = frozenset(),
    ) -> Followed:
        """Bring what the collection has of the folder, an absolute path, in step with it: `present` are the files that
        are there, of which those that may have `changed` are read, and `unseen` the files and folders in it that cannot
        be looked at now.

        An article whose file is gone is removed; where its text stands in a new file it has moved there, and keeps its
        id and its vectors. What cannot be read stays as it was. Articles from elsewhere are left alone, and a
        collection without an article is no more.
        """
        self._check_ours(name)
        loaded: list[Document] = []
        failed: list[DocumentError] = []
        unread: set[Path] = set()
        for path in tqdm(sorted(changed), desc="Reading", unit=" files", delay=1, disable=None, leave=False):
            read, errors = self._load_files([path], str)
            loaded += read
            failed += errors
            if any(not isinstance(error, LeftOutError) for error in errors):
                unread.add(path)
        at = self._folder / name
        with self._writing(name):
            old = self._load(at) if (at / MANIFEST).is_file() else None
            before = by_source(old)
            here, fresh = {document.source for document in loaded}, changed - unread

            def is_gone(source: str) -> bool:
                above = (Path(source), *Path(source).parents)
                file = next((path for path in above if path in present), None)
                if file is None:
                    return unseen.isdisjoint(above)
                return file in fresh and source not in here  # no longer in a ZIP file

            gone = [source for source in before if Path(source).is_relative_to(folder) and is_gone(source)]
            documents, steps = in_step(before, loaded, gone)
            if steps and documents:
                save_index(self.index_of(documents, old), at)
            elif steps:
                remove_index(at)
        return Followed(tuple(steps), tuple(failed), len(documents))

    def put(self, loaded: Sequence[Document], name: str, progress: PassagesDone | None = None) -> Change:
        """Add the documents to the collection, or refresh those that it has from the same source.

        `progress` is told how far it is, in place of the bar in the terminal; what it raises ends this.
        """
        folder = self._folder / name
        with self._writing(name):
            old = self._load(folder) if (folder / MANIFEST).is_file() else None
            before = by_source(old)
            documents, change = merged(before, loaded)
            if change.added or change.updated:
                save_index(self.index_of(documents, old, progress), folder)
        return replace(change, nearly=nearly_the_same(documents, change))

    def remove(self, name: str, document_id: str | None = None) -> None:
        """Delete a collection, or one document of it, with its text and vectors; raises CollectionError where there is
        none.
        """
        folder = self._existing(name)
        with self._writing(name):
            if document_id is None:
                remove_index(folder)
                return
            index = self._load(folder)
            if document_id not in index.documents:
                known = ", ".join(index.documents)
                raise CollectionError(f"the collection {name!r} has no document {document_id!r}; it has {known}")
            if name == SEEDS:
                raise CollectionError(
                    f"the collection {SEEDS!r} follows the folder {self._settings.seeds}: delete the file there"
                )
            left = [document for document in index.documents.values() if document.id != document_id]
            if left:
                save_index(self.index_of(left, index), folder)
            else:
                remove_index(folder)

    def collections(self) -> list[CollectionInfo]:
        """Every collection that has been built, by name; one that cannot be read is left out with a warning."""
        self._sweep()
        found = []
        for manifest_path in sorted(self._folder.glob(f"*/{MANIFEST}")):
            try:
                found.append(CollectionInfo(manifest_path.parent.name, read_manifest(manifest_path.parent).documents))
            except (IndexDamagedError, IndexUnreadableError) as error:
                log.warning("%s", error)
        return found

    def version(self, name: str) -> tuple[int, ...] | None:
        """What tells the collection as it is on the disk now from what it was before; None where there is none.

        That of `seeds` tells what its files are, with which `open` brings it up to date. Raises IndexUnreadableError
        where it cannot be told now.
        """
        path = self._folder / name / MANIFEST
        if not _NAME.fullmatch(name):
            return None
        try:
            manifest = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise unreadable(path, error) from error
        if name == SEEDS:
            return tuple(number for path in self._seeds() for number in _stamp(path))
        return manifest.st_mtime_ns, manifest.st_ino  # each change puts another file into its place

    def files(
        self, paths: Iterable[Path], failed: Callable[[Path, OSError], object] = lambda *_: None
    ) -> Iterator[Path]:
        """The files as given, and those of the folders, at any depth, that have a readable suffix, in order; none that
        is hidden (or a lock of an office program), and none of the indexes. `failed` is told what cannot be looked at.
        """
        indexes = self._settings.indexes.resolve()
        for path in paths:
            if not path.is_dir():
                yield path
                continue
            own = path / indexes.relative_to(path.resolve()) if indexes.is_relative_to(path.resolve()) else None
            for file in sorted(_below(path, failed)):
                hidden = any(part.startswith((".", "~$")) for part in file.relative_to(path).parts)
                if not hidden and (own is None or not file.is_relative_to(own)):
                    yield file

    def _seeds(self) -> Iterable[Path]:
        seeds = self._settings.seeds
        return self.files([seeds]) if seeds.is_dir() else []

    def _refresh_seeds(self) -> PassageIndex:
        seeds = self._settings.seeds
        loaded, failed = self._load_files(self._seeds(), lambda path: path.relative_to(self._settings.home).as_posix())
        for error in failed:
            log.warning("left out: %s", error)
        if not loaded:
            raise CollectionError(
                f"there is no article in {seeds}: put a file there ({', '.join(SUFFIXES)}), or name a collection "
                "that `article-chat index` made, such as --collection articles"
            )
        folder = self._folder / SEEDS
        old = self._read(folder)
        if old is not None and not followed(old, loaded)[1]:
            return old
        with self._writing(SEEDS):
            old = None
            if (folder / MANIFEST).is_file():
                try:
                    old = self._load(folder)
                except IndexDamagedError:
                    log.warning("the index of %s is damaged; building it again from the files", seeds)
            documents, changed = followed(old, loaded)
            if old is not None and not changed:
                return old
            index = self.index_of(documents, old)
            save_index(index, folder)
            return index

    def _read(self, folder: Path) -> PassageIndex | None:
        """The index as it stands, read without waiting for who may be changing it, as a change is one swap; None where
        that was no use, and whoever wants the index has to wait and look again.
        """
        try:
            index = load_index(folder, embedder=self._embedder, chunking=self._chunking).index
            left = leftovers(folder) if index is not None else []
        except (IndexDamagedError, FileNotFoundError):
            return None
        if left:
            # Who is writing sweeps; where nobody can write, it is read all the same.
            with suppress(Timeout, StorageError), self._writing(folder.name, blocking=False):
                sweep(folder)
        return index

    def _load(self, folder: Path) -> PassageIndex:
        """The index of the folder, built again where it must be; only who may change it may call this."""
        stored = load_index(folder, embedder=self._embedder, chunking=self._chunking)
        if stored.index is not None:
            sweep(folder)  # or what a killed run removed would stay until the next change
            return stored.index
        log.warning("building the index %s again: %s", folder.name, stored.rebuild_because)
        index = self.index_of(stored.documents)
        save_index(index, folder)
        return index

    def index_of(
        self,
        documents: Sequence[Document],
        known: PassageIndex | None = None,
        progress: PassagesDone | None = None,
    ) -> PassageIndex:
        """The index, in memory, of the documents, made as every collection is; what `known` has is not made again."""
        quiet = progress is not None
        with tqdm(desc="Indexing", unit=" passages", delay=1, disable=quiet or None, leave=False) as bar:

            def shown(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            told = progress or shown
            return PassageIndex.build(
                documents,
                embedder=self._embedder,
                chunking=self._chunking,
                segmenter=partial(boundary_segments, before_each=lambda: told(0, 0)),
                known=known,
                progress=told,
            )

    def _load_files(
        self, files: Iterable[Path], source_of: Callable[[Path], str]
    ) -> tuple[list[Document], tuple[DocumentError, ...]]:
        loaded, failed = [], []
        for path in files:
            for found in load_articles(path, self._settings):
                if isinstance(found, DocumentError):
                    failed.append(found)
                else:
                    source = source_of(path) + found.source.removeprefix(str(path))
                    loaded.append(replace(to_be_read_again(found), source=source))
        return loaded, tuple(failed)

    def _load_pages(self, addresses: Iterable[str], page: LoadPage) -> tuple[list[Document], tuple[DocumentError, ...]]:
        loaded, failed = [], []
        for address in addresses:
            try:
                loaded.append(page(address, self._settings))
            except DocumentError as error:
                failed.append(error)
        return loaded, tuple(failed)

    def _existing(self, name: str) -> Path:
        self._check_name(name)
        folder = self._folder / name
        self._sweep()
        if not folder.is_dir():
            known = ", ".join(info.name for info in self.collections()) or "none yet"
            raise CollectionError(
                f"there is no collection {name!r} (there is: {known}); make one: article-chat index FILE "
                f"--collection {name}"
            )
        return folder

    def _sweep(self) -> None:
        """Delete the collections that somebody was making or removing when they were killed; who still does holds the
        lock.
        """
        for folder in filter(is_unfinished, self._folder.glob("*/")):
            with suppress(Timeout, StorageError), self._writing(folder.name, blocking=False):
                if is_unfinished(folder):
                    remove_index(folder)

    def _check_ours(self, name: str) -> None:
        self._check_name(name)
        if name == SEEDS:
            raise CollectionError(
                f"the collection {SEEDS!r} follows the folder {self._settings.seeds}: put files there"
            )

    def _check_name(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise CollectionError(
                f"{name!r} cannot be a collection's name: use up to 63 letters, digits, hyphens and underscores"
            )

    @contextmanager
    def _writing(self, name: str, *, blocking: bool = True) -> Iterator[None]:
        lock = FileLock(self._folder / f".{name}.lock", blocking=blocking)
        with writing(self._folder):
            make_folder(self._folder)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


def _below(folder: Path, failed: Callable[[Path, OSError], object]) -> Iterator[Path]:
    """The files in the folder, at any depth, that have a readable suffix."""
    for here, _, names in os.walk(folder, onerror=lambda error: failed(Path(error.filename), error)):
        for file in (Path(here, name) for name in names):
            if file.suffix.lower() in SUFFIXES:
                try:
                    if file.is_file():
                        yield file
                except OSError as error:
                    failed(file, error)


def stamp(status: os.stat_result) -> tuple[int, ...]:
    """What tells a file from what it was before: a change of it changes this."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _stamp(path: Path) -> tuple[int, ...]:
    """That of the file; nothing of one that has just gone."""
    try:
        return stamp(path.stat())
    except OSError:
        return ()


def _resolved(path: Path) -> str:
    return str(path.resolve())
