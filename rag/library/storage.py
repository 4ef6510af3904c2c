"""An index as a folder that a person can open: written beside the old one, checked when read, swapped in one step.

    <collection>/
      manifest.json          what is here: schema, embedder, chunking, documents, and a checksum of every file
      <generation>/          a folder with a new name each time
        documents/<id>.txt   the stored text of each document
        originals/<id>.pdf   the file that it came from, of which the pages are shown, where it is not elsewhere
        passages.jsonl       one line a passage: document_id, start, end, sentences
        index.faiss          the passages' vectors
        bm25/                the lexical index, as bm25s writes it

The manifest names its generation, so replacing the manifest (one rename) is the swap: whatever is killed when, the
folder holds the old index or the new one. Nothing here is a pickle.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from zipfile import BadZipFile

import bm25s
import faiss
import numpy as np

from rag.errors import IndexDamagedError, StorageError
from rag.json_fields import parsed
from rag.library.index import Chunking, PassageIndex
from rag.library.manifest import (
    MANIFEST,
    ORIGINALS,
    ArticleEntry,
    EmbedderIdentity,
    Manifest,
    contents,
    damaged,
    original_file,
    read_manifest,
    sha256,
    unreadable,
)
from rag.models import states
from rag.models.embeddings import Embedder
from rag.types import Document, FloatArray, Original, Passage, Span

_UNFIT = (
    *(ValueError, TypeError, KeyError, AttributeError, EOFError, FileNotFoundError),
    RuntimeError,  # FAISS
    BadZipFile,  # NumPy, of what begins as one
)
"""What is raised where files are whole by their checksums, but not what we write."""
_BEGUN, _REMOVED = "begun", "removed"
"""Files that stand in a folder while its first index is made, and while it is removed; they go last."""


@dataclass(frozen=True, slots=True)
class StoredIndex:
    """What was read from a folder: its documents, and its index where that could be used as it stands.

    `index` is None, and `rebuild_because` says why, where vectors or chunking are of another kind or do not match their
    checksum: the documents are whole, so it can be built again from them.
    """

    documents: list[Document]
    index: PassageIndex | None
    rebuild_because: str | None = None


def save_index(index: PassageIndex, folder: Path) -> None:
    """Write the index into the folder, replacing what is there in one atomic step; raises StorageError, e.g. on a full
    disk, and then leaves what was there.
    """
    with writing(folder):
        make_folder(folder)
        generation = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        new = folder / generation
        try:
            if not (folder / MANIFEST).is_file():
                (folder / _BEGUN).touch()
            _write_files(index, new)
            _keep_originals(index, new)
            manifest = _manifest_of(index, new)
            _sync_tree(new)
            swapped = _written_beside(folder / MANIFEST, manifest.to_json())
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            with suppress(OSError):
                (folder / f"{MANIFEST}.new").unlink(missing_ok=True)
            with suppress(OSError):
                (folder / _BEGUN).unlink(missing_ok=True)
                folder.rmdir()  # where there was nothing before
            raise
        swapped.replace(folder / MANIFEST)  # from here on `new` is the index, whatever happens
        index.folder = folder
        _sync(folder)
        sweep(folder)


def remove_index(folder: Path) -> None:
    """Delete the folder with all that is in it; whatever is interrupted, it is no index any more. Raises StorageError
    where the folder cannot be changed.
    """
    with writing(folder):
        with suppress(FileNotFoundError):
            (folder / MANIFEST).replace(folder / _REMOVED)  # which takes no room, as a disk may be full
        _sync(folder)
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in {_BEGUN, _REMOVED}:
                path.unlink()
        shutil.rmtree(folder)
        _sync(folder.parent)


def is_unfinished(folder: Path) -> bool:
    """Whether what stands there is of an index that was being made for the first time, or removed, when that ended."""
    return not (folder / MANIFEST).is_file() and any((folder / name).is_file() for name in (_BEGUN, _REMOVED))


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raises StorageError, in one line, where the system refuses what the block writes into the folder."""
    try:
        yield
    except TimeoutError:  # of a lock that another holds
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageError(f"the disk is full: free some space for {folder}, and try again") from error
        why = error.strerror or str(error)
        raise StorageError(
            f"{folder} cannot be written ({why}): see who may write there, or choose another folder with --home"
        ) from error


def leftovers(folder: Path) -> list[Path]:
    """What stands beside the index and is not of it: earlier generations, and what a killed run left behind.

    What a language model holds of the articles (`models/states.py`) is left over where it is older than the index.
    """
    known = {MANIFEST, read_manifest(folder).generation, states.FOLDER}
    left = [path for path in folder.iterdir() if path.name not in known]
    born = (folder / MANIFEST).stat().st_mtime_ns
    for path in (folder / states.FOLDER).glob("*"):
        with suppress(FileNotFoundError):  # it is being removed
            if path.stat().st_mtime_ns < born:
                left.append(path)
    return left


def sweep(folder: Path) -> None:
    """Delete what is left over, as far as that can be; only who may change the index may call this."""
    left = leftovers(folder)
    for path in left:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
    if left:
        _sync(folder)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make the folder and those above it, so that they are on the disk, too."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    for path in new:
        _sync(path.parent)


