import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEmbedder
from files import pages_at
from manifests import resealed

from rag.errors import IndexDamagedError
from rag.library.index import Chunking
from rag.library.manifest import ArticleEntry, EmbedderIdentity, Manifest, read_manifest, sha256
from rag.library.storage import load_index
from rag.types import Place

ENTRY = ArticleEntry("d", "Über “Ice” 😀", "/x/d.pdf", characters=9, passages=1, places=pages_at(0, 5), sha256="0" * 64)
OURS = Manifest(
    generation="20260101-000000-abcdef",
    embedder=EmbedderIdentity("fake", 256),
    chunking=Chunking(40, 15, "weights"),
    documents=(ENTRY,),
    files={"documents/d.txt": "0" * 64},
)


def forged(**changes: Any) -> bytes:
    return resealed({"schema_version": 4, **asdict(OURS), **changes})


def entry(*, schema_version: int = 4, **changes: Any) -> bytes:
    return forged(schema_version=schema_version, documents=[{**asdict(ENTRY), **changes}])


def without(name: str) -> bytes:
    value = json.loads(forged())
    del value[name]
    return resealed(value)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(OURS.to_json())
    assert read_manifest(tmp_path) == OURS
    (tmp_path / "manifest.json").write_bytes(forged())  # spelled otherwise, and the same
    assert read_manifest(tmp_path) == OURS


def test_a_manifest_of_the_schema_that_knew_pages_alone_is_read(tmp_path: Path) -> None:
    before = asdict(ENTRY)
    del before["places"]
    (tmp_path / "manifest.json").write_bytes(forged(schema_version=2, documents=[{**before, "pages": [0, 5]}]))
    assert read_manifest(tmp_path) == OURS


def test_a_manifest_of_the_schema_that_knew_no_titles_is_read(tmp_path: Path) -> None:
    before = entry(places=[[0, "page", 1], [5, "page", 2]], schema_version=3)
    (tmp_path / "manifest.json").write_bytes(before)
    assert read_manifest(tmp_path) == OURS


def test_the_titles_of_chapters_are_kept(tmp_path: Path) -> None:
    chapters = (Place(0, "chapter", 1, "Über “Ice” 😀"), Place(5, "chapter", 2))
    manifest = replace(OURS, documents=(replace(ENTRY, places=chapters),))
    (tmp_path / "manifest.json").write_bytes(manifest.to_json())
    assert read_manifest(tmp_path) == manifest


@pytest.mark.usefixtures("nothing_to_collect")
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"schema_version": 2, "a": ' + b"[" * 900 + b"]" * 900 + b"}", "'embedder' is missing"),
        (b"[]", "[] is not an object"),
        (b"null", "None is not an object"),
        (forged(schema_version=1), "another version of article-chat wrote it, with schema 1"),
        (forged(schema_version=5), "another version of article-chat wrote it, with schema 5"),
        (forged(schema_version="2"), "schema_version is not a whole number"),
        (without("generation"), "the field 'generation' is missing"),
        (forged(generation="../other"), "generation is not the name of a folder"),
        (forged(generation="a\0b"), "generation is not the name of a folder"),
        (forged(embedder="fake"), "embedder is not an object"),
        (forged(embedder={"name": "fake"}), "'dimension' is missing"),
        (
            forged(chunking={"max_pieces": 40, "overlap_pieces": 15.5, "boundaries": ""}),
            "overlap_pieces is not",
        ),
        (forged(documents={}), "documents is not a list"),
        (forged(documents=[]), "it has no article"),
        (forged(documents=["d"]), "'d' is not an object"),
        (entry(id="../../secret"), "documents/../../secret.txt is missing among its files"),
        (entry(title=None), "title is not a text"),
        (entry(title="\ud800"), "surrogates not allowed"),
        (entry(characters=True), "characters is not a whole number"),
        (entry(places=[[0, "page", "5", ""]]), "a place's number is not a whole number"),
        (entry(places=[["0", "page", 5, ""]]), "a place's start is not a whole number"),
        (entry(places=[[0, ["page"], 5, ""]]), "a place is a page, a time or a chapter, and no ['page']"),
        (entry(places=[[0, "chapter", 5, None]]), "a place's title is not a text"),
        (entry(places=[[0, "chapter", 5, "\ud800"]]), "surrogates not allowed"),
        (entry(places=[[0, "chapter", 5]]), "not enough values"),
        (entry(places=[[0, "page", 5, ""]], schema_version=3), "too many values"),
        (entry(places=[[0, 5]]), "not enough values"),
        (entry(places=[0]), "a place is not a list"),
        (entry(places=0), "places is not a list"),
        (forged(schema_version=2), "the field 'pages' is missing"),
        (forged(files=[]), "files is not an object"),
        (forged(files={"documents/d.txt": "", "/etc/passwd": ""}), "'/etc/passwd' is no file of its folder"),
        (forged(files={"documents/d.txt": "", "a/../../b": ""}), "'a/../../b' is no file of its folder"),
        (forged(files={"documents/d.txt": "", "a\0": ""}), "is no file of its folder"),
        (forged(files={"documents/d.txt": "", "a" * 256: ""}), "is no file of its folder"),
        (forged(files={"documents/d.txt": 0}), "documents/d.txt is not a text"),
        (OURS.to_json().replace(b"d.pdf", b"e.pdf"), "does not match its checksum"),
    ],
)
def test_what_we_did_not_write_is_an_error_in_one_line(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(IndexDamagedError) as caught:
        read_manifest(tmp_path)
    assert says in str(caught.value)
    assert "manifest.json" in str(caught.value)
    assert "article-chat remove --collection" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(IndexDamagedError, match=r"manifest\.json is missing"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(("starts", "text"), [([0, 10], b"Nine cha."), ([5], b"Nine cha."), ([], b"\xff")])
def test_an_entry_that_does_not_fit_its_text_is_an_error_in_one_line(
    tmp_path: Path, starts: list[int], text: bytes
) -> None:
    (tmp_path / OURS.generation / "documents").mkdir(parents=True)
    (tmp_path / OURS.generation / "documents" / "d.txt").write_bytes(text)
    documents = [{**asdict(ENTRY), "places": pages_at(*starts)}]
    (tmp_path / "manifest.json").write_bytes(forged(documents=documents, files={"documents/d.txt": sha256(text)}))
    with pytest.raises(IndexDamagedError, match="its documents do not go together"):
        load_index(tmp_path, embedder=FakeEmbedder(), chunking=OURS.chunking)
