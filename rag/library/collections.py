"""Collections of articles on disk: open, add, remove, list; `seeds/` is one that keeps itself up to date."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from rag.errors import CollectionError, DocumentError, IndexDamagedError, IndexUnreadableError, StorageError
from rag.ingest.archives import load_articles
from rag.ingest.documents import SUFFIXES
from rag.library.index import Chunking, PassageIndex, PassagesDone
from rag.library.manifest import MANIFEST, ArticleEntry, read_manifest, unreadable
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


@dataclass(frozen=True, slots=True)
class Change:
    """What adding documents did, by document id; `failed` says, too, what was left out of ZIP files."""

    added: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]
    failed: tuple[DocumentError, ...] = ()


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

    def add(self, paths: Sequence[Path], name: str) -> Change:
        """Add the files, and the readable files of the folders, to the collection, or refresh those that it has.

        A file that cannot be read is reported in `failed` and does not keep the others out.
        """
        self._check_name(name)
        if name == SEEDS:
            raise CollectionError(
                f"the collection {SEEDS!r} follows the folder {self._settings.seeds}: put files there"
            )
        loaded, failed = self._load_files(self._files(paths), relative_to=None)
        if not loaded:
            return Change((), (), (), failed)
        return replace(self.put(loaded, name), failed=failed)

    def put(self, loaded: Sequence[Document], name: str, progress: PassagesDone | None = None) -> Change:
        """Add the documents to the collection, or refresh those that it has from the same source.

        `progress` is told how far it is, in place of the bar in the terminal; what it raises ends this.
        """
        folder = self._folder / name
        with self._writing(name):
            old = self._load(folder) if (folder / MANIFEST).is_file() else None
            before = {document.source: document for document in old.documents.values()} if old else {}
            documents, change = _merge(before, loaded)
            if change.added or change.updated:
                save_index(self.index_of(documents, old, progress), folder)
        return change

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

    def version(self, name: str) -> tuple[int, int] | None:
        """What tells the collection as it is on the disk now from what it was before; None where there is none.

        Raises IndexUnreadableError where that cannot be told now.
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
        return manifest.st_mtime_ns, manifest.st_ino  # each change puts another file into its place

    def _refresh_seeds(self) -> PassageIndex:
        seeds = self._settings.seeds
        files = self._files([seeds]) if seeds.is_dir() else []
        loaded, failed = self._load_files(files, relative_to=self._settings.home)
        for error in failed:
            log.warning("left out: %s", error)
        if not loaded:
            raise CollectionError(
                f"there is no article in {seeds}: put a file there ({', '.join(SUFFIXES)}), or name a collection "
                "that `article-chat index` made, such as --collection articles"
            )
        folder = self._folder / SEEDS
        old = self._read(folder)
        if old is not None and not _followed(old, loaded)[1]:
            return old
        with self._writing(SEEDS):
            old = None
            if (folder / MANIFEST).is_file():
                try:
                    old = self._load(folder)
                except IndexDamagedError:
                    log.warning("the index of %s is damaged; building it again from the files", seeds)
            documents, changed = _followed(old, loaded)
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

    def _files(self, paths: Iterable[Path]) -> Iterator[Path]:
        """The files as given, and those of the folders, at any depth, that have a readable suffix; what lies in the
        indexes is none of them.
        """
        indexes = self._settings.indexes.resolve()
        for path in paths:
            if not path.is_dir():
                yield path
                continue
            for file in sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()):
                if not file.resolve().is_relative_to(indexes):
                    yield file

    def _load_files(
        self, files: Iterable[Path], relative_to: Path | None
    ) -> tuple[list[Document], tuple[DocumentError, ...]]:
        loaded, failed = [], []
        for path in files:
            source = path.relative_to(relative_to).as_posix() if relative_to else str(path.resolve())
            for found in load_articles(path, self._settings):
                if isinstance(found, DocumentError):
                    failed.append(found)
                else:
                    loaded.append(replace(found, source=source + found.source.removeprefix(str(path))))
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


def _followed(old: PassageIndex | None, loaded: Sequence[Document]) -> tuple[list[Document], bool]:
    """The documents of a collection that holds the loaded ones only, and whether they differ from those of `old`."""
    before = {document.source: document for document in old.documents.values()} if old else {}
    gone = before.keys() - {document.source for document in loaded}
    documents, change = _merge({s: d for s, d in before.items() if s not in gone}, loaded)
    return documents, bool(change.added or change.updated or gone)


def _merge(before: dict[str, Document], loaded: Iterable[Document]) -> tuple[list[Document], Change]:
    """The documents of a collection after adding the loaded ones; a source keeps the id it has."""
    after = dict(before)
    added: list[str] = []
    updated: list[str] = []
    unchanged: list[str] = []
    taken = {document.id for document in before.values()}
    for document in loaded:
        old = after.get(document.source)
        new = replace(document, id=old.id if old else _free(document.id, taken))
        changed = old is not None and (old.text, old.title, old.places) != (new.text, new.title, new.places)
        (added if old is None else updated if changed else unchanged).append(new.id)
        after[document.source] = new
        taken.add(new.id)
    return list(after.values()), Change(tuple(added), tuple(updated), tuple(unchanged))


def _free(wanted: str, taken: set[str]) -> str:
    return next(c for c in (wanted, *(f"{wanted}-{n}" for n in range(2, len(taken) + 3))) if c not in taken)
