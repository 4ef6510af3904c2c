"""An index as a folder that a person can open: written beside the old one, checked when read, swapped in one step.

    <collection>/
      manifest.json          what is here: schema, embedder, chunking, documents, and a checksum of every file
      <generation>/          a folder with a new name each time
        documents/<id>.txt   the stored text of each document
        passages.jsonl       one line a passage: document_id, start, end, sentences
        index.faiss          the passages' vectors
        bm25/                the lexical index, as bm25s writes it

The manifest names its generation, so replacing the manifest (one rename) is the swap: whatever is killed when, the
folder holds the old index or the new one. Nothing here is a pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bm25s
import faiss
import numpy as np

from rag.embeddings import Embedder
from rag.errors import IndexDamagedError
from rag.index import Chunking, PassageIndex
from rag.types import Document, Passage, Span

SCHEMA_VERSION = 2
MANIFEST = "manifest.json"


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
    """Write the index into the folder, replacing what is there in one atomic step; raises OSError, e.g. on a full disk,
    and then leaves what was there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generation = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    new = folder / generation
    passages_of = Counter(passage.document_id for passage in index.passages)
    try:
        _write_files(index, new)
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "generation": generation,
            "embedder": {"name": index.embedder.name, "dimension": index.embedder.dimension},
            "chunking": asdict(index.chunking),
            "documents": [
                {
                    "id": document.id,
                    "title": document.title,
                    "source": document.source,
                    "characters": len(document.text),
                    "passages": passages_of[document.id],
                    "pages": list(document.pages),
                    "sha256": _sha256(document.text.encode()),
                }
                for document in index.documents.values()
            ],
            "files": {
                path.relative_to(new).as_posix(): _sha256(path.read_bytes())
                for path in sorted(new.rglob("*"))
                if path.is_file()
            },
        }
        manifest["checksum"] = _manifest_checksum(manifest)
        _sync_tree(new)
        swapped = _written_beside(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    swapped.replace(folder / MANIFEST)  # from here on `new` is the index, whatever happens
    _sync(folder)
    for other in folder.iterdir():  # earlier generations, and what a killed run left behind
        if other.is_dir() and other.name != generation:
            shutil.rmtree(other, ignore_errors=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the index in the folder; raises IndexDamagedError where it is missing or not whole."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        whole = manifest["checksum"] == _manifest_checksum(manifest)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, f"{MANIFEST} cannot be used ({error})") from error
    if not whole:
        raise _damaged(folder, f"{MANIFEST} does not match its checksum")
    if manifest["schema_version"] > SCHEMA_VERSION:
        raise _damaged(folder, "it was written by a newer version of article-chat")
    return manifest


def load_index(folder: Path, *, embedder: Embedder, chunking: Chunking) -> StoredIndex:
    """The index in the folder, every file checked against its checksum.

    Raises IndexDamagedError where the manifest or a document's text is not what was written.
    """
    manifest = read_manifest(folder)
    generation = folder / manifest["generation"]
    contents: dict[str, bytes] = {}
    wrong = []
    for name, checksum in manifest["files"].items():
        try:
            contents[name] = (generation / name).read_bytes()
        except OSError:
            contents[name] = b""
        if _sha256(contents[name]) != checksum:
            wrong.append(name)
    if texts := [name for name in wrong if name.startswith("documents/")]:
        raise _damaged(folder, f"{texts[0]} does not match its checksum")
    documents = [
        Document(
            entry["id"],
            entry["title"],
            contents[f"documents/{entry['id']}.txt"].decode(),
            entry["source"],
            tuple(entry.get("pages", ())),  # version 1 knew of none
        )
        for entry in manifest["documents"]
    ]
    reason = None
    if wrong:
        reason = f"{wrong[0]} does not match its checksum"
    elif manifest["schema_version"] != SCHEMA_VERSION:
        reason = "it was written by an older version"
    elif manifest["embedder"] != {"name": embedder.name, "dimension": embedder.dimension}:
        reason = f"it was built with the embedding model {manifest['embedder']['name']}"
    elif manifest["chunking"] != asdict(chunking):
        reason = "it was built with other passage settings or another reader"
    if reason is not None:
        return StoredIndex(documents, None, reason)
    by_id = {document.id: document for document in documents}
    passages = []
    for line in contents["passages.jsonl"].decode().splitlines():
        entry = json.loads(line)
        span = Span(entry["start"], entry["end"])
        text = by_id[entry["document_id"]].text[span.start : span.end]
        sentences = tuple(Span(start, end) for start, end in entry["sentences"])
        passages.append(Passage(entry["document_id"], span, text, sentences))
    flat = faiss.deserialize_index(np.frombuffer(contents["index.faiss"], np.uint8))
    index = PassageIndex(
        documents,
        passages,
        flat.reconstruct_n(0, flat.ntotal),
        embedder=embedder,
        chunking=chunking,
        bm25=bm25s.BM25.load(generation / "bm25", allow_pickle=False),
    )
    return StoredIndex(documents, index)


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


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _manifest_checksum(manifest: dict[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "checksum"}
    return _sha256(json.dumps(rest, sort_keys=True).encode())


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


def _damaged(folder: Path, why: str) -> IndexDamagedError:
    return IndexDamagedError(
        f"the index in {folder} is damaged: {why}; remove it with `article-chat remove --collection {folder.name}` "
        "and index the articles again"
    )