def load_index(folder: Path, *, embedder: Embedder, chunking: Chunking) -> StoredIndex:
    """The index in the folder, every file checked against its checksum; originals, when they are read.

    Raises IndexDamagedError where the manifest or a document's text is not what was written, IndexUnreadableError where
    a file cannot be read now, such as with too many open ones.
    """
    manifest = read_manifest(folder)
    generation = folder / manifest.generation
    files = {name: checksum for name, checksum in manifest.files.items() if not name.startswith(ORIGINALS)}
    read = {name: data for name in files if (data := contents(generation / name)) is not None}
    wrong = [
        f"{name} {'does not match its checksum' if name in read else 'is missing'}"
        for name, checksum in files.items()
        if name not in read or sha256(read[name]) != checksum
    ]
    if texts := [what for what in wrong if what.startswith("documents/")]:
        raise damaged(folder, texts[0])
    try:
        documents = [
            Document(
                *(entry.id, entry.title, read[entry.file].decode(), entry.source, entry.places),
                Original(entry.original) if entry.original else None,
            )
            for entry in manifest.documents
        ]
    except ValueError as error:
        raise damaged(folder, f"{MANIFEST} and its documents do not go together ({error})") from error
    reason = None
    if wrong:
        reason = wrong[0]
    elif manifest.embedder != EmbedderIdentity(embedder.name, embedder.dimension):
        reason = f"it was built with the embedding model {manifest.embedder.name}"
    elif manifest.chunking != chunking:
        reason = "it was built with other passage settings or another reader"
    if reason is not None:
        return StoredIndex(documents, None, reason)
    try:
        index = PassageIndex(
            documents,
            _passages(read["passages.jsonl"], documents),
            _vectors(read["index.faiss"]),
            embedder=embedder,
            chunking=chunking,
            bm25=bm25s.BM25.load(generation / "bm25", allow_pickle=False),
        )
    except _UNFIT as error:
        return StoredIndex(documents, None, f"its files do not go together ({type(error).__name__})")
    except OSError as error:
        raise unreadable(generation / "bm25", error) from error
    index.folder = folder
    return StoredIndex(documents, index)


def _passages(lines: bytes, documents: Sequence[Document]) -> list[Passage]:
    """The passages that `passages.jsonl` describes; raises ValueError, TypeError or KeyError where it is not ours."""
    text_of: Mapping[str, str] = {document.id: document.text for document in documents}
    passages = []
    for line in lines.decode().splitlines():
        entry = parsed(line)
        span = Span(entry["start"], entry["end"])
        text = text_of[entry["document_id"]][span.start : span.end]
        sentences = tuple(Span(start, end) for start, end in entry["sentences"])
        passages.append(Passage(entry["document_id"], span, text, sentences))
    return passages


def _vectors(data: bytes) -> FloatArray:
    """The vectors, (n, d), of an index as FAISS writes it; raises RuntimeError where it is none."""
    flat = faiss.deserialize_index(np.frombuffer(data, np.uint8))
    return np.asarray(flat.reconstruct_n(0, flat.ntotal), np.float32)


def _manifest_of(index: PassageIndex, new: Path) -> Manifest:
    """The manifest of the index, whose files lie in the folder of its generation."""
    passages_of = Counter(passage.document_id for passage in index.passages)
    return Manifest(
        generation=new.name,
        embedder=EmbedderIdentity(index.embedder.name, index.embedder.dimension),
        chunking=index.chunking,
        documents=tuple(
            ArticleEntry(
                id=document.id,
                title=document.title,
                source=document.source,
                characters=len(document.text),
                passages=passages_of[document.id],
                places=document.places,
                sha256=sha256(document.text.encode()),
                original=document.original.sha256 if document.original is not None else "",
            )
            for document in index.documents.values()
        ),
        files={
            path.relative_to(new).as_posix(): sha256(path.read_bytes())
            for path in sorted(new.rglob("*"))
            if path.is_file()
        },
    )


def _write_files(index: PassageIndex, new: Path) -> None:
    (new / "documents").mkdir(parents=True)
    for document in index.documents.values():
        (new / "documents" / f"{document.id}.txt").write_bytes(document.text.encode())
    lines = [
        json.dumps(
            {
                "document_id": passage.document_id,
                **asdict(passage.span),
                "sentences": [[sentence.start, sentence.end] for sentence in passage.sentences],
            }
        )
        + "\n"
        for passage in index.passages
    ]
    (new / "passages.jsonl").write_text("".join(lines), encoding="utf-8")
    # faiss's own writer neither reports a full disk reliably nor syncs; its bytes written by us do both.
    (new / "index.faiss").write_bytes(faiss.serialize_index(index.faiss_index).tobytes())
    index.bm25.save(new / "bm25", show_progress=False)


def _keep_originals(index: PassageIndex, new: Path) -> None:
    """Write the files that the documents bring, for nobody else to read, and take over those that are kept already."""
    old, kept = None, dict[str, str]()
    with suppress(IndexDamagedError):
        manifest = read_manifest(new.parent)
        old, kept = new.parent / manifest.generation, manifest.files
    for document in index.documents.values():
        name, original = original_file(document.id), document.original
        if original is None:
            continue
        data = original.data or None
        if data is None and old is not None and kept.get(name) == original.sha256:
            data = contents(old / name)
        if data is not None:
            path = new / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(data)


def _written_beside(path: Path, data: bytes) -> Path:
    """A file with the data, safely on the disk, that is ready to replace the one at `path`."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return temporary


def _sync_tree(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _sync(path)


def _sync(path: Path) -> None:
    """Force a file or folder to the disk, so that the swap never gets there before what it points to."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
