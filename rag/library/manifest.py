"""What an index says of itself, in the `manifest.json` of its folder: as values, and as JSON with a checksum."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rag.errors import IndexDamagedError
from rag.json_fields import member, of_kind, parsed
from rag.library.index import Chunking

MANIFEST = "manifest.json"
SCHEMA_VERSION = 2
_GENERATION = re.compile(r"[0-9a-z-]+")


@dataclass(frozen=True, slots=True)
class ArticleEntry:
    """What can be told of an indexed article without reading its text.

    `characters` and `passages` are their numbers, `pages` the offsets at which the pages of a PDF begin, and `sha256`
    is that of the text in UTF-8.
    """

    id: str
    title: str
    source: str
    characters: int
    passages: int
    pages: tuple[int, ...]
    sha256: str

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

    Raises ValueError where there is no article, an article has no file, or `generation` is not the name of a folder.
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

    @property
    def checksum(self) -> str:
        """The SHA-256 of all of it, in one of the many forms in which JSON can spell the same values."""
        return sha256(json.dumps(self, default=_members, sort_keys=True).encode())

    def to_json(self) -> bytes:
        """The contents of `manifest.json`."""
        value = {"schema_version": SCHEMA_VERSION, **_members(self), "checksum": self.checksum}
        return json.dumps(value, default=_members, indent=1, ensure_ascii=False).encode()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the index in the folder; raises IndexDamagedError where it is missing or not what was written."""
    try:
        value = parsed((folder / MANIFEST).read_bytes())
        manifest = _manifest(value)
        whole = member(value, "checksum", str) == manifest.checksum
    except (OSError, ValueError) as error:
        raise damaged(folder, f"{MANIFEST} cannot be used ({error})") from error
    if not whole:
        raise damaged(folder, f"{MANIFEST} does not match its checksum")
    return manifest


def damaged(folder: Path, why: str) -> IndexDamagedError:
    """The error that says why the index in the folder cannot be used, and what to do."""
    return IndexDamagedError(
        f"the index in {folder} is damaged: {why}; remove it with `article-chat remove --collection {folder.name}` "
        "and index the articles again"
    )


def sha256(data: bytes) -> str:
    """The checksum that manifests hold."""
    return hashlib.sha256(data).hexdigest()


def _members(value: Any) -> dict[str, Any]:
    """A dataclass as a JSON object; unlike `asdict`, it copies nothing, which a thousand articles make slow."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _manifest(value: Any) -> Manifest:
    if (version := member(value, "schema_version", int)) != SCHEMA_VERSION:
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
        documents=tuple(map(_entry, member(value, "documents", list))),
        files={name: member(files, name, str) for name in files},
    )


def _entry(value: Any) -> ArticleEntry:
    return ArticleEntry(
        id=member(value, "id", str),
        title=member(value, "title", str),
        source=member(value, "source", str),
        characters=member(value, "characters", int),
        passages=member(value, "passages", int),
        pages=tuple(of_kind(page, int, "a page") for page in member(value, "pages", list)),
        sha256=member(value, "sha256", str),
    )
