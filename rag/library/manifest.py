"""What an index says of itself, in the `manifest.json` of its folder: as values, and as JSON with a checksum."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

from rag.errors import IndexDamagedError, IndexUnreadableError
from rag.json_fields import member, of_kind, parsed
from rag.library.index import Chunking
from rag.types import Place

MANIFEST = "manifest.json"
ORIGINALS = "originals/"
SCHEMA_VERSION = 4
_UNTITLED, _PAGES_ALONE = 3, 2
"""The schemas before, of which everything else is the same: one knew no places with titles, which are chapters, the
other no places but the pages of PDF files."""
_GENERATION = re.compile(r"[0-9a-z-]+")


@dataclass(frozen=True, slots=True)
class ArticleEntry:
    """What can be told of an indexed article without reading its text.

    `characters` and `passages` are their numbers, `places` are the document's, `sha256` is that of the text in UTF-8,
    and `original` that of the PDF file that it came from, "" without one.
    """

    id: str
    title: str
    source: str
    characters: int
    passages: int
    places: tuple[Place, ...]
    sha256: str
    original: str = ""

    @property
    def file(self) -> str:
        """Where its text lies, below the folder of the generation."""
        return f"documents/{self.id}.txt"


@dataclass(frozen=True, slots=True)
class EmbedderIdentity:
    """What vectors are compared with: those of another model, or of another length, are of no use."""

    name: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The articles of an index, what they were embedded and cut with, and the SHA-256 of each file, by its path below
    the folder `generation`.

    Raises ValueError where there is no article, an article has no file, a file lies elsewhere, or `generation` is not
    the name of a folder.
    """

    generation: str
    embedder: EmbedderIdentity
    chunking: Chunking
    documents: tuple[ArticleEntry, ...]
    files: dict[str, str]

    def __post_init__(self) -> None:
        if not _GENERATION.fullmatch(self.generation):
            raise ValueError("generation is not the name of a folder")
        if not self.documents:
            raise ValueError("it has no article")
        if missing := [entry.file for entry in self.documents if entry.file not in self.files]:
            raise ValueError(f"{missing[0]} is missing among its files")
        if strange := [name for name in self.files if not _is_below(name)]:
            raise ValueError(f"{strange[0]!r} is no file of its folder")

    def to_json(self) -> bytes:
        """The contents of `manifest.json`."""
        value = _members(self)
        value = {"schema_version": SCHEMA_VERSION, **value, "checksum": _checksum(value)}
        return json.dumps(value, default=_members, indent=1, ensure_ascii=False).encode()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the index in the folder; raises IndexDamagedError where it is missing or not what was written,
    IndexUnreadableError where it cannot be read now.
    """
    data = contents(folder / MANIFEST)
    if data is None:
        raise damaged(folder, f"{MANIFEST} is missing")
    try:
        value = parsed(data)
        manifest = _manifest(value)
        whole = member(value, "checksum", str) == _checksum(value)
    except ValueError as error:
        raise damaged(folder, f"{MANIFEST} cannot be used ({error})") from error
    if not whole:
        raise damaged(folder, f"{MANIFEST} does not match its checksum")
    return manifest


def original_file(document_id: str) -> str:
    """Where the PDF file that the document came from lies, below the folder of the generation, if it is kept."""
    return f"{ORIGINALS}{document_id}.pdf"


def contents(path: Path) -> bytes | None:
    """The bytes of a file of an index, None where there is no such file; raises IndexUnreadableError where it cannot be
    read now, which may pass.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> IndexUnreadableError:
    """The error that says why the file or folder of an index cannot be read now, and what to do."""
    return IndexUnreadableError(
        f"{path} cannot be read now ({error.strerror or error}), which says nothing against what is in it; try again, "
        "and if it stays so, look at the disk and at who may read the file"
    )


def damaged(folder: Path, why: str) -> IndexDamagedError:
    """The error that says why the index in the folder cannot be used, and what to do."""
    return IndexDamagedError(
        f"the index in {folder} is damaged: {why}; remove it with `article-chat remove --collection {folder.name}` "
        "and index the articles again"
    )


def sha256(data: bytes) -> str:
    """The checksum that manifests hold."""
    return hashlib.sha256(data).hexdigest()


def _is_below(name: str) -> bool:
    """Whether the path leads to a place below the folder that it starts in, on any system."""
    return "\0" not in name and all(part.strip(".") and len(part.encode()) <= 255 for part in name.split("/"))


def _checksum(value: dict[str, Any]) -> str:
    """The SHA-256 of a manifest's contents, in one of the many forms in which JSON can spell the same values."""
    contents = {name: value[name] for name in value if name not in {"schema_version", "checksum"}}
    return sha256(json.dumps(contents, default=_members, sort_keys=True).encode())


def _members(value: Any) -> dict[str, Any]:
    """A dataclass as a JSON object; unlike `asdict`, it copies nothing, which a thousand articles make slow."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _manifest(value: Any) -> Manifest:
    if (version := member(value, "schema_version", int)) not in {_PAGES_ALONE, _UNTITLED, SCHEMA_VERSION}:
        raise ValueError(f"another version of article-chat wrote it, with schema {version}")
    embedder, chunking = member(value, "embedder", dict), member(value, "chunking", dict)
    files = member(value, "files", dict)
    return Manifest(
        generation=member(value, "generation", str),
        embedder=EmbedderIdentity(member(embedder, "name", str), member(embedder, "dimension", int)),
        chunking=Chunking(
            member(chunking, "max_pieces", int),
            member(chunking, "overlap_pieces", int),
            member(chunking, "boundaries", str),
        ),
        documents=tuple(_entry(entry, version) for entry in member(value, "documents", list)),
        files={name: member(files, name, str) for name in files},
    )


def _entry(value: Any, version: int) -> ArticleEntry:
    return ArticleEntry(
        id=member(value, "id", str),
        title=member(value, "title", str),
        source=member(value, "source", str),
        characters=member(value, "characters", int),
        passages=member(value, "passages", int),
        places=_pages(member(value, "pages", list)) if version == _PAGES_ALONE else _places(value, version),
        sha256=member(value, "sha256", str),
        original=member(value, "original", str) if "original" in value else "",  # older ones keep none
    )


def _pages(starts: list[Any]) -> tuple[Place, ...]:
    return tuple(Place(of_kind(start, int, "a page"), "page", number) for number, start in enumerate(starts, 1))


def _places(entry: Any, version: int) -> tuple[Place, ...]:
    found = []
    for place in member(entry, "places", list):
        start, kind, number, title = of_kind(place, list, "a place") + ([""] if version == _UNTITLED else [])
        if kind not in ("page", "time", "chapter"):
            raise ValueError(f"a place is a page, a time or a chapter, and no {shortened(kind)}")
        of_kind(start, int, "a place's start")
        of_kind(number, int, "a place's number")
        found.append(Place(start, kind, number, of_kind(title, str, "a place's title")))
    return tuple(found)
